"""What `kubectl osvm` draws of recorded objects: pure, without an API server."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from rich.console import Console, RenderableType

from stoker.api.virtualmachine import VirtualMachine
from stoker.client import Event, standing
from stoker.core.faults import Fault
from stoker.core.foresight import Foreseen
from stoker.core.stack import Plan
from stoker.osvm import output, plans
from stoker.osvm.screen import Screen
from stoker.osvm.tree import describe
from stoker.osvm.words import age, what_to_do
from support.build import NOW

STAMP = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")


def recorded(**status: Any) -> dict[str, Any]:
    """Return a VM as the API server has it; keywords replace parts of the status."""
    spec = {
        "template": "ubuntu-basic@v1", "image": "cirros", "flavor": "m1.tiny", "publicIP": True,
        "volumes": [{"name": "data", "sizeGiB": 20, "type": "ssd"}],
        "ingress": [{"protocol": "tcp", "ports": "22", "cidr": "10.0.0.0/8"}, {"protocol": "icmp", "cidr": "::/0"}],
    }  # fmt: skip
    metadata = {
        "name": "web-1", "namespace": "team-a", "uid": "u", "generation": 2, "creationTimestamp": STAMP,
        "annotations": {"stoker.dev/requested-by": "alice"}, "managedFields": [{"manager": "kubectl-osvm"}],
    }  # fmt: skip
    known = {
        "observedGeneration": 2, "appliedGeneration": 2, "phase": "Active", "serverID": "srv-1", "powerState": "Running",
        "volumeSlots": ["", "data"], "privateIP": "10.0.0.5", "publicIP": "203.0.113.7",
        "stack": {"name": "vm-u", "id": "stack-1", "status": "CREATE_COMPLETE", "templateVersion": "ubuntu-basic@v1"},
        "operation": {"id": "web-1-create-1", "type": "Create", "state": "Succeeded", "attempts": 2},
        "conditions": [condition("Ready", "True", "Active", "The VM is as its spec asks.")],
    }  # fmt: skip
    return {
        "apiVersion": "stoker.dev/v1alpha1",
        "kind": "VirtualMachine",
        "metadata": metadata,
        "spec": spec,
        "status": {**known, **status},
    }


def condition(kind: str, status: str, reason: str, message: str, generation: int = 2) -> dict[str, Any]:
    return {
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": STAMP,
        "observedGeneration": generation,
    }  # fmt: skip


def failed(code: str, message: str, **status: Any) -> dict[str, Any]:
    """Return a VM that needs a person."""
    said = [condition("Ready", "False", code, message), condition("Stalled", "True", code, message)]
    return recorded(conditions=said, phase="Error", **status)


def vm(found: dict[str, Any]) -> VirtualMachine:
    return VirtualMachine.model_validate(found)


def drawn(what: RenderableType, *, terminal: bool = False) -> str:
    file = io.StringIO()
    Console(file=file, width=200, force_terminal=terminal, highlight=False).print(what)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def shown(form: str | None, *found: dict[str, Any], one: bool = False, terminal: bool = False) -> str:
    out = Console(file=io.StringIO(), width=120, force_terminal=terminal, highlight=False)
    output.vms(Screen(out, out), form, found, NOW + timedelta(minutes=5), namespaces=False, one=one)
    return out.file.getvalue()  # type: ignore[attr-defined, no-any-return]


TREE = """\
team-a/web-1  Active
├── asked for: ubuntu-basic@v1, cirros, m1.tiny, Running
│   └── by: alice, 5m ago
├── stack: vm-u CREATE_COMPLETE
│   ├── id: stack-1
│   ├── server: srv-1 Running
│   │   ├── flavor: m1.tiny
│   │   └── image: cirros
│   ├── port: 10.0.0.5
│   │   ├── lets in: tcp 22 from 10.0.0.0/8
│   │   └── lets in: icmp from ::/0
│   ├── floating IP: 203.0.113.7
│   └── volume: data, 20 GiB, ssd
├── last command: Create Succeeded, attempt 2 (web-1-create-1)
├── conditions
│   └── Ready=True Active (5m): The VM is as its spec asks.
└── last events
    └── 4m ago x3 Active: It runs."""


def test_a_vm_is_a_tree_of_its_stack_with_conditions_and_events() -> None:
    happened = Event(time=NOW + timedelta(minutes=1), reason="Active", message="It runs.", count=3)
    assert drawn(describe(vm(recorded()), [happened], NOW + timedelta(minutes=5))) == TREE


FAILURES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a wrong name": (
        failed("FlavorNotFound", "there is no flavor m1.tyni; the nearest: m1.tiny. Use a flavor of the cloud."),
        [
            "what is wrong: there is no flavor m1.tyni; the nearest: m1.tiny",
            "Who must act: the VM's user.",
            "Stoker looks again by itself now and then; it goes on when that is mended. To have it tried now: kubectl osvm retry web-1 -n team-a",
        ],
    ),
    "a refused edit": (
        failed("UpdateWouldReplace", "the update would cost the data of server (replaced)."),
        ["what is wrong: the update would cost", "Stoker waits for an edit of the spec."],
    ),
    "no stack yet": (failed("TenantNotFound", "no Tenant.", stack=None), ["stack: none yet", "Who must act: the platform admin."]),
    "a failed stack": (
        failed("StackFailed", "it failed.", stack={"name": "vm-u", "status": "CREATE_FAILED", "statusReason": "no disk"}),
        ["Heat says: no disk"],
    ),
    "what Heat did": (
        failed("StackFailed", "it failed.", events=[
            {"time": STAMP, "resource": "server", "status": "CREATE_FAILED", "reason": "no disk"},
            {"resource": "port", "status": "CREATE_COMPLETE"}]),
        ["├── what Heat did last\n", "0s ago server CREATE_FAILED: no disk\n", "── port CREATE_COMPLETE\n"],
    ),
    "no error": (failed("Paused", "Nothing is asked of OpenStack."), ["what is wrong: Nothing is asked of OpenStack."]),
    "an older spec": (
        recorded(observedGeneration=1, appliedGeneration=1),
        ["waits for: Stoker did not look at the present spec yet.", "not applied yet: the stack is as before", "└── volume: data\n"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", FAILURES)
def test_a_failure_is_said_in_words_with_who_must_act(row: str) -> None:
    found, expected = FAILURES[row]
    text = drawn(describe(vm(found), [], NOW))
    assert [line for line in expected if line not in text] == [], text


def test_a_sentence_that_several_conditions_have_is_said_once() -> None:
    text = drawn(describe(vm(failed("StackFailed", "the disk is full")), [], NOW))
    assert text.count("the disk is full") == 1
    assert "Stalled=True StackFailed (0s)" in text


def test_when_the_next_try_is_due_is_said() -> None:
    operation = {"id": "o", "type": "Create", "state": "Running", "nextRetryTime": STAMP}
    machine = vm(failed("NoValidHost", "no host.", operation=operation))
    assert "Next try: 12:00:00 UTC." in what_to_do(machine, standing(machine))[1]


def test_a_table_off_a_terminal_is_plain_columns_and_nothing_is_cut() -> None:
    long = failed("FlavorNotFound", "x" * 500, privateIP=None)
    table, names = shown("wide", long).splitlines(), shown("name", long)
    assert table[0].split() == [
        "NAME", "READY", "STATUS", "PHASE", "PRIVATE-IP", "PUBLIC-IP", "AGE", "TEMPLATE", "IMAGE", "FLAVOR", "POWER",
        "STACK", "MESSAGE",
    ]  # fmt: skip
    assert table[1].split()[:7] == ["web-1", "False", "FlavorNotFound", "Error", "-", "203.0.113.7", "5m"]
    assert table[1].endswith("x" * 500)
    assert names == "virtualmachine.stoker.dev/web-1\n"
    assert "\x1b" not in shown(None, long)


def test_a_terminal_has_colour_and_foreign_text_cannot_steer_it() -> None:
    evil = failed("FlavorNotFound", "\x1b[2J[red]gone")
    assert "\x1b[1;31mFlavorNotFound" in shown(None, evil, terminal=True)
    tree = drawn(describe(vm(evil), [], NOW), terminal=True)
    assert "\x1b[2J" not in tree
    assert "[2J[red]gone" in tree


def test_whole_objects_are_written_as_the_api_server_has_them() -> None:
    found = recorded()
    assert json.loads(shown("json", found, one=True)) == found
    assert yaml.safe_load(shown("yaml", found, found))["items"] == [found, found]


AGES = {
    0: "0s",
    59: "59s",
    60: "1m",
    3_599: "59m",
    3_600: "1h",
    12_000: "3h20m",
    40_000: "11h",
    90_000: "1d1h",
    10**6: "11d",
}


@pytest.mark.parametrize("seconds", AGES)
def test_an_age_is_short(seconds: int) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == AGES[seconds]
    assert age(None, datetime.now(NOW.tzinfo)) == ""


def test_a_plan_shows_what_changes_why_and_what_is_refused() -> None:
    plan = Plan(("port",), ("volume_0",), ("server",), ("floating_ip",), ("volume_1",), {"server": "OS::Nova::Server"})
    refusal = Fault("UpdateWouldReplace", "the update would cost the data of server (replaced)")  # type: ignore[arg-type]
    seen = Foreseen(plan, {"server": ("image: a → b",)}, refusal, ("User data comes from a Secret.",))
    assert drawn(plans.draw("team-a/web-1", seen, new=False)) == (
        """\
team-a/web-1: would be refused
├── + floating_ip (added)
├── ~ volume_0 (updated)
├── -/+ server (replaced)
│   └── image: a → b
├── - volume_1 (deleted)
├── = port (unchanged)
├── refused: UpdateWouldReplace
│   └── the update would cost the data of server (replaced). Take the edit back, or set allowReplace to true if their data may be lost.
└── note: User data comes from a Secret."""
    )


@pytest.mark.parametrize(
    ("seen", "new", "verdict"),
    [
        (Foreseen(Plan(unchanged=("port",)), {}, None), False, "nothing of the stack would change"),
        (Foreseen(Plan(added=("port",)), {}, None), True, "would be made"),
        (Foreseen(Plan(updated=("port",)), {}, None), False, "would be updated"),
        (Foreseen(Plan(), {}, None, told=False), False, "cannot be told here"),
    ],
)
def test_a_plan_says_its_verdict_first(seen: Foreseen, new: bool, verdict: str) -> None:
    assert drawn(plans.draw("web-1", seen, new=new)).splitlines()[0] == f"web-1: {verdict}"
