"""What kstatus calls our objects, by the library that Flux, Helm and kpt use: every state, and every scenario of the core."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from core.test_scenarios import SCENARIOS
from core.test_tenancy import SEEN
from localenv import gotools
from localenv.settings import LocalSettings
from stoker.api.conditions import merge
from stoker.core.decision import Outlook
from stoker.core.tenancy import conditions
from support.build import NOW
from support.gitops_states import STATES, shown

KSTATUS = {
    Outlook.PROGRESSING: "InProgress",
    Outlook.RETRYING: "InProgress",
    Outlook.UNKNOWN: "InProgress",
    Outlook.SETTLED: "Current",
    Outlook.BLOCKED: "Failed",
}


@pytest.fixture(scope="module")
def kstatus() -> Any:
    """Return a function: objects → what kstatus calls each. The program is built once (`localenv.gotools`)."""
    program = gotools.find(LocalSettings.load(), "kstatus")

    def computed(objects: list[dict[str, Any]]) -> list[str]:
        done = subprocess.run([program], input=json.dumps(objects), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said: list[str] = json.loads(done.stdout)
        return said

    return computed


def test_every_state_is_called_what_a_waiting_tool_needs(kstatus: Any) -> None:
    said = kstatus([state.object for state in STATES.values()])
    assert dict(zip(STATES, said, strict=True)) == {name: state.kstatus for name, state in STATES.items()}


def test_every_scenario_of_the_core_is_called_as_its_outlook_says(kstatus: Any) -> None:
    said = kstatus([shown(snapshot) for snapshot, *_ in SCENARIOS.values()])
    expected = [
        "Terminating" if snapshot.deleting else KSTATUS[outlook] for snapshot, _, _, outlook in SCENARIOS.values()
    ]
    assert dict(zip(SCENARIOS, said, strict=True)) == dict(zip(SCENARIOS, expected, strict=True))


def test_a_tenant_is_current_when_it_is_ready_and_failed_when_it_is_stalled(kstatus: Any) -> None:
    def tenant(seen: Any, generation: int) -> dict[str, Any]:
        written = merge((), conditions(seen), generation=3, now=NOW)
        status = {"observedGeneration": 3, "conditions": [one.to_wire() for one in written]}
        head = {"apiVersion": "stoker.dev/v1alpha1", "kind": "Tenant"}
        return {**head, "metadata": {"name": "a", "generation": generation}, "status": status}

    calls = {"Stalled": "Failed", "Reconciling": "InProgress", "": "Current"}
    assert kstatus([tenant(seen, 3) for seen, *_ in SEEN.values()]) == [calls[row[3]] for row in SEEN.values()]
    assert set(kstatus([tenant(seen, 4) for seen, *_ in SEEN.values()])) == {"InProgress"}, "edited since"


def test_a_cloud_that_no_tenant_uses_holds_nobody_up_once_its_spec_was_seen(kstatus: Any) -> None:
    """What is written of it is in tests/reconcile/test_reports.py."""
    cloud = {"apiVersion": "stoker.dev/v1alpha1", "kind": "Cloud", "metadata": {"name": "main", "generation": 2}}
    statuses = [{"observedGeneration": -1}, {"observedGeneration": 1}, {"observedGeneration": 2}]
    assert kstatus([{**cloud, "status": status} for status in statuses]) == ["InProgress", "InProgress", "Current"]
