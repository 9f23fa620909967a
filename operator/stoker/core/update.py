"""Rules for a stack that is there and whose VM was edited. `decide.PRESENT` gives their order, which is behaviour.

A full update may be sent twice without harm, but an old one must not land after a newer one: so it is claimed, looked
after and waited for as a create is.
"""

from __future__ import annotations

from stoker.api.errors import ErrorCode
from stoker.api.operation import AttemptOutcome, OperationSpec, OperationState, OperationType, VirtualMachineOperation
from stoker.core import retry
from stoker.core.actions import Claim, Decision, Nothing, PreviewUpdate, Reason, Settle, UpdateStack
from stoker.core.classify import classify_reason
from stoker.core.common import adopted, failed_attempt, not_admitted, not_due, progress, trouble, waits_for_the_answer
from stoker.core.faults import Fault
from stoker.core.identity import operation_name, tag_value
from stoker.core.inputs import Inputs
from stoker.core.stack import Stack
from stoker.core.world import World, is_open


def an_update_is_settled_by_its_stack(world: World) -> Decision | None:
    """An update landed when its operation's tag is on the stack, whoever's answer was lost.

    After an attempt that failed, the tag is there already: then only what runs or is complete proves the next one.
    """
    update, stack = world.unanswered_update, world.kept
    if update is None or stack is None or not _is_of(stack, update):
        return None
    if stack.failed and update.status.attempts > 1:
        return None
    return adopted(update, stack.id)


def a_failed_update_is_recorded(world: World) -> Decision | None:
    """An update that failed is recorded with the resource's own reason; the stack stays as it is."""
    update, stack = world.update, world.kept
    if update is None or stack is None or stack.status != "UPDATE_FAILED":
        return None
    if not is_open(update) or update.status.outcome is not AttemptOutcome.ACCEPTED:
        return None
    return failed_attempt(world, update, classify_reason(stack.reason), stack_id=stack.id)


def an_unanswered_update_may_still_land(world: World) -> Decision | None:
    """After a lost answer, or a crash between claim and answer, no other update is sent before the deadline."""
    if (
        world.unanswered_update is None
        or world.kept is None
        or (world.claimed_update and not world.claimed_update[1].sent)
    ):
        return None
    if (waiting := waits_for_the_answer(world)) is not None:
        return waiting
    fault = Fault(ErrorCode.TIMEOUT, "an update was never answered, and did not land before its deadline")
    return failed_attempt(world, world.unanswered_update, fault, stack_id=None)


def an_update_that_is_over_is_ended(world: World) -> Decision | None:
    """Its stack is complete: it succeeded. The spec was edited since it failed, or before it was sent: it never will."""
    update, stack = world.update, world.kept
    if update is None or stack is None or not is_open(update):
        return None
    name, sent = update.metadata.name, update.status.outcome is not None
    failed = update.status.outcome is AttemptOutcome.FAILED
    if sent and stack.complete and (_is_of(stack, update) or (world.current and not failed)):
        settle = Settle(name, OperationState.SUCCEEDED, AttemptOutcome.ACCEPTED, stack.id)
        return progress(settle, Reason.ADOPTING, f"Stack {stack.id} is updated.")
    if update.spec.generation == world.generation and not (stack.complete and world.current):
        return None
    settle = Settle(name, OperationState.FAILED, AttemptOutcome.FAILED, message="The spec was edited again.")
    return progress(settle, Reason.CLAIMING, "The spec was edited: the update is ended.")


def an_edit_needs_admission(world: World) -> Decision | None:
    """What is not admitted is not asked of Heat; the stack stays as it is."""
    if world.kept is None or not world.edited or (isinstance(world.admission, Inputs) and _wanted(world) is None):
        return None
    return not_admitted(world)


def a_failed_update_backs_off(world: World) -> Decision | None:
    """A failed attempt waits for its time, a failed operation for a new generation."""
    update = world.update
    if _wanted(world) is None or update is None:
        return None
    return not_due(world, update)


def an_update_is_previewed(world: World) -> Decision | None:
    """What would replace or delete the server or a volume is refused, unless allowReplace says that it may."""
    wanted, preview = _wanted(world), world.preview
    if wanted is None:
        return None
    stack, inputs = wanted
    if preview is None or (preview.stack_id, preview.inputs_hash) != (stack.id, inputs.hash):
        return _preview(wanted)
    if preview.as_of <= world.last_effect:
        return _preview(wanted)  # a failed attempt may have left a server that the next one would replace
    if isinstance(preview.plan, Fault):
        return _refused(world, wanted, preview.as_of, preview.plan)
    if world.vm.spec.allow_replace or not preview.plan.losses:
        return None
    losses = ", ".join(preview.plan.losses)
    return trouble(Fault(ErrorCode.UPDATE_WOULD_REPLACE, f"the update would cost the data of {losses}"))


def an_update_is_claimed_first(world: World) -> Decision | None:
    """The operation is stored before the call that changes anything."""
    if _wanted(world) is None or world.claimed_update is not None:
        return None
    metadata, update = world.vm.metadata, world.update
    if update is not None and update.spec.generation == world.generation:
        again = Claim(update.metadata.name, update.spec, attempt=update.status.attempts + 1)
        return progress(again, Reason.CLAIMING, f"Storing attempt {again.attempt} of the update operation.")
    cause = f"{metadata.uid}/{world.generation}"
    spec = OperationSpec(
        vm_name=metadata.name,
        vm_id=world.identity.id,
        type=OperationType.UPDATE,
        cause=cause,
        sequence=world.generation,
        generation=world.generation,
    )
    name = operation_name(metadata.name, world.identity.id, OperationType.UPDATE, cause)
    return progress(Claim(name, spec, attempt=1), Reason.CLAIMING, "Storing the update operation.")


def an_update_follows_a_look_after_its_claim(world: World) -> Decision | None:
    """An update is sent only to a stack that was seen, and ours, *after* the claim was stored."""
    match _wanted(world), world.claimed_update:
        case (stack, inputs), (update, held):
            if not world.seen_after(held.since):
                return progress(Nothing(), Reason.LOOKING, "Waiting for a look at Heat after the claim.")
            action = UpdateStack(update.metadata.name, held.attempt, stack.name, stack.id, inputs)
            return progress(action, Reason.UPDATING, f"Asking Heat to update stack {stack.id}.")
    return None


# ---- parts


def _is_of(stack: Stack, update: VirtualMachineOperation) -> bool:
    return tag_value(stack.tags, "stoker-op") == update.metadata.name


def _wanted(world: World) -> tuple[Stack, Inputs] | None:
    """Return the stack and what it shall be made from, if that is not what it is."""
    match world.kept, world.admission:
        case Stack() as stack, Inputs() as inputs if world.edited:
            return (stack, inputs) if world.update_failed or (stack.complete and not world.current) else None
    return None


def _preview(wanted: tuple[Stack, Inputs]) -> Decision:
    stack, inputs = wanted
    action = PreviewUpdate(stack.name, stack.id, inputs)
    return progress(action, Reason.PREVIEWING, f"Asking Heat what an update of stack {stack.id} would do.")


def _refused(world: World, wanted: tuple[Stack, Inputs], as_of: float, fault: Fault) -> Decision:
    """Heat refuses the inputs: a flavor that does not exist, for example. It is asked again after a pause."""
    left = as_of + retry.delay(fault, 1, world.identity.id) - world.clock
    return trouble(fault, after=left) if left > 0 else _preview(wanted)
