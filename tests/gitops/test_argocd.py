"""What Argo CD shows and does with our objects: its health scripts and actions, run by a Lua of the same version."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import argocd_config
from core.test_scenarios import SCENARIOS
from core.test_tenancy import SEEN
from stoker.api.conditions import merge
from stoker.api.operation import OperationState
from stoker.core.decide import decide
from stoker.core.decision import Outlook, Reason
from stoker.core.tenancy import conditions
from support.argocd_lua import health, run
from support.build import NOW, operation
from support.gitops_states import ACTED, CUSTOMIZATIONS, STATES, WHEN, shown, upstream_files

VM = CUSTOMIZATIONS / "VirtualMachine"
ACTIONS = VM / "actions"
HEALTH = {
    Outlook.PROGRESSING: "Progressing",
    Outlook.RETRYING: "Progressing",
    Outlook.UNKNOWN: "Progressing",
    Outlook.SETTLED: "Healthy",
    Outlook.BLOCKED: "Degraded",
}


def action(name: str, resource: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = run(ACTIONS / name / "action.lua", resource)
    return changed


def offered(resource: dict[str, Any]) -> set[str]:
    """Return the actions that can be chosen for an object."""
    found = run(ACTIONS / "discovery.lua", resource)
    assert set(found) == {path.parent.name for path in ACTIONS.glob("*/action.lua")}
    return {name for name, how in found.items() if not how["disabled"]}


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what an action changed; Lua cannot tell an empty list from an empty object, and Argo CD mends that itself."""
    if isinstance(before, dict) and isinstance(after, dict) and before and after:
        for key in before.keys() | after.keys():
            yield from differences(before.get(key), after.get(key), f"{path}/{key}")
    elif before != after and (before or after):
        yield path, after


@pytest.mark.parametrize("name", STATES)
def test_every_state_has_its_health(name: str) -> None:
    assert health(VM / "health.lua", STATES[name].object)["status"] == STATES[name].argocd


def test_every_scenario_of_the_core_has_the_health_of_its_outlook() -> None:
    seen = set()
    for sentence, (snapshot, _, reason, outlook) in SCENARIOS.items():
        vm, held = shown(snapshot), reason == Reason.PAUSED and outlook is Outlook.BLOCKED
        expected = "Progressing" if snapshot.deleting else "Suspended" if held else HEALTH[outlook]
        found = health(VM / "health.lua", vm)
        assert found["status"] == expected, sentence
        assert snapshot.deleting or found["message"] == f"{reason}: {decide(snapshot).message}", sentence
        seen.add((outlook, expected))
    assert {outlook for outlook, _ in seen} == set(Outlook)
    assert {status for _, status in seen} == {"Progressing", "Healthy", "Degraded", "Suspended"}


@pytest.mark.parametrize(("seen", "ready", "reason", "outlook", "others"), SEEN.values(), ids=SEEN)
def test_a_tenant_is_healthy_when_it_is_ready_and_degraded_when_it_is_stalled(
    seen: Any, ready: str, reason: str, outlook: str, others: object
) -> None:
    written = merge((), conditions(seen), generation=3, now=NOW)
    tenant = {
        "metadata": {"generation": 3},
        "status": {"observedGeneration": 3, "conditions": [one.to_wire() for one in written]},
    }
    found = health(CUSTOMIZATIONS / "Tenant" / "health.lua", tenant)
    assert found["status"] == {"Stalled": "Degraded", "Reconciling": "Progressing", "": "Healthy"}[outlook]
    assert found["message"].startswith(f"{reason}: ")
    tenant["metadata"]["generation"] = 4
    assert health(CUSTOMIZATIONS / "Tenant" / "health.lua", tenant)["status"] == "Progressing"


def test_kinds_with_the_same_conditions_have_the_same_script() -> None:
    assert (CUSTOMIZATIONS / "Tenant" / "health.lua").read_text() == (VM / "health.lua").read_text()


@pytest.mark.parametrize("state", OperationState)
def test_an_operation_is_as_healthy_as_it_ended(state: OperationState) -> None:
    wire = operation(state=state.value, message="no host").to_wire()
    found = health(CUSTOMIZATIONS / "VirtualMachineOperation" / "health.lua", wire)
    expected = {OperationState.SUCCEEDED: "Healthy", OperationState.FAILED: "Degraded"}
    assert found == {"status": expected.get(state, "Progressing"), "message": f"Create {state.value}: no host"}


def test_an_action_is_offered_where_it_does_something() -> None:
    expected = {
        "new": {"stop", "restart", "retry"},
        "active": {"stop", "restart"},
        "stopped": {"start"},
        "stalled": {"stop", "restart", "retry"},
        "deleting": {"retry"},
    }
    assert {name: offered(STATES[name].object) for name in expected} == expected


@pytest.mark.parametrize("name", ACTED)
def test_an_action_writes_one_declarative_field(name: str) -> None:
    state, patch = ACTED[name]
    before = STATES[state].object
    ((path, value),) = differences(before, action(name, before))
    for key in path.strip("/").split("/", 2):
        patch = patch[key]
    assert value == patch


@pytest.mark.parametrize("name", ["restart", "retry"])
def test_a_request_can_be_made_of_a_vm_without_annotations(name: str) -> None:
    bare = copy.deepcopy(STATES["stalled"].object)
    del bare["metadata"]["annotations"]
    assert action(name, bare)["metadata"]["annotations"] == {f"stoker.dev/{name}": WHEN}


# ---- upstream's layout, and what users copy


@pytest.mark.parametrize("test", sorted(CUSTOMIZATIONS.glob("*/health_test.yaml")), ids=lambda path: path.parent.name)
def test_the_tests_in_argo_cds_own_format_hold(test: Path) -> None:
    cases = yaml.safe_load(test.read_text())["tests"]
    inputs = {case["inputPath"] for case in cases}
    assert inputs == {f"testdata/{path.name}" for path in (test.parent / "testdata").iterdir()}
    for case in cases:
        resource = yaml.safe_load((test.parent / case["inputPath"]).read_text())
        assert run(test.parent / "health.lua", resource) == case["healthStatus"], case["inputPath"]


def test_the_action_tests_in_argo_cds_own_format_hold() -> None:
    cases = yaml.safe_load((ACTIONS / "action_test.yaml").read_text())
    for case in cases["discoveryTests"]:
        vm = yaml.safe_load((ACTIONS / case["inputPath"]).read_text())
        result = {one["name"] for one in case["result"] if not one.get("disabled")}
        assert offered(vm) == result, case["inputPath"]
    for case in cases["actionTests"]:
        before, after = (
            yaml.safe_load((ACTIONS / case[key]).read_text()) for key in ("inputPath", "expectedOutputPath")
        )
        assert not list(differences(after, action(case["action"], before))), case["action"]
    assert {case["action"] for case in cases["actionTests"]} == {p.parent.name for p in ACTIONS.glob("*/action.lua")}


def test_the_testdata_are_what_the_core_writes() -> None:
    files = (VM / "health_test.yaml", *VM.glob("testdata/*"), *ACTIONS.glob("testdata/*"))
    found = {str(path.relative_to(VM)): path.read_text() for path in files}
    assert found == upstream_files(), "run `make generate`"


def test_the_config_map_for_users_has_these_very_scripts() -> None:
    assert argocd_config.PAGE.read_text() == argocd_config.page(), "run `make generate`"
    data = yaml.safe_load(argocd_config.PAGE.read_text())["data"]
    for script in CUSTOMIZATIONS.glob("*/health.lua"):
        assert data[f"resource.customizations.health.stoker.dev_{script.parent.name}"] == script.read_text()
    actions = yaml.safe_load(data["resource.customizations.actions.stoker.dev_VirtualMachine"])
    assert actions["discovery.lua"] == (ACTIONS / "discovery.lua").read_text()
    for definition in actions["definitions"]:
        assert definition["action.lua"] == (ACTIONS / definition["name"] / "action.lua").read_text()
