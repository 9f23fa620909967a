"""What people ask beside the spec, on the real API server: pause, try again now, abandon, protection; with a cloud that fails on request."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.control import Control
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes


def annotate(simulated: SimulatedCluster, **values: str | None) -> None:
    """Set annotations of Stoker's; None takes one away."""
    named = {f"stoker.dev/{name.replace('_', '-')}": value for name, value in values.items()}
    simulated.patch("web-1", {"metadata": {"annotations": named}})


def changes(simulated: SimulatedCluster) -> int:
    """Return how many requests of the operator could have changed something, or were about one stack."""
    log = simulated.project.simulator.do(lambda control: control.calls.log("stoker/"))
    return sum(1 for call in log if not call["kind"].startswith("GET") and "/heat/" in call["kind"])


def operation(simulated: SimulatedCluster, kind: str) -> dict[str, Any]:
    """Return the record of the one operation of that type."""
    (found,) = (o for o in simulated.operations() if o["spec"]["type"] == kind)
    status: dict[str, Any] = found["status"]
    return status


def told(simulated: SimulatedCluster) -> list[dict[str, Any]]:
    """Return what the VM says of what Heat did."""
    vm = simulated.vm()
    events: list[dict[str, Any]] = vm["status"].get("events", []) if vm else []
    return events


def test_a_paused_vm_is_left_alone_also_when_it_is_deleted(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    annotate(simulated, paused="true")
    assert simulated.wait_reason("Paused")["status"] == "True"
    before = changes(simulated)

    simulated.patch("web-1", {"spec": {"flavor": "m1.small"}})
    wait_until("the edit to be held back", lambda: simulated.condition(kind="Stalled")["reason"] == "Paused")
    simulated.delete("web-1")
    wait_until("the deletion to be held back", lambda: "delete operation" in simulated.condition()["message"])
    assert changes(simulated) == before
    assert [stack.status for stack in simulated.stacks()] == ["CREATE_COMPLETE"]

    annotate(simulated, paused=None)
    simulated.wait_gone()
    assert simulated.stacks() == []


def test_the_answer_to_what_was_sent_before_a_pause_is_recorded(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    held = simulated.project.simulator.fail("late-answer", "POST", "/stacks$")
    simulated.create()
    wait_until("a stack", simulated.stacks)
    annotate(simulated, paused="true")

    simulated.project.simulator.do(Control.release, held)

    wait_until("the answer's record", lambda: operation(simulated, "Create").get("outcome") == "Accepted")
    assert simulated.wait_reason("Paused")["status"] == "False"
    annotate(simulated, paused=None)
    simulated.wait_active("web-1")
    assert len(simulated.stacks()) == 1


def test_a_create_that_waits_is_tried_now_when_asked_and_once_for_each_value(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.project.simulator.fail("fails", "POST", "/stacks$", reason="no-valid-host", times=2)
    simulated.create()
    simulated.wait_reason("NoValidHost")  # the next try is a minute away
    newest, *older = told(simulated)
    assert (newest["status"], newest["resource"]) == ("CREATE_FAILED", simulated.stacks()[0].name)
    assert any(one["resource"] == "server" and "No valid host" in one.get("reason", "") for one in older)

    annotate(simulated, retry="first")
    wait_until("a second failure", lambda: operation(simulated, "Create").get("failedStacks") == 2)
    simulated.wait_reason("NoValidHost")
    assert operation(simulated, "Create")["retry"] == "first"

    annotate(simulated, retry="second")
    simulated.wait_active("web-1")
    ended = operation(simulated, "Create")
    assert (ended["state"], ended["attempts"], ended["retry"]) == ("Succeeded", 3, "second")
    assert told(simulated) == []


def test_an_operation_that_failed_for_good_is_opened_again_when_asked(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.project.simulator.fail("status", "POST", "/stacks$", status=400, message="no such thing")
    simulated.create()
    simulated.wait_reason("InvalidSpec")
    assert operation(simulated, "Create")["state"] == "Failed"

    annotate(simulated, retry="1")

    simulated.wait_active("web-1")
    ended = operation(simulated, "Create")
    assert (ended["state"], ended["attempts"]) == ("Succeeded", 2)


def test_an_update_and_a_deletion_that_failed_are_tried_now_when_asked(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    simulated.project.simulator.fail("fails", "PUT", "/stacks/[^/]+/[^/]+$", reason="no-valid-host")
    simulated.patch("web-1", {"spec": {"flavor": "m1.small"}})
    simulated.wait_reason("NoValidHost")
    annotate(simulated, retry="1")
    simulated.wait_active("web-1")
    assert operation(simulated, "Update")["attempts"] == 2

    simulated.project.simulator.fail("fails", "DELETE", "/stacks/", reason="port in use")
    simulated.delete("web-1")
    simulated.wait_reason("StackFailed")
    annotate(simulated, retry="2")
    simulated.wait_gone()
    assert operation(simulated, "Delete")["retry"] == "2"


def test_a_vm_whose_credentials_are_gone_is_abandoned_by_its_id_and_the_stack_is_left(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    (stack,) = simulated.stacks()
    vm = simulated.vm()
    assert vm is not None
    vm_id = vm["metadata"]["annotations"]["stoker.dev/id"]
    simulated.project.simulator.do(Control.revoke, simulated.project.application_credential_id)
    simulated.delete("web-1")
    wait_until("the way out", lambda: f"stoker.dev/abandon={vm_id}" in simulated.condition()["message"])
    annotate(simulated, abandon="another")
    wait_until("the wrong id to be said", lambda: "does nothing" in simulated.condition()["message"])
    annotate(simulated, abandon=vm_id)

    simulated.wait_gone()
    assert [left.id for left in simulated.stacks()] == [stack.id]
    record = operation(simulated, "Delete")
    assert (record["state"], record["abandoned"], record["retained"], record["stackID"]) == (
        "Succeeded", True, True, stack.id,
    )  # fmt: skip
    wait_until("the Event", lambda: "Abandoned" in {event["reason"] for event in simulated.events()})


def test_a_protected_vm_that_is_deleted_keeps_its_stack_until_the_protection_is_lifted(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    simulated.patch("web-1", {"spec": {"terminationProtection": True}})
    with pytest.raises(SystemExit, match="web-1 is protected, whoever deletes it"):
        simulated.delete("web-1")

    # A deletion that began before, or where the admission policies are not installed.
    held = {"metadata": {"annotations": {"stoker.dev/paused": "true"}}}
    simulated.patch("web-1", {**held, "spec": {"terminationProtection": False}})
    simulated.wait_reason("Paused")
    simulated.delete("web-1")
    simulated.patch("web-1", {"spec": {"terminationProtection": True}})
    simulated.patch("web-1", {"metadata": {"annotations": {"stoker.dev/paused": None}}})
    simulated.wait_reason("TerminationProtected")
    assert [stack.status for stack in simulated.stacks()] == ["CREATE_COMPLETE"]

    simulated.patch("web-1", {"spec": {"terminationProtection": False}})
    simulated.wait_gone()
    assert simulated.stacks() == []
