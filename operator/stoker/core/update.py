"""Rules for a stack that is there and whose VM was edited. `decide.PRESENT` gives their order, which is behaviour.

A full update may be sent twice without harm, but an old one must not land after a newer one: so it is claimed, looked
after and waited for as a create is.
"""

from __future__ import annotations

from stoker.api.errors import ErrorCode
from stoker.api.operation import AttemptOutcome, OperationState, OperationType, VirtualMachineOperation
from stoker.api.virtualmachine import PowerState
from stoker.core import power, retry
from stoker.core.actions import Nothing, PreviewUpdate, Settle, UpdateStack
from stoker.core.asked import retry_value
from stoker.core.claims import first_claim, next_claim
from stoker.core.common import (
    Failure,
    adopted,
    failed_attempt,
    lost_fault,
    not_due,
    parked,
    progress,
    recorded_failure,
    trouble,
    waits_for_the_answer,
)
from stoker.core.decision import Decision, Reason
from stoker.core.faults import Fault
from stoker.core.identity import tag_value
from stoker.core.inputs import Inputs
from stoker.core.stack import Preview, Stack
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
    return recorded_failure(world, failed_update(world))


def failed_update(world: World) -> Failure | None:
    """Return the update that Heat accepted and failed, and its stack, as long as that is not recorded."""
    update, stack = world.update, world.kept
    if update is None or stack is None or stack.status != "UPDATE_FAILED":
        return None
    return Failure(update, stack) if is_open(update) and update.status.outcome is AttemptOutcome.ACCEPTED else None


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
    fault = lost_fault(world.claimed_update) or Fault(
        ErrorCode.TIMEOUT, "an update was never answered, and did not land before its deadline"
    )
    return failed_attempt(world, world.unanswered_update, fault, stack_id=None)


def an_update_that_is_over_is_ended(world: World) -> Decision | None:
    """Its stack is complete: it succeeded. The spec was edited since it failed, or before it was sent: it never will."""
    update, stack = world.update, world.kept
    if update is None or stack is None or not is_open(update):
        return None
    name, sent = update.metadata.name, update.status.outcome is not None
    failed = update.status.outcome is AttemptOutcome.FAILED
    if sent and stack.complete and (_is_of(stack, update) or (world.fits and not failed)):
        settle = Settle(name, OperationState.SUCCEEDED, AttemptOutcome.ACCEPTED, stack.id, stack_changed=stack.changed)
        return progress(settle, Reason.ADOPTING, f"Stack {stack.id} is updated.")
    if update.spec.generation == world.generation and not (stack.complete and world.fits):
        return None
    settle = Settle(name, OperationState.FAILED, AttemptOutcome.FAILED, message="The spec was edited again.")
    return progress(settle, Reason.CLAIMING, "The spec was edited: the update is ended.")


def an_edit_needs_admission(world: World) -> Decision | None:
    """What is not admitted is not asked of Heat; the stack stays as it is."""
    if world.kept is None or not world.edited or (isinstance(world.admission, Inputs) and _wanted(world) is None):
        return None
    return parked(world)


def a_failed_update_backs_off(world: World) -> Decision | None:
    """A failed attempt waits for its time, a failed operation for an edit, both for a request to try now."""
    update = world.update
    if _wanted(world) is None or update is None:
        return None
    return not_due(world, update)


def a_stopped_server_is_not_resized(world: World) -> Decision | None:
    """Heat cannot end the resize of a stopped server: the stack would fail, for good (measured against Heat 27.0.1)."""
    vm, seen = world.vm, power.look(world)
    if _wanted(world) is None or PowerState.STOPPED not in (vm.spec.power_state, vm.status.power_state):
        return None
    if seen is None:
        return power.unseen(world)
    server = seen.server
    if server is None or server.state != PowerState.STOPPED or server.flavor == vm.spec.flavor:
        return None
    return trouble(not_resized(server.flavor, vm.spec.flavor))


def not_resized(before: str, after: str) -> Fault:
    """Return why a stopped server keeps its flavor."""
    return Fault(ErrorCode.SERVER_STOPPED, f"the server is stopped, and cannot be resized from {before} to {after}")


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
        return _refused(world, wanted, preview, preview.plan)
    if world.vm.spec.allow_replace or not preview.plan.losses:
        return None
    return trouble(preview.plan.cost("update"))


def an_update_is_claimed_first(world: World) -> Decision | None:
    """The operation is stored before the call that changes anything."""
    if _wanted(world) is None or world.claimed_update is not None:
        return None
    update = world.update
    if update is not None and update.spec.generation == world.generation:
        again = next_claim(world, update)
        return progress(again, Reason.CLAIMING, f"Storing attempt {again.attempt} of the update operation.")
    cause = f"{world.vm.metadata.uid}/{world.generation}"
    claim = first_claim(world, OperationType.UPDATE, cause, sequence=world.generation)
    return progress(claim, Reason.CLAIMING, "Storing the update operation.")


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


def _refused(world: World, wanted: tuple[Stack, Inputs], preview: Preview, fault: Fault) -> Decision:
    """Heat refuses the inputs: a flavor that does not exist, for example. It is asked again after a pause, or a request."""
    if preview.retry != retry_value(world):
        return _preview(wanted)
    left = preview.as_of + retry.delay(fault, 1, world.identity.id) - world.clock
    return trouble(fault, after=left) if left > 0 else _preview(wanted)
