"""What the table of scenarios leaves open: the edges of every span, and the fields of actions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.test_scenarios import ADOPTING, HELD_ADOPTION, NOBODYS, adoption
from stoker.api.errors import ErrorCode
from stoker.api.operation import OperationType
from stoker.api.virtualmachine import StackStatus
from stoker.core import retry
from stoker.core.actions import (
    Claim,
    CreateStack,
    DeleteStack,
    Left,
    LookById,
    LookByName,
    LookToAdopt,
    Nothing,
    PreviewUpdate,
    Release,
    Settle,
)
from stoker.core.common import call_failed
from stoker.core.decide import decide
from stoker.core.decision import Outlook
from stoker.core.faults import Fault
from stoker.core.quota import Denied, Unjudged
from stoker.core.stack import Outputs, Preview, Probe, Unknown
from stoker.core.world import Accepted, Held, Refused, World
from support.build import CLOCK, CREATE, DELETE, INPUTS, NOW, UID, active, listing, operation, stack, vm, world

OPEN, OPEN_DELETE = operation(), operation(OperationType.DELETE)
ACCEPTED = operation(outcome="Accepted", stack_id="s1")
DONE = operation(state="Succeeded", outcome="Accepted", stack_id="s1")
HELD = Held(CREATE, 1, since=CLOCK - 10)
HELD_DELETE = Held(DELETE, 1, since=CLOCK - 10)
GOING = active(deleting=True)
FOREIGN = stack(ours=False)


def failed(due_in: float = 0.0, **more: object):
    """Return a create whose last attempt failed and whose next one is due in so many seconds."""
    due = NOW + timedelta(seconds=due_in)
    return operation(**{"outcome": "Failed", "last_error": "NoValidHost", "next_retry_time": due, **more})


def waited(seconds: float, **more: object) -> World:
    """Return the world of an unanswered create that is so old, with a listing of this instant."""
    return world(operations=(OPEN,), unresolved_since=CLOCK - seconds, listing=listing(as_of=CLOCK), **more)


def named(as_of: float, *stacks) -> World:
    """Return the world of a held claim, with a look by name that began then."""
    return world(operations=(OPEN,), held=HELD, named=listing(*stacks, as_of=as_of))


def deleting(status: str, since: float, **more: object) -> World:
    held = replace(HELD_DELETE, since=CLOCK - since)
    return world(GOING, stack(status), operations=(DONE, OPEN_DELETE), held=held, **more)


def asked_to_delete(last_effect: float) -> World:
    """Return the world of a failed deletion that was claimed 3 s ago for a request, and when one was sent last."""
    machine, delete = active(deleting=True, asked={"retry": "1"}), operation(OperationType.DELETE, retry="1")
    held = replace(HELD_DELETE, since=CLOCK - 3)
    known = {"operations": (DONE, delete), "held": held, "last_effect": last_effect, "effects": 1}
    return world(machine, stack("DELETE_FAILED"), **known)


def in_progress(seconds: float, status: str = "CREATE_IN_PROGRESS", **more: object) -> World:
    return world(None, stack(status, created=NOW - timedelta(seconds=seconds)), operations=(ACCEPTED,), **more)


def probed(as_of: float, **more: object) -> World:
    return world(active(), operations=(DONE,), probe=Probe(as_of, "s1", None), **more)


NO_FLAVOR = Fault(ErrorCode.FLAVOR_NOT_FOUND, "no flavor")
REFUSED_FOR = retry.delay(NO_FLAVOR, 1, UID)


def refused(seconds: float) -> World:
    """Return the world of an edit whose preview Heat refused that long ago."""
    preview = Preview(CLOCK - seconds, "s1", INPUTS.hash, NO_FLAVOR)
    return world(
        active(generation=2), stack(inputs="other"), operations=(DONE,), preview=preview, outputs=Outputs("server")
    )


EDGES: dict[str, tuple[World, type, str]] = {
    "a refused preview is not repeated before its pause": (refused(REFUSED_FOR - 0.001), Nothing, "FlavorNotFound"),
    "a refused preview is repeated after its pause": (refused(REFUSED_FOR), PreviewUpdate, "Previewing"),
    "a look that began with the claim is not newer": (named(HELD.since), LookByName, "Looking"),
    "a look that began after the claim is": (named(HELD.since + 0.001), CreateStack, "Creating"),
    "a foreign stack seen before the claim proves nothing": (
        named(HELD.since, FOREIGN),
        LookByName,
        "Looking",
    ),
    "a foreign stack of another name is nobody's concern": (
        named(CLOCK - 1, replace(FOREIGN, name="vm-x")),
        CreateStack,
        "Creating",
    ),
    "a stack in another project is foreign": (
        named(CLOCK - 1, stack(project="other")),
        Settle,
        "NameConflict",
    ),
    "another attempt's claim is not held": (
        world(operations=(operation(attempts=2),), held=HELD, named=listing(), unresolved_since=CLOCK),
        Nothing,
        "AwaitingAnswer",
    ),
    "another attempt's answer is not recorded": (
        world(
            operations=(operation(attempts=2),),
            held=replace(HELD, sent=True, answer=Accepted("s1")),
            unresolved_since=CLOCK,
        ),
        Nothing,
        "AwaitingAnswer",
    ),
    "a foreign stack does not end a create that was sent": (
        world(operations=(OPEN,), held=replace(HELD, sent=True), named=listing(FOREIGN), unresolved_since=CLOCK - 10),
        Nothing,
        "AwaitingAnswer",
    ),
    "a foreign stack that nobody claimed against does not stop a claim": (
        world(named=listing(FOREIGN)),
        Claim,
        "Claiming",
    ),
    "a create may land until its deadline": (waited(119.9), Nothing, "AwaitingAnswer"),
    "a look at the deadline proves no absence": (waited(120.0), Nothing, "AwaitingAnswer"),
    "a look after the deadline does": (waited(120.1), Settle, "Timeout"),
    "a failed attempt waits until its time": (world(operations=(failed(1.0),)), Nothing, "NoValidHost"),
    "a failed attempt is due at its time": (world(operations=(failed(0.0),)), Claim, "Claiming"),
    "a failed attempt without a time is due": (world(operations=(failed(next_retry_time=None),)), Claim, "Claiming"),
    "an action in progress is not stuck at its time-out": (in_progress(3900), Nothing, "InProgress"),
    "an action in progress is stuck after its time-out": (in_progress(3901), Claim, "Stuck"),
    "a clean-up of an old stack that we just asked for is not stuck": (
        in_progress(4300, "DELETE_IN_PROGRESS", last_effect=CLOCK - 2),
        Nothing,
        "InProgress",
    ),
    "a clean-up is stuck when its own time-out has passed": (
        world(
            None,
            operations=(ACCEPTED,),
            last_effect=CLOCK,
            clock=CLOCK + 3901,
            listing=listing(stack("DELETE_IN_PROGRESS", created=NOW - timedelta(hours=3)), as_of=CLOCK + 3900),
        ),
        DeleteStack,
        "Stuck",
    ),
    "a clean-up is not stuck at its time-out": (
        world(
            None,
            operations=(ACCEPTED,),
            last_effect=CLOCK,
            clock=CLOCK + 3900,
            listing=listing(stack("DELETE_IN_PROGRESS", created=NOW - timedelta(hours=3)), as_of=CLOCK + 3900),
        ),
        Nothing,
        "InProgress",
    ),
    "an action of unknown age is not stuck": (
        world(None, stack("CREATE_IN_PROGRESS", created=None), operations=(ACCEPTED,)),
        Nothing,
        "InProgress",
    ),
    "a look that began when our last effect ended does not count": (
        world(last_effect=CLOCK - 1),
        Nothing,
        "Looking",
    ),
    "a failed clean-up is repeated after 15 s": (
        world(None, stack("DELETE_FAILED"), operations=(failed(),), last_effect=CLOCK - 15, effects=1),
        DeleteStack,
        "CleaningUp",
    ),
    "a double that could not be deleted is removed after 15 s": (
        world(
            active(),
            stack("DELETE_FAILED", id="s0"),
            stack(),
            operations=(DONE,),
            last_effect=CLOCK - 15,
            effects=1,
        ),
        DeleteStack,
        "DuplicateStacks",
    ),
    "a look by id holds for 15 s": (
        world(active(), operations=(DONE,), probe=Probe(CLOCK - 15, "s1", stack())),
        Nothing,
        "Looking",
    ),
    "a look that began with a delete's claim is not newer": (
        world(GOING, stack(), operations=(DONE, OPEN_DELETE), held=replace(HELD_DELETE, since=CLOCK - 1)),
        Nothing,
        "Looking",
    ),
    "a look by id from before our last effect proves nothing": (
        probed(CLOCK - 5, last_effect=CLOCK - 5),
        LookById,
        "Looking",
    ),
    "a look by id after our last effect does": (probed(CLOCK - 4, last_effect=CLOCK - 5), Claim, "StackMissing"),
    "a look at another stack proves nothing": (
        world(active(), operations=(DONE,), probe=Probe(CLOCK - 1, "s2", None)),
        LookById,
        "Looking",
    ),
    "a deletion is not asked for again before its time": (deleting("DELETE_IN_PROGRESS", 599.9), Nothing, "Deleting"),
    "a deletion is asked for again at its time": (deleting("DELETE_IN_PROGRESS", 600), DeleteStack, "Deleting"),
    "a first failed deletion waits for 15 s": (
        deleting("DELETE_FAILED", 500, last_effect=CLOCK - 14.9, effects=1),
        Nothing,
        "StackFailed",
    ),
    "a first failed deletion is repeated after 15 s": (
        deleting("DELETE_FAILED", 500, last_effect=CLOCK - 15, effects=1),
        DeleteStack,
        "Deleting",
    ),
    "no failed deletion waits for more than 5 min": (
        deleting("DELETE_FAILED", 500, last_effect=CLOCK - 300, effects=1000),
        DeleteStack,
        "Deleting",
    ),
    "a request that the last deletion answered hurries no other": (
        asked_to_delete(CLOCK - 3),
        Nothing,
        "StackFailed",
    ),
    "a request that was claimed after the last deletion does": (
        asked_to_delete(CLOCK - 3.001),
        DeleteStack,
        "Deleting",
    ),
    "a look at a stack to adopt holds for a minute": (
        world(ADOPTING, candidate=replace(NOBODYS, as_of=CLOCK - 60)),
        Claim,
        "Claiming",
    ),
    "a look that began with an adoption's claim is not newer": (
        world(ADOPTING, operations=(adoption(),), held=replace(HELD_ADOPTION, since=CLOCK - 5), candidate=NOBODYS),
        LookToAdopt,
        "Looking",
    ),
    "a key of 255 characters is one": (world(vm(asked={"idempotency-key": "k" * 255})), Claim, "Claiming"),
    "the second stack of a VM is deleted while the first one goes": (
        world(GOING, stack("DELETE_IN_PROGRESS"), stack(id="s2"), operations=(DONE, OPEN_DELETE), held=HELD_DELETE),
        DeleteStack,
        "Deleting",
    ),
}


@pytest.mark.parametrize(("snapshot", "action", "reason"), EDGES.values(), ids=EDGES)
def test_edge(snapshot: World, action: type, reason: str) -> None:
    decision = decide(snapshot)
    assert (type(decision.action), decision.reason.value) == (action, reason)


def settled(snapshot: World) -> Settle:
    """Return the record that a decision asks for."""
    action = decide(snapshot).action
    assert isinstance(action, Settle)
    return action


def test_an_accepted_create_is_recorded_with_its_stack() -> None:
    answered = world(operations=(OPEN,), held=replace(HELD, sent=True, answer=Accepted("s9")))
    assert settled(answered) == Settle(CREATE, "Running", "Accepted", "s9")


def test_a_refusal_that_may_pass_is_recorded_with_its_next_time() -> None:
    refused = Refused(Fault(ErrorCode.RATE_LIMITED, "create: slow down", retry_after=90.0))
    made = settled(world(operations=(OPEN,), held=replace(HELD, sent=True, answer=refused)))
    assert made == Settle(
        CREATE,
        "Running",
        "Failed",
        None,
        "RateLimited",
        "create: slow down",
        NOW + timedelta(seconds=90),
        failed_stacks=0,
    )


def test_a_refusal_for_good_has_no_next_time() -> None:
    refused = Refused(Fault(ErrorCode.INVALID_SPEC, "create: no"))
    made = settled(world(operations=(OPEN,), held=replace(HELD, sent=True, answer=refused)))
    assert (made.state, made.next_retry_time) == ("Failed", None)


def test_five_failed_stacks_are_enough() -> None:
    for failed_before, state in ((0, "Running"), (3, "Running"), (4, "Failed")):
        create = operation(outcome="Accepted", stack_id="s1", failed_stacks=failed_before)
        made = settled(world(None, stack("CREATE_FAILED"), operations=(create,)))
        assert (made.state, made.stack_id, made.error) == (state, "s1", "StackFailed")
        assert made.failed_stacks == failed_before + 1


def test_an_operation_s_record_says_how_it_ended() -> None:
    gone = Probe(CLOCK - 1, "s1", None)
    assert settled(world(GOING, operations=(DONE, OPEN_DELETE), probe=gone)).state == "Succeeded"
    assert settled(world(GOING, operations=(failed(),), probe=gone)).state == "Failed"


def test_a_failure_without_a_record_of_its_reason_is_said_all_the_same() -> None:
    decision = decide(world(operations=(operation(state="Failed", outcome="Failed"),)))
    assert decision.reason == "Unknown"
    assert decision.message.startswith("the last attempt failed")
    told = decide(world(operations=(operation(state="Failed", outcome="Failed", message="no disk"),)))
    assert told.message.startswith("no disk")


def test_what_failed_while_it_was_looked_at_is_unknown_unless_it_is_going() -> None:
    fault = Fault(ErrorCode.CLOUD_UNAVAILABLE, "down")
    assert call_failed(world(active()), fault, 1).outlook is Outlook.UNKNOWN
    assert call_failed(world(GOING), fault, 1).outlook is Outlook.RETRYING
    unwritten = Fault(ErrorCode.AUDIT_UNAVAILABLE, "disk full")
    assert call_failed(world(active()), unwritten, 1).outlook is Outlook.RETRYING


def test_what_acts_is_followed_by_a_pass_and_needs_no_time() -> None:
    assert decide(world(GOING)).requeue_after is None
    assert decide(world(GOING, stack("DELETE_IN_PROGRESS"), operations=(OPEN_DELETE,), held=HELD_DELETE)).requeue_after


def test_refusals_do_not_count_as_failed_stacks() -> None:
    held = replace(HELD, attempt=99, sent=True, answer=Refused(Fault(ErrorCode.CLOUD_UNAVAILABLE, "down")))
    made = settled(world(operations=(operation(attempts=99, failed_stacks=4),), held=held))
    assert (made.state, made.failed_stacks) == ("Running", 4)
    reopened = operation(attempts=99, failed_stacks=5)
    assert settled(world(operations=(reopened,), held=held)).state == "Running"
    after_refusals = operation(outcome="Accepted", stack_id="s1", attempts=99)
    assert settled(world(None, stack("CREATE_FAILED"), operations=(after_refusals,))).state == "Running"


def test_the_next_attempt_is_of_the_same_operation() -> None:
    create = failed(attempts=3)
    assert decide(world(operations=(create,))).action == Claim(CREATE, create.spec, 4)


def test_a_delete_is_claimed_for_this_very_object() -> None:
    action = decide(world(GOING, stack(), operations=(DONE,))).action
    assert isinstance(action, Claim)
    assert (action.operation, action.spec.type, action.spec.cause, action.attempt) == (DELETE, "Delete", UID, 1)


def test_of_unrecorded_stacks_the_earliest_is_kept() -> None:
    late = stack(id="a-late")
    early = stack(id="z-early", created=NOW - timedelta(hours=1))
    assert decide(world(None, late, early)).action == DeleteStack(late.name, "a-late")


def test_of_unrecorded_stacks_an_undated_one_is_not_kept() -> None:
    dated, undated = stack(id="z"), stack(id="a", created=None)
    assert decide(world(None, dated, undated)).action == DeleteStack(undated.name, "a")


def test_the_operation_knows_the_stack_better_than_the_status() -> None:
    newer = operation(state="Succeeded", outcome="Accepted", stack_id="s2")
    assert decide(world(active(), operations=(newer,))).action == LookById("s2")


def test_pauses_end_when_their_reason_does() -> None:
    assert decide(waited(100)).requeue_after == pytest.approx(20)
    assert decide(world(operations=(failed(42),))).requeue_after == pytest.approx(42)
    late = world(operations=(OPEN,), unresolved_since=CLOCK - 200, listing=listing(as_of=CLOCK - 90))
    assert decide(late).requeue_after == pytest.approx(1)


def test_a_stack_that_is_left_is_named_by_the_release_so_that_it_is_marked_first() -> None:
    retained = operation(OperationType.DELETE, state="Succeeded", retained=True)
    retaining = active(deleting=True, spec={"deletionPolicy": "Retain"})
    assert decide(world(retaining, stack(name="other"), operations=(DONE, retained))).action == Release(
        Left("s1", "other")
    )
    down = Unknown(Fault(ErrorCode.CLOUD_UNAVAILABLE, "down"))
    recorded = StackStatus(name="adopted", id="s1")
    for machine, left in (
        (active(deleting=True, asked={"abandon": UID}, stack=recorded), Left("s1", "adopted", abandoned=True)),
        (active(deleting=True, asked={"abandon": UID}, stack=None), Left("s1", f"vm-{UID}", abandoned=True)),
        (
            active(deleting=True, asked={"abandon": UID}, stack=StackStatus(name="old", id="s0")),
            Left("s1", f"vm-{UID}", abandoned=True),
        ),
    ):
        assert decide(world(machine, listing=down, operations=(DONE, retained))).action == Release(left)
    unknown = active(deleting=True, asked={"abandon": UID}, stack=None)
    ended = operation(OperationType.DELETE, state="Succeeded")
    assert decide(world(unknown, listing=down, operations=(ended,))).action == Release(
        Left("", f"vm-{UID}", abandoned=True)
    )


def test_another_stack_of_the_vm_gives_what_is_left_no_name() -> None:
    machine = active(deleting=True, asked={"abandon": UID}, stack=None)
    ended = operation(OperationType.DELETE, state="Succeeded")
    seen = world(machine, stack(id="s0", name="another"), operations=(DONE, ended))
    assert decide(seen).action == Release(Left("s1", f"vm-{UID}", abandoned=True))


def test_whom_the_quota_refused_is_not_looked_at_again_by_time() -> None:
    no_room = Denied(Fault(ErrorCode.QUOTA_EXCEEDED, "no room"))
    unknown = Denied(Fault(ErrorCode.FLAVOR_NOT_FOUND, "size not known"))
    assert decide(world(quota=no_room)).requeue_after is None
    assert decide(world(quota=unknown)).requeue_after
    assert not decide(world(quota=Unjudged())).moving


def test_neither_a_create_nor_the_delete_of_another_life_is_taken_for_the_delete() -> None:
    ended = {"state": "Succeeded", "outcome": "Accepted", "stack_id": "s1"}
    for other in (operation(cause=UID, **ended), operation(OperationType.DELETE, cause="another life", **ended)):
        action = decide(world(active(deleting=True), stack(), operations=(DONE, other))).action
        assert isinstance(action, Claim)
        assert (action.operation, action.attempt) == (DELETE, 1)
