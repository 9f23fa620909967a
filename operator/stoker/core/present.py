"""Rules for a VM that shall exist. `decide.PRESENT` gives their order, which is behaviour."""

from __future__ import annotations

from stoker.api.errors import ErrorCode
from stoker.api.operation import AttemptOutcome, OperationState, OperationType
from stoker.api.virtualmachine import MissingPolicy, PowerState
from stoker.core.actions import CreateStack, DeleteStack, Enroll, LookByName, Nothing, ReadEvents, ReadOutputs, Settle
from stoker.core.adopt import is_for
from stoker.core.claims import first_claim, next_claim
from stoker.core.classify import classify_reason
from stoker.core.common import (
    LOOK_AGAIN,
    Failure,
    failed_attempt,
    lost_fault,
    next_double_removed,
    not_due,
    not_yet_proven_gone,
    parked,
    pause_after_failed_delete,
    progress,
    recorded_failure,
    recorded_fault,
    trouble,
    waits_for_the_answer,
)
from stoker.core.decision import Decision, Outlook, Reason
from stoker.core.faults import Fault
from stoker.core.inputs import Inputs
from stoker.core.repair import is_stuck, pause
from stoker.core.stack import Stack
from stoker.core.update import failed_update
from stoker.core.world import Held, World, is_open


def identity_is_stored_first(world: World) -> Decision | None:
    """The finalizer and the id are stored before anything that would need them."""
    if world.enrolled:
        return None
    return progress(Enroll(world.identity.id), Reason.ENROLLING, "Storing the VM's identity.", moving=False)


def what_was_never_asked_for_needs_admission(world: World) -> Decision | None:
    """While nothing was ever claimed or seen, a VM that is not admitted is parked with the reason."""
    if world.create or world.recorded_id or world.ours:
        return None
    return parked(world)


# ---- at least one stack is proven ours


def doubles_of_the_stack_are_removed(world: World) -> Decision | None:
    """Heat's name check is no constraint: two stacks of one name can exist. Keep the recorded one, else the earliest."""
    return next_double_removed(world, world.ours[0]) if world.ours else None


def a_stack_without_a_record_gets_one(world: World) -> Decision | None:
    """A stack whose create is not complete, and whose operation is lost, gets an operation to settle."""
    # One in another action was made long ago: with an open create, its loss would be a failed attempt, and made good.
    stack = world.kept
    if stack is None or stack.complete or stack.action != "CREATE" or world.create is not None:
        return None
    return _claim(world, cause="")


def work_in_progress_is_left_alone(world: World) -> Decision | None:
    """What Heat is doing is not disturbed. What is stuck is taken up again; of a deletion, a second request does that."""
    stack = world.kept
    if stack is None or not stack.in_progress:
        return None
    if not is_stuck(world, stack):
        return progress(Nothing(), Reason.IN_PROGRESS, f"Stack {stack.id} is {stack.status}.")
    if not stack.deleting:
        return None
    return progress(DeleteStack(stack.name, stack.id), Reason.STUCK, f"Stack {stack.id} is stuck in its deletion.")


def what_heat_did_is_read_before_a_failure_is_recorded(world: World) -> Decision | None:
    """A stack's reason names one resource; its events tell the rest, and a failed create's stack is removed for the next try."""
    failure = _failed_create(world) or failed_update(world)
    if failure is None or (world.events and world.events.stack == failure.stack):
        return None
    stack = failure.stack
    return progress(ReadEvents(stack), Reason.LOOKING, f"Reading the events of stack {stack.id}.")


def a_failed_create_is_recorded(world: World) -> Decision | None:
    """A create that failed is recorded with the resource's own reason before anything is cleaned up."""
    return recorded_failure(world, _failed_create(world))


def a_failed_stack_is_cleaned_up_before_the_next_try(world: World) -> Decision | None:
    """Only a stack whose *create* failed is deleted for a retry: it never was Active, so nothing is lost."""
    stack, create = world.kept, world.failed
    if stack is None or create is None or not (_create_failed(stack) or stack.status == "DELETE_FAILED"):
        return None
    if (waiting := not_due(world, create)) is not None:
        return waiting
    pause = pause_after_failed_delete(world, world.last_effect)
    if stack.status == "DELETE_FAILED" and pause > 0:
        return trouble(classify_reason(stack.reason), after=pause, outlook=Outlook.RETRYING, moving=True)
    message = f"Removing the failed stack {stack.id} before the next try."
    return progress(DeleteStack(stack.name, stack.id), Reason.CLEANING_UP, message)


def another_failure_waits_for_a_person(world: World) -> Decision | None:
    """A stack that once worked is never deleted without being asked."""
    stack = world.kept
    if stack is None or stack.complete:
        return None
    fault = Fault(
        ErrorCode.STACK_FAILED, f"stack {stack.id} is {stack.status}: {classify_reason(stack.reason).message}"
    )
    return trouble(fault, outlook=Outlook.BLOCKED, after=LOOK_AGAIN)


def outputs_are_read_once(world: World) -> Decision | None:
    """Outputs are asked for when a create or update ended, not on every pass: resolving them costs Heat calls."""
    stack, recorded = world.kept, world.vm.status.stack
    if stack is None or world.outputs is not None or not (stack.complete or world.update_failed):
        return None
    if world.unanswered_update is not None:
        return None  # it may land yet, and what is read now would be kept
    is_known = recorded and recorded.id == stack.id and world.vm.status.server_id
    just_ended = any(operation and is_open(operation) for operation in (world.create, world.update, world.repaired))
    # Applied is written together with what was read: without it, a crash may have come between end and status.
    if is_known and not just_ended and world.vm.status.applied_generation == world.generation:
        return None
    return progress(ReadOutputs(stack.id), Reason.READING_OUTPUTS, f"Reading the outputs of stack {stack.id}.")


def a_complete_stack_ends_its_create(world: World) -> Decision | None:
    """A complete stack whose outputs are read is a create that succeeded."""
    stack, create = world.kept, world.create
    if stack is None or create is None or not is_open(create) or not stack.complete:
        return None
    settle = Settle(create.metadata.name, OperationState.SUCCEEDED, AttemptOutcome.ACCEPTED, stack.id)
    return progress(settle, Reason.ADOPTING, f"Stack {stack.id} is complete.")


def a_complete_stack_is_settled(world: World) -> Decision | None:
    """The stack is complete, and made from what is asked for."""
    stack = world.kept
    if stack is None:
        return None
    message = "The VM is as its spec asks."
    if world.outdated:
        message += " A Secret, network profile or template changed since; the next edit applies it."
    reason = Reason.STOPPED if world.vm.spec.power_state is PowerState.STOPPED else Reason.ACTIVE
    again = pause(world) or None  # when what differs without harm may be repaired
    return Decision(Nothing(), reason, message, Outlook.SETTLED, again)


# ---- none is


def a_foreign_stack_is_never_touched(world: World) -> Decision | None:
    """A stack of our name without our proof belongs to somebody: our attempt failed, and that is all."""
    if world.claimed is None or not world.foreign:
        return None
    create, held = world.claimed
    if held.sent or not _looked(world, held):
        return None
    foreign = world.foreign[0]
    fault = Fault(ErrorCode.NAME_CONFLICT, f"the project has a stack {foreign.name} ({foreign.id}) that is not ours")
    return failed_attempt(world, create, fault, stack_id=None)


def an_unanswered_create_may_still_land(world: World) -> Decision | None:
    """After a lost answer, or a crash between claim and answer, no second create is sent before the deadline."""
    if world.unanswered is None or (world.claimed and not world.claimed[1].sent):
        return None
    if (waiting := waits_for_the_answer(world)) is not None:
        return waiting
    fault = lost_fault(world.claimed) or Fault(
        ErrorCode.TIMEOUT, "a create was never answered, and no stack appeared before its deadline"
    )
    return failed_attempt(world, world.unanswered, fault, stack_id=None)


def a_create_follows_a_look_after_its_claim(world: World) -> Decision | None:
    """A create is sent only after an absence that was observed *after* the claim was stored."""
    if world.claimed is None:
        return None
    create, held = world.claimed
    if (waiting := parked(world)) is not None:
        return failed_attempt(world, create, waiting.fault, stack_id=None) if waiting.fault else waiting
    assert isinstance(world.admission, Inputs)
    if not _looked(world, held):
        return progress(LookByName(), Reason.LOOKING, "Looking for a stack of the VM's name.")
    message = f"Asking Heat for the stack {world.identity.stack_name}."
    return progress(CreateStack(create.metadata.name, held.attempt, world.admission), Reason.CREATING, message)


def an_accepted_stack_that_vanished_failed(world: World) -> Decision | None:
    """A stack that Heat accepted and that is gone before it was complete counts as a failed attempt."""
    create = world.accepted
    if create is None:
        return None
    if (decision := not_yet_proven_gone(world)) is not None:
        return decision
    fault = Fault(ErrorCode.STACK_MISSING, f"stack {world.recorded_id} vanished before it was complete")
    return failed_attempt(world, create, fault, stack_id=world.recorded_id)


def a_failure_backs_off(world: World) -> Decision | None:
    """A failed attempt waits for its time, a failed operation for an edit, and both for a request to try now."""
    create = world.failed
    return not_due(world, create) if create and is_for(world, create) else None


def a_failure_is_followed_by_another_try(world: World) -> Decision | None:
    """The next attempt is claimed; an operation for something else than what is asked for now is ended first."""
    create = world.failed
    if create is None:
        return None
    if (waiting := parked(world)) is not None:
        return waiting
    if is_for(world, create):
        claim = next_claim(world, create)
        return progress(claim, Reason.CLAIMING, f"Storing attempt {claim.attempt} of the create operation.")
    if not is_open(create):
        return _claim(world, cause=create.metadata.name)
    fault = recorded_fault(create)
    superseded = Settle(
        create.metadata.name, OperationState.FAILED, AttemptOutcome.FAILED, None, fault.code, fault.message
    )
    return progress(superseded, Reason.CLAIMING, "The spec was edited: the failed operation is ended.")


def a_stack_that_was_there_is_missed(world: World) -> Decision | None:
    """A stack that was there and is proven gone is made anew, or reported, as onStackMissing says."""
    stack_id = world.recorded_id
    if stack_id is None:
        return None
    if (decision := not_yet_proven_gone(world)) is not None:
        return decision
    fault = Fault(ErrorCode.STACK_MISSING, f"stack {stack_id} is gone, and Stoker did not delete it")
    if world.vm.spec.on_stack_missing is MissingPolicy.ERROR:
        return trouble(fault, outlook=Outlook.BLOCKED)
    if (waiting := parked(world)) is not None:
        return waiting
    claim = _claim(world, cause=stack_id)
    return trouble(fault, action=claim.action, outlook=Outlook.RETRYING, moving=True)


def a_create_is_claimed_first(world: World) -> Decision | None:
    """The operation is stored before the first call that changes anything."""
    return _claim(world, cause="")


# ---- parts


def _create_failed(stack: Stack) -> bool:
    return stack.failed and stack.action == "CREATE"


def _failed_create(world: World) -> Failure | None:
    """Return the create that Heat accepted and the stack that it failed to make, as long as that is not recorded."""
    stack, create = world.kept, world.accepted
    return Failure(create, stack) if create and stack and _create_failed(stack) else None


def _looked(world: World, held: Held) -> bool:
    """Tell whether a look by name began after the claim was stored."""
    return world.named is not None and world.named.as_of > held.since


def _claim(world: World, cause: str) -> Decision:
    sequence = world.create.spec.sequence + 1 if world.create else 1
    claim = first_claim(world, OperationType.CREATE, cause, sequence=sequence)
    return progress(claim, Reason.CLAIMING, "Storing the create operation.")
