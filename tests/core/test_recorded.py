"""What is recorded: every action that changes a cloud or ends our care for a stack, with who asked, and no secret."""

from __future__ import annotations

import json

import pytest

from stoker.api.operation import OperationType
from stoker.audit.files import LONGEST_LINE
from stoker.core.actions import (
    Action,
    AdoptStack,
    Claim,
    ConvergeStack,
    CreateStack,
    DeleteStack,
    Enroll,
    Left,
    LookAtResources,
    LookById,
    LookByName,
    MarkUnhealthy,
    Nothing,
    PowerServer,
    ReadEvents,
    ReadOutputs,
    Release,
    Retain,
    Settle,
    UpdateStack,
)
from stoker.core.audit import Head, Kind, Outcome, Record, seal
from stoker.core.decision import Decision, Reason
from stoker.core.inputs import Inputs
from stoker.core.orphans import Doomed, Why
from stoker.core.recorded import DELETE_REQUESTED_BY, LONGEST_NAME, REQUESTED_BY, intent, orphan, outcome, requester
from stoker.core.server import PowerAction
from stoker.core.world import World
from support.build import CREATE, DELETE, INPUTS, UID, active, operation, stack, vm, world

SPEC = operation(OperationType.DELETE).spec
DELETING = world(active(), operations=(operation(outcome="Accepted", stack_id="s1"), operation(OperationType.DELETE)))


def recorded(action: Action, seen: World | None = None) -> Record | None:
    decision = Decision(action, Reason.DELETING, "message")
    return intent(seen or world(), decision, holder="replica-1_0a0b", epoch=3, time="t")


def test_a_create_is_recorded_with_operation_attempt_template_and_the_hash_of_its_inputs() -> None:
    assert recorded(CreateStack(CREATE, 2, INPUTS), world(vm(spec={"plan": "gold"}))) == Record(
        kind=Kind.INTENT, action="CreateStack", time="t", holder="replica-1_0a0b", epoch=3, reason="Deleting",
        requested_by="unknown", project="project", namespace="team-a", vm="web-1", vm_id=UID, generation=1, plan="gold",
        operation=CREATE, attempt=2, template_version="ubuntu-basic@v1", inputs_hash=INPUTS.hash,
    )  # fmt: skip


RECORDED: dict[str, tuple[Action, str, str, str]] = {
    "an update": (UpdateStack(CREATE, 2, "vm-1", "s2", INPUTS), "UpdateStack", CREATE, "s2"),
    "an adoption": (AdoptStack(CREATE, 2, "legacy-1", "s2"), "AdoptStack", CREATE, "s2"),
    "an abandoned VM": (Retain(DELETE, SPEC, None, abandoned=True), "Abandon", DELETE, ""),
    "a deletion that ends with the VM abandoned": (
        Settle(DELETE, "Succeeded", "Accepted", "s1", retained=True, abandoned=True), "Abandon", DELETE, "s1",
    ),
    "a repair of a stack": (ConvergeStack(CREATE, 2, "vm-1", "s2", ()), "ConvergeStack", CREATE, "s2"),
    "a mark": (MarkUnhealthy("vm-1", "s2", "server"), "MarkUnhealthy", CREATE, "s2"),
    "a stop": (PowerServer(CREATE, 2, "s2", "server", PowerAction.STOP), "PowerServer", CREATE, "s2"),
    "a delete": (DeleteStack("vm-1", "s2"), "DeleteStack", CREATE, "s2"),
    "a retained stack": (Retain(DELETE, SPEC, "s1"), "Retain", DELETE, "s1"),
    "a delete that ends with the stack retained": (
        Settle(DELETE, "Succeeded", "Accepted", "s1", retained=True), "Retain", DELETE, "s1",
    ),
    "a release": (Release(), "Release", CREATE, "s1"),
    "a release that leaves a stack": (Release(Left("s2", "vm-1")), "Release", CREATE, "s2"),
}  # fmt: skip


@pytest.mark.parametrize(("action", "name", "operation_id", "stack_id"), RECORDED.values(), ids=RECORDED)
def test_what_ends_a_stack_or_our_care_for_it_is_recorded(action, name, operation_id, stack_id) -> None:
    record = recorded(action, DELETING)
    assert record is not None
    assert (record.action, record.operation, record.stack_id) == (name, operation_id, stack_id)
    assert record.template_version == "ubuntu-basic@v1"


def test_what_is_done_within_the_stack_is_told_with_its_operation() -> None:
    job = operation(OperationType.REPAIR, cause=f"{UID}/1/missing/1")
    mark = recorded(MarkUnhealthy("vm-1", "s1", "server"), world(active(), operations=(operation(), job)))
    stop = recorded(PowerServer(CREATE, 2, "s1", "id-1", PowerAction.STOP))
    assert mark is not None
    assert stop is not None
    assert (mark.operation, mark.detail) == (job.metadata.name, "server")
    assert (stop.attempt, stop.detail) == (2, "stop id-1")


def test_a_delete_of_a_deleted_vm_belongs_to_its_delete_operation() -> None:
    seen = world(active(deleting=True), operations=(operation(), operation(OperationType.DELETE)))
    record = recorded(Release(), seen)
    assert record is not None
    assert record.operation == DELETE


def test_the_release_of_what_never_had_a_stack_names_none() -> None:
    record = recorded(Release())
    assert record is not None
    assert (record.operation, record.stack_id, record.template_version) == ("", "", "")


@pytest.mark.parametrize(
    "action",
    [
        Nothing(), Enroll(UID), Claim(CREATE, SPEC, 1), Settle(CREATE, "Running", "Accepted"), LookByName(),
        LookById("s1"), ReadOutputs("s1"), LookAtResources("s1"), ReadEvents(stack("CREATE_FAILED")),
    ],
    ids=lambda action: type(action).__name__,
)  # fmt: skip
def test_what_changes_no_cloud_is_not_recorded(action: Action) -> None:
    assert recorded(action) is None


@pytest.mark.parametrize(
    ("said", "kept"),
    [("alice@example.org", "alice@example.org"), ("", "unknown"), ("a\nb", "a b"), ("x" * 999, None)],
)
def test_who_asked_is_what_the_annotation_says_in_one_bounded_line(said: str, kept: str | None) -> None:
    machine = vm()
    machine.metadata.annotations[REQUESTED_BY] = said
    record = recorded(Release(), world(machine))
    assert record is not None
    assert record.requested_by == (kept or "x" * (LONGEST_NAME - 1) + "…")


ASKED = {REQUESTED_BY: "alice", DELETE_REQUESTED_BY: "bob"}


@pytest.mark.parametrize(
    ("deleting", "annotations", "name"),
    [
        (False, ASKED, "alice"),
        (True, ASKED, "bob"),
        (True, {REQUESTED_BY: "alice"}, "unknown"),
        (False, {DELETE_REQUESTED_BY: "bob"}, "unknown"),
    ],
)
def test_who_deleted_a_vm_is_who_said_so_and_never_who_edited_it_last(deleting, annotations, name) -> None:
    machine = vm(deleting=deleting)
    machine.metadata.annotations.update(annotations)
    assert requester(machine) == name


def test_no_byte_of_the_parameters_is_in_the_line() -> None:
    secret = Inputs("ubuntu-basic@v1", "template", {"user_data": "hunter22"})
    record = recorded(CreateStack(CREATE, 1, secret))
    assert record is not None
    line, _ = seal(record, Head("c1"))
    assert b"hunter22" not in line
    assert json.loads(line)["inputs_hash"] == secret.hash


def test_a_stack_without_an_object_is_deleted_in_the_operator_s_name() -> None:
    doomed = Doomed(stack(id="s9"), Why.ORPHAN)
    assert orphan(doomed, holder="replica-1_0a0b", epoch=3, time="t") == Record(
        kind=Kind.INTENT, action="DeleteStack", time="t", holder="replica-1_0a0b", epoch=3, reason="Orphan",
        requested_by="operator", project="project", vm_id=UID, operation=CREATE, stack_id="s9",
    )  # fmt: skip


def test_an_outcome_repeats_its_intent_and_says_what_came_of_it() -> None:
    of = recorded(CreateStack(CREATE, 1, INPUTS))
    assert of is not None
    done = outcome(of, 17, Outcome.ACCEPTED, time="later", stack_id="s1", request_id="req-1\n")
    assert (done.kind, done.intent, done.outcome, done.time) == (Kind.OUTCOME, 17, "Accepted", "later")
    assert (done.stack_id, done.request_id, done.operation) == ("s1", "req-1", CREATE)
    refused = outcome(recorded(DeleteStack("n", "s2")), 18, Outcome.REFUSED, time="later", error="Conflict")  # type: ignore[arg-type]
    assert (refused.stack_id, refused.error, refused.outcome) == ("s2", "Conflict", "Refused")


def test_no_line_is_longer_than_what_is_read_as_one() -> None:
    of = recorded(DeleteStack("n", "s2"))
    assert of is not None
    said = "x" * 100_000
    line, _ = seal(outcome(of, 1, Outcome.REFUSED, time="t", error=said, request_id=said), Head("c1"))
    assert len(line) < LONGEST_LINE
