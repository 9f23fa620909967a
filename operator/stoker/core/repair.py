"""Repair: what is done about drift where `driftPolicy` says so, and about a stack that no engine works on any more.

A repair is bounded: few for one spec within the life of their records, with growing pauses between them. How it is
claimed and ended is in `core.jobs`.
"""

from __future__ import annotations

from datetime import timedelta

from stoker.api.errors import ErrorCode
from stoker.api.operation import OperationType, VirtualMachineOperation
from stoker.api.virtualmachine import DriftPolicy, PowerState
from stoker.core.actions import ConvergeStack, LookAtResources, MarkUnhealthy, PreviewUpdate, ReadOutputs, UpdateStack
from stoker.core.asked import retry_asked
from stoker.core.common import failed_attempt, progress
from stoker.core.decision import Decision, Reason
from stoker.core.drift import Kind, differences
from stoker.core.faults import Fault
from stoker.core.inputs import Inputs
from stoker.core.power import Wanted, act, server_id
from stoker.core.server import PowerAction
from stoker.core.stack import Resource, Stack
from stoker.core.world import Held, World

STUCK = "stuck"
"""What a repair of a stack in progress for ever has for a kind."""

MOST_REPAIRS = 5
"""Repairs of one spec whose records are kept (a day, by default)."""

FIRST_PAUSE = 60.0
"""Seconds between the end of the first repair and the second; twice as long after each."""


def is_stuck(world: World, stack: Stack) -> bool:
    """Tell whether a stack in progress is so for longer than any engine would be, and not since our own request."""
    patience = world.timing.stuck_after
    ours_is_recent = world.last_effect > 0 and world.clock - world.last_effect <= patience
    late = stack.changed is not None and world.now - stack.changed > timedelta(seconds=patience)
    return late and not ours_is_recent


def kind_of(repair: VirtualMachineOperation) -> str:
    """Return what a repair is for, from its cause."""
    return repair.spec.cause.split("/")[2]


def wanted(world: World, stack: Stack) -> Wanted | None:
    """Return the repair that is due, if any."""
    going = _going(world)
    kind = STUCK if stack.in_progress else _kind(world, going)
    if kind is None:
        return None
    if going and kind_of(going) == kind:
        return Wanted(going.spec.type, going.spec.cause, going.spec.sequence)
    earlier = _of_this_spec(world)
    if (len(earlier) >= MOST_REPAIRS or pause(world) > 0) and not retry_asked(world):
        return None
    number = max((repair.spec.sequence for repair in earlier), default=0) + 1
    return Wanted(OperationType.REPAIR, f"{world.vm.metadata.uid}/{world.generation}/{kind}/{number}", number)


def pause(world: World) -> float:
    """Return the seconds left before the next repair; 0 when it is due, or when there will be none."""
    earlier = _of_this_spec(world)
    ends = [repair.status.completed_at for repair in earlier if repair.status.completed_at]
    if not ends or len(earlier) >= MOST_REPAIRS:
        return 0.0
    due = max(ends) + timedelta(seconds=FIRST_PAUSE * 2.0 ** (len(earlier) - 1))
    return max((due - world.now).total_seconds(), 0.0)


def _going(world: World) -> VirtualMachineOperation | None:
    return world.job if world.job and world.job.spec.type is OperationType.REPAIR else None


def _kind(world: World, going: VirtualMachineOperation | None) -> str | None:
    """Return what is to be repaired; between two looks, what is being repaired."""
    if world.vm.spec.drift_policy is not DriftPolicy.REPAIR:
        return None
    found = differences(world)
    if found is None:
        return kind_of(going) if going else None
    kinds = [difference.kind for difference in found]
    return next((kind for kind in kinds if kind is not Kind.ADDRESSES and not _left_to_an_edit(world, kind)), None)


def _left_to_an_edit(world: World, kind: Kind) -> bool:
    """The update of an edit puts the whole stack right."""
    return kind is Kind.STACK and world.edited and not world.fits


def _of_this_spec(world: World) -> list[VirtualMachineOperation]:
    mine = f"{world.vm.metadata.uid}/{world.generation}/"
    repairs = [operation for operation in world.operations if operation.spec.type is OperationType.REPAIR]
    return [repair for repair in repairs if repair.spec.cause.startswith(mine)]


# ---- the steps of a repair, each on a look that is newer than its claim


def step(world: World, stack: Stack, job: VirtualMachineOperation, held: Held) -> Decision:
    """Return the next step of a claimed repair."""
    kind = kind_of(job)
    if kind == STUCK:
        return _converged(stack, job, held)
    if kind == Kind.STACK:
        return _updated(world, stack, job, held)
    if kind == Kind.POWER:
        return act(world, stack, held, _POWER[world.vm.spec.power_state], Reason.REPAIRING)
    if kind == Kind.BROKEN and (held.attempt == 1 or not world.vm.spec.allow_replace):
        return act(world, stack, held, PowerAction.RESET, Reason.REPAIRING)
    return _rebuilt(world, stack, job, held)


_POWER = {PowerState.RUNNING: PowerAction.START, PowerState.STOPPED: PowerAction.STOP}


def _converged(stack: Stack, job: VirtualMachineOperation, held: Held) -> Decision:
    message = f"Asking Heat to take up stack {stack.id} ({stack.status}) again."
    kept = sorted(tag for tag in stack.tags if not tag.startswith("stoker-op="))
    tags = (*kept, f"stoker-op={job.metadata.name}")
    action = ConvergeStack(job.metadata.name, held.attempt, stack.name, stack.id, tags)
    return progress(action, Reason.REPAIRING, message)


def _updated(world: World, stack: Stack, job: VirtualMachineOperation, held: Held) -> Decision:
    """What somebody changed is changed back, unless that would cost the server or a volume."""
    inputs, preview = world.admission, world.preview
    if not isinstance(inputs, Inputs):
        return failed_attempt(world, job, inputs, stack_id=stack.id)
    if preview is None or preview.inputs_hash != inputs.hash or preview.as_of <= held.since:
        message = f"Asking Heat what an update of stack {stack.id} would do."
        return progress(PreviewUpdate(stack.name, stack.id, inputs), Reason.PREVIEWING, message)
    if isinstance(preview.plan, Fault):
        return failed_attempt(world, job, preview.plan, stack_id=stack.id)
    if preview.plan.losses and not world.vm.spec.allow_replace:
        return failed_attempt(world, job, preview.plan.cost("repair"), stack_id=stack.id)
    action = UpdateStack(job.metadata.name, held.attempt, stack.name, stack.id, inputs)
    return progress(action, Reason.REPAIRING, f"Asking Heat to update stack {stack.id} to what it was.")


def _rebuilt(world: World, stack: Stack, job: VirtualMachineOperation, held: Held) -> Decision:
    """A server is made anew: its id is read again, looked for again, its resource marked, and the stack taken up.

    One that a listing lacks must be gone by id as well: the repair deletes what is there.

    Heat rebuilds nothing that it does not know to be bad (measured against Heat 27.0.1).
    """
    if world.outputs is None or world.outputs.as_of <= held.since:
        return progress(
            ReadOutputs(stack.id), Reason.READING_OUTPUTS, f"Reading the outputs of stack {stack.id} again."
        )
    listed = world.resources
    if listed is None or listed.stack_id != stack.id or listed.as_of <= max(held.since, world.last_effect):
        return progress(LookAtResources(stack.id), Reason.LOOKING, f"Listing the resources of stack {stack.id}.")
    found = next((one for one in listed.resources if one.physical_id == server_id(world)), None)
    if found is None:
        fault = Fault(ErrorCode.TEMPLATE_INVALID, f"no resource of stack {stack.id} is the server {server_id(world)}")
        return failed_attempt(world, job, fault, stack_id=stack.id)
    if kind_of(job) == Kind.MISSING and not found.gone:
        there = Fault(ErrorCode.CONFLICT, f"Nova has the server {found.physical_id}, but does not list it: it is kept")
        return failed_attempt(world, job, there, stack_id=stack.id)
    return _converged(stack, job, held) if _is_marked(found) else _marked(stack, found)


def _is_marked(resource: Resource) -> bool:
    return resource.status == "CHECK_FAILED"


def _marked(stack: Stack, resource: Resource) -> Decision:
    message = f"Telling Heat that {resource.name} of stack {stack.id} is to be replaced."
    return progress(MarkUnhealthy(stack.name, stack.id, resource.name), Reason.REPAIRING, message)
