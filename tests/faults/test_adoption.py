"""Adoption of a stack, and idempotency keys, on the real API server with a cloud that fails on request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.control import Control
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes


def apply(simulated: SimulatedCluster, name: str, annotations: dict[str, str], **spec: Any) -> None:
    """Apply a VM with annotations of Stoker's."""
    manifest = simulated.manifest(name, **spec)
    manifest["metadata"]["annotations"] = {f"stoker.dev/{key}": value for key, value in annotations.items()}
    simulated.kubectl("apply", "-f", "-", text=json.dumps(manifest))


def orphaned(simulated: SimulatedCluster) -> str:
    """Make a VM, let go of it and keep its stack, then take the stack's tags away; return the stack's id."""
    simulated.create("old", deletionPolicy="Retain")
    simulated.wait_active("old")
    simulated.delete("old")
    simulated.wait_gone()
    (stack,) = simulated.stacks()

    def untag(control: Control) -> None:
        control.cloud.stacks.retag(control.cloud.stacks.by_id[stack.id], ("legacy",))

    simulated.project.simulator.do(untag)
    return stack.id


def servers(simulated: SimulatedCluster) -> int:
    projects = simulated.project.simulator.do(Control.state)["projects"]
    found: int = next(p for p in projects if p["name"] == simulated.name)["servers"]
    return found


def test_an_adoption_whose_answer_is_lost_gives_one_vm_the_stack_and_rebuilds_nothing(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    stack_id = orphaned(simulated)
    simulated.project.simulator.fail("lost-answer", "PATCH", "/stacks/")

    apply(simulated, "new", {"adopt-stack": stack_id})
    simulated.wait_active("new")

    (stack,) = simulated.stacks()
    vm = simulated.vm("new")
    assert vm is not None
    assert stack.id == vm["status"]["stack"]["id"] == stack_id
    assert stack.name == vm["status"]["stack"]["name"] != f"vm-{vm['metadata']['uid']}"
    assert f"stoker-vm={vm['metadata']['uid']}" in stack.tags
    assert servers(simulated) == 1
    simulated.delete("new")
    simulated.wait_gone()
    assert simulated.stacks() == []


def test_a_stack_that_two_ask_for_is_adopted_by_the_first_alone(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    stack_id = orphaned(simulated)
    apply(simulated, "first", {"adopt-stack": stack_id})
    simulated.wait_active("first")

    apply(simulated, "second", {"adopt-stack": stack_id})

    assert f"{simulated.name}/first has it" in simulated.wait_reason("AdoptionRefused", "second")["message"]
    simulated.delete("second")
    wait_until("the second to be gone", lambda: simulated.vm("second") is None)
    assert [stack.id for stack in simulated.stacks()] == [stack_id]
    assert simulated.condition("first")["status"] == "True"


def test_a_key_used_twice_makes_one_stack_and_the_second_vm_names_the_first(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    apply(simulated, "first", {"idempotency-key": "order-7"})
    simulated.wait_active("first")

    apply(simulated, "again", {"idempotency-key": "order-7"})
    apply(simulated, "other", {"idempotency-key": "order-7"}, flavor="m1.small")

    again, other = (simulated.wait_reason("IdempotencyConflict", name)["message"] for name in ("again", "other"))
    assert ("VM first" in again, "the same spec" in again, "another spec" in other) == (True, True, True)
    (create,) = simulated.operations()
    assert create["spec"]["idempotencyKey"] == "order-7"
    assert len(simulated.stacks()) == 1

    simulated.delete("first")
    wait_until("the first to be gone", lambda: simulated.vm("first") is None)
    apply(simulated, "late", {"idempotency-key": "order-7"})
    simulated.wait_reason("IdempotencyConflict", "late")
    assert simulated.stacks() == []


def test_of_many_vms_with_one_key_at_once_one_gets_a_stack(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    for number in range(5):
        apply(simulated, f"web-{number}", {"idempotency-key": "order-8"})

    def reasons() -> list[str]:
        return sorted(simulated.condition(f"web-{number}")["reason"] for number in range(5))

    wait_until("one to be Active", lambda: reasons() == ["Active", *["IdempotencyConflict"] * 4])
    assert len(simulated.stacks()) == 1
