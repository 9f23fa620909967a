"""Rules for a VM that is being deleted. `decide.ABSENT` gives their order, which is behaviour."""

from __future__ import annotations

from stoker.api.operation import AttemptOutcome, OperationState, OperationType
from stoker.api.virtualmachine import DeletionPolicy
from stoker.core.actions import DeleteStack, Left, Nothing, Release, Retain, Settle
from stoker.core.asked import is_abandoned, retry_asked, retry_value
from stoker.core.claims import first_claim, next_claim, specified
from stoker.core.classify import classify_reason
from stoker.core.common import (
    next_double_removed,
    not_yet_proven_gone,
    pause_after_failed_delete,
    progress,
    trouble,
    waits_for_the_answer,
)
from stoker.core.decision import Decision, Outlook, Reason
from stoker.core.faults import Fault
from stoker.core.identity import FINALIZER
from stoker.core.world import World, is_open


def what_has_no_finalizer_of_ours_goes(world: World) -> Decision | None:
    """Without our finalizer the object is not ours to hold."""
    if FINALIZER in world.vm.metadata.finalizers:
        return None
    return progress(Nothing(), Reason.DELETED, "Nothing of the VM is left.", moving=False)


def what_was_never_claimed_goes(world: World) -> Decision | None:
    """Intent comes first: without an operation, a record or a stack in sight, nothing can ever have been made."""
    if world.operations or world.recorded_id or world.ours:
        return None
    if world.identity.id != world.vm.metadata.uid:
        return None  # what a backup brought back may have a stack: it is looked for
    return progress(Release(), Reason.DELETED, "No stack was ever asked for.", moving=False)


def an_abandoned_vm_is_let_go(world: World) -> Decision | None:
    """A person who abandons the VM takes the stack over: it is recorded as left, and the finalizer goes, unseen and unasked."""
    if not is_abandoned(world):
        return None
    stack_id = world.recorded_id or next((stack.id for stack in world.ours), None)
    message = f"Abandoned: stack {stack_id} is left as it is." if stack_id else "Abandoned: no stack is known."
    return _left(world, stack_id, Reason.ABANDONED, message)


def a_protected_vm_keeps_its_stack(world: World) -> Decision | None:
    """What was deleted in spite of its protection, where no policy refused that, loses nothing until it is lifted."""
    if not world.vm.spec.termination_protection:
        return None
    message = "The VM is protected: nothing is deleted until a person sets spec.terminationProtection to false."
    return Decision(Nothing(), Reason.PROTECTED, message, Outlook.BLOCKED)


def an_unsent_create_is_given_up(world: World) -> Decision | None:
    """A claim that this process holds and never sent can have made nothing."""
    if world.claimed is None or world.claimed[1].sent:
        return None
    return _end(world.claimed[0].metadata.name, "The VM was deleted before the create was sent.")


def an_unanswered_create_may_still_land(world: World) -> Decision | None:
    """The finalizer stays while a create may still land; a stack that appears is deleted at once."""
    if world.ours or not world.unanswered:
        return None
    return waits_for_the_answer(world)


def an_update_may_still_land_on_what_is_retained(world: World) -> Decision | None:
    """A stack is not left behind while a request of ours may still change it."""
    sent = world.claimed_update is None or world.claimed_update[1].sent
    if world.vm.spec.deletion_policy is not DeletionPolicy.RETAIN or not world.unanswered_update or not sent:
        return None
    return waits_for_the_answer(world)


# ---- at least one stack is proven ours


def a_retained_stack_is_recorded_and_left(world: World) -> Decision | None:
    """Retain: the stack is recorded as left behind, and not touched; a double of it is no stack of the VM, and goes."""
    stack = next((stack for stack in world.ours if not stack.deleting), None)
    if world.vm.spec.deletion_policy is not DeletionPolicy.RETAIN or stack is None:
        return None
    if len(world.ours) > 1:
        waiting = progress(Nothing(), Reason.DUPLICATE_STACKS, f"Waiting until {stack.id} is the only stack.")
        return next_double_removed(world, stack) or waiting
    return _left(world, stack.id, Reason.RETAINED, f"Stack {stack.id} is left as deletionPolicy asks.")


def a_delete_is_claimed_first(world: World) -> Decision | None:
    """A delete is stored as an operation first; in a namespace that is going it cannot be, and need not: it is by id."""
    # One that had ended is opened again by a stack that shows up after all: somebody put its lost tags back.
    if not world.ours or not world.claimable:
        return None
    stack = world.ours[0]
    if world.delete is None:
        claim = first_claim(
            world, OperationType.DELETE, world.vm.metadata.uid, stack_id=stack.id, stack_name=stack.name
        )
        return progress(claim, Reason.DELETING, "Storing the delete operation.")
    is_held = world.held and world.held.of(world.delete)
    if not is_open(world.delete) or not is_held or retry_asked(world):
        claim = next_claim(world, world.delete)
        return progress(claim, Reason.DELETING, f"Storing attempt {claim.attempt} of the delete operation.")
    return None


def every_stack_of_ours_is_deleted(world: World) -> Decision | None:
    """Each is deleted by id, on a look newer than the claim, also while in progress; and asked again until it is gone."""
    if not world.ours:
        return None
    if world.held is not None and not world.seen_after(world.held.since):
        return progress(Nothing(), Reason.LOOKING, "Waiting for a look at Heat after the claim.")
    since = max(world.last_effect, world.held.since if world.held else 0.0)
    paused: Decision | None = None
    for stack in world.ours:
        message = f"Deleting stack {stack.id} ({stack.status})."
        if stack.deleting and world.clock < since + world.timing.delete_again:
            continue
        pause = 0.0 if _asked_since(world) else pause_after_failed_delete(world, since)
        if stack.status == "DELETE_FAILED" and pause > 0:
            reason = classify_reason(stack.reason)
            fault = Fault(reason.code, f"stack {stack.id} could not be deleted: {reason.message}")
            paused = trouble(fault, outlook=Outlook.RETRYING, after=pause, moving=True)
            continue
        return progress(DeleteStack(stack.name, stack.id), Reason.DELETING, message)
    return paused or progress(Nothing(), Reason.DELETING, f"Heat is deleting stack {world.ours[0].id}.")


# ---- none is


def a_recorded_stack_is_proven_gone(world: World) -> Decision | None:
    """Gone is what Heat calls gone by id *and* what a complete listing lacks; one of them alone proves nothing."""
    return not_yet_proven_gone(world)


def open_operations_are_ended(world: World) -> Decision | None:
    """No operation outlives its VM open."""
    return _ended(world)


def a_deletion_is_recorded(world: World) -> Decision | None:
    """What was asked for and is gone is recorded as deleted: a create that lands after all is known by that."""
    if world.create is None or world.delete is not None or not world.claimable:
        return None
    claim = first_claim(world, OperationType.DELETE, world.vm.metadata.uid, stack_id=world.recorded_id)
    return progress(claim, Reason.DELETING, "Storing the delete operation.")


def what_is_gone_is_released(_world: World) -> Decision | None:
    """Nothing of the VM is left: the finalizer goes."""
    return progress(Release(), Reason.DELETED, "Nothing of the VM is left.", moving=False)


# ---- parts


def _asked_since(world: World) -> bool:
    """Tell whether the deletion was claimed for a request to try now, and was not sent since."""
    claimed = world.held is not None and world.held.since > world.last_effect
    return claimed and world.delete is not None and world.delete.status.retry == retry_value(world) is not None


def _left(world: World, stack_id: str | None, reason: Reason, message: str) -> Decision:
    """Record a stack as left behind, end what is open, and let the object go; in a namespace that is going, only that."""
    abandoned = reason is Reason.ABANDONED
    delete = world.delete
    if delete and is_open(delete):
        settle = Settle(
            delete.metadata.name,
            OperationState.SUCCEEDED,
            AttemptOutcome.ACCEPTED,
            stack_id,
            retained=True,
            abandoned=abandoned,
        )
        return progress(settle, reason, message)
    if delete is None and world.claimable:
        name, spec = specified(world, OperationType.DELETE, world.vm.metadata.uid)
        return progress(Retain(name, spec, stack_id, abandoned), reason, message)
    left = Left(stack_id or "", _name(world, stack_id), abandoned)
    return _ended(world) or progress(Release(left), reason, message, moving=False)


def _name(world: World, stack_id: str | None) -> str:
    """Return the name of a stack of the VM."""
    known = next((stack.name for stack in world.ours if stack.id == stack_id), None)
    recorded = world.vm.status.stack
    return known or (recorded.name if recorded and recorded.id == stack_id else world.identity.stack_name)


def _end(operation: str, message: str) -> Decision:
    settle = Settle(operation, OperationState.FAILED, AttemptOutcome.FAILED, message=message)
    return progress(settle, Reason.DELETING, message)


def _ended(world: World) -> Decision | None:
    for operation in world.operations:
        if not is_open(operation):
            continue
        if operation.spec.type is not OperationType.DELETE:
            return _end(operation.metadata.name, "The VM was deleted before it was complete.")
        settle = Settle(operation.metadata.name, OperationState.SUCCEEDED, AttemptOutcome.ACCEPTED, world.recorded_id)
        return progress(settle, Reason.DELETING, "The stack is gone.")
    return None
