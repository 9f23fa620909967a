"""Rules for the commands that follow a VM's create: start, stop, restart and repair. `decide.PRESENT` gives their order.

All four live alike: claimed, sent once after a look that is newer than the claim, and ended by what is seen then. What
is asked for is decided in `core.power`, drift and its repair in `core.drift` and `core.repair`. One of them at most is
open.

A start or a stop whose answer was lost may be sent again after its deadline: two are as good as one. A reboot shows
nothing once it is over, so it is never sent twice for one request: unless Nova was seen at it, it counts as failed.
"""

from __future__ import annotations

from datetime import timedelta

from stoker.api.errors import ErrorCode
from stoker.api.operation import AttemptOutcome, OperationState, OperationType, VirtualMachineOperation
from stoker.api.virtualmachine import DriftPolicy, PowerState
from stoker.core import drift, power, repair
from stoker.core.actions import Nothing, Settle
from stoker.core.claims import first_claim, next_claim
from stoker.core.classify import classify_reason
from stoker.core.common import LOOK_AGAIN, adopted, backs_off, failed_attempt, progress
from stoker.core.decision import Decision, Outlook, Reason
from stoker.core.faults import Fault
from stoker.core.identity import operation_name, tag_value
from stoker.core.power import Wanted, waiting
from stoker.core.stack import Stack
from stoker.core.world import Held, World

_REASONS = {
    OperationType.START: Reason.STARTING,
    OperationType.STOP: Reason.STOPPING,
    OperationType.RESTART: Reason.RESTARTING,
    OperationType.REPAIR: Reason.REPAIRING,
}


def a_command_is_settled_by_what_is_seen(world: World) -> Decision | None:
    """A command is over when what it is for is there, whoever's answer was lost, or whoever did it."""
    found = _open(world)
    if found is None or not _is_reached(world, *found):
        return None
    job, stack = found
    name, changed = job.metadata.name, stack.changed if _tagged(stack, job) else None
    settle = Settle(name, OperationState.SUCCEEDED, AttemptOutcome.ACCEPTED, stack.id, stack_changed=changed)
    return progress(settle, _REASONS[job.spec.type], f"The {job.spec.type.lower()} is done.")


def an_unanswered_command_may_still_land(world: World) -> Decision | None:
    """After a lost answer, or a crash between claim and answer, no other command is sent before the deadline."""
    found = _open(world)
    if found is None or found[0].status.outcome is not None:
        return None
    job, stack = found
    if world.claimed_job and not world.claimed_job[1].sent:
        return None
    if _has_landed(world, job, stack):
        return adopted(job, stack.id)
    deadline = world.unresolved_since + world.timing.create_deadline
    if not _is_seen(world, job, deadline):
        message = f"The {job.spec.type.lower()} has no recorded answer and may still land."
        return waiting(Reason.AWAITING_ANSWER, message, after=max(deadline - world.clock, 1.0))
    if job.spec.type is OperationType.RESTART:
        return _given_up(
            job, stack, "The answer to the reboot was lost: it may have happened, and is not asked for again."
        )
    fault = Fault(
        ErrorCode.TIMEOUT, f"a {job.spec.type.lower()} was never answered, and did nothing before its deadline"
    )
    return failed_attempt(world, job, fault, stack_id=stack.id)


def a_command_that_is_over_is_ended(world: World) -> Decision | None:
    """What is not wanted any more, and not under way, is ended."""
    found = _open(world)
    if found is None or found[0].status.outcome is AttemptOutcome.ACCEPTED:
        return None
    job, due = found[0], _wanted(world)
    if due and (due.type, due.cause) == (job.spec.type, job.spec.cause):
        return None
    settle = Settle(
        job.metadata.name, OperationState.FAILED, AttemptOutcome.FAILED, message="It is not wanted any more."
    )
    return progress(settle, Reason.CLAIMING, f"The {job.spec.type.lower()} is not wanted any more.")


def an_accepted_command_is_waited_for(world: World) -> Decision | None:
    """What was accepted shows in the server or the stack, or failed when it does not within its deadline."""
    found = _open(world)
    if found is None or found[0].status.outcome is not AttemptOutcome.ACCEPTED:
        return None
    job, stack = found
    if stack.status == "UPDATE_FAILED" and _tagged(stack, job):
        return failed_attempt(world, job, classify_reason(stack.reason), stack_id=stack.id)
    started, timing = job.status.started_at, world.timing
    patience = timing.stuck_after if _by_stack(job) else timing.power_deadline
    if started and world.now - started > timedelta(seconds=patience):
        fault = Fault(
            ErrorCode.TIMEOUT, f"a {job.spec.type.lower()} was accepted, and is not done after {patience:g} s"
        )
        if job.spec.type is OperationType.RESTART:
            return _given_up(job, stack, fault.sentence)
        return failed_attempt(world, job, fault, stack_id=stack.id)
    return waiting(_REASONS[job.spec.type], f"The {job.spec.type.lower()} was accepted; waiting until it shows.")


def a_failed_command_backs_off(world: World) -> Decision | None:
    """A failed attempt waits for its time, a failed start or stop for an edit, which asks for another of them."""
    due = _wanted(world)
    known = _known(world, due) if due else None
    return backs_off(world, known) if known else None


def a_command_is_claimed_first(world: World) -> Decision | None:
    """The operation is stored before the call that changes anything."""
    due = _wanted(world)
    if due is None or world.claimed_job is not None:
        return None
    why = _stuck(world)
    reason = Reason.STUCK if why else Reason.CLAIMING
    known = _known(world, due)
    if known is not None:
        again = next_claim(world, known)
        return progress(again, reason, f"Storing attempt {again.attempt} of the {due.type.lower()} operation.")
    claim = first_claim(world, due.type, due.cause, sequence=due.sequence)
    return progress(claim, reason, why or f"Storing the {due.type.lower()} operation.")


def a_command_follows_a_look_after_its_claim(world: World) -> Decision | None:
    """A command is sent only to what was seen, and at rest, *after* its claim was stored."""
    match world.claimed_job, world.kept:
        case (job, held), Stack() as stack:
            return _sent(world, job, held, stack) if _is_seen(world, job, held.since) else power.unseen(world)
    return None


def what_is_stuck_is_said(world: World) -> Decision | None:
    """A stack that nobody works on any more, and that is not taken up again, waits for a person."""
    why = _stuck(world)
    return Decision(Nothing(), Reason.STUCK, why, Outlook.BLOCKED, LOOK_AGAIN, moving=True) if why else None


def what_drifted_is_said(world: World) -> Decision | None:
    """A VM that is not as its spec asks is not Ready; what differs otherwise shows in its condition alone."""
    found = drift.differences(world)
    if found is None:
        return _said_before(world)
    harm = "; ".join(difference.phrase for difference in found if difference.kind in drift.HARMFUL)
    if not harm:
        return None
    left, message = repair.pause(world), f"Behind Stoker's back, {harm}."
    if world.vm.spec.drift_policy is not DriftPolicy.REPAIR:
        return _drifted(f"{message} driftPolicy: Repair would put it right.")
    if left > 0:
        return Decision(
            Nothing(), Reason.DRIFTED, f"{message} The next repair follows a pause.", Outlook.RETRYING, left
        )
    return _drifted(f"{message} It was repaired {repair.MOST_REPAIRS} times; find out why.")


# ---- parts


def _open(world: World) -> tuple[VirtualMachineOperation, Stack] | None:
    """Return the open command and the stack that it is about."""
    match world.job, world.kept:
        case VirtualMachineOperation() as job, Stack() as stack:
            return job, stack
    return None


def _wanted(world: World) -> Wanted | None:
    """Return what is due for the kept stack; one in progress is only taken up when it is stuck."""
    stack = world.kept
    if stack is None:
        return None
    if stack.in_progress:
        return repair.wanted(world, stack)
    if not stack.complete and stack.status != "UPDATE_FAILED":
        return None
    return power.wanted(world) or repair.wanted(world, stack)


def _sent(world: World, job: VirtualMachineOperation, held: Held, stack: Stack) -> Decision:
    if job.spec.type is OperationType.REPAIR:
        return repair.step(world, stack, job, held)
    if job.spec.type is OperationType.RESTART and not _is_in(world, PowerState.RUNNING):
        return _given_up(job, stack, "The VM is not running, so there is nothing to restart.", ErrorCode.CONFLICT)
    return power.act(world, stack, held, power.ACTIONS[job.spec.type], _REASONS[job.spec.type])


def _known(world: World, due: Wanted) -> VirtualMachineOperation | None:
    name = operation_name(world.vm.metadata.name, world.identity.id, due.type, due.cause)
    return next((operation for operation in world.operations if operation.metadata.name == name), None)


def _is_in(world: World, target: PowerState) -> bool:
    """Tell whether the server is at rest in that power state."""
    seen = power.look(world)
    return seen is not None and seen.server is not None and not seen.server.task and seen.server.state == target


def _is_reached(world: World, job: VirtualMachineOperation, stack: Stack) -> bool:
    """Tell whether what the command is for is there."""
    kind, accepted = job.spec.type, job.status.outcome is AttemptOutcome.ACCEPTED
    if kind in power.TARGETS:
        return _is_in(world, power.TARGETS[kind])
    if kind is OperationType.RESTART:
        return accepted and _is_in(world, PowerState.RUNNING)
    what = repair.kind_of(job)
    if what == repair.STUCK:
        return stack.complete
    found = drift.differences(world)
    return found is not None and what not in [difference.kind for difference in found]


def _tagged(stack: Stack, job: VirtualMachineOperation) -> bool:
    return tag_value(stack.tags, "stoker-op") == job.metadata.name


def _has_landed(world: World, job: VirtualMachineOperation, stack: Stack) -> bool:
    """Tell whether the request was seen to land: its tag is on the stack, or Nova is rebooting the server."""
    seen = power.look(world)
    rebooting = seen is not None and seen.server is not None and seen.server.task.startswith("reboot")
    return (job.spec.type is OperationType.RESTART and rebooting) or (_tagged(stack, job) and job.status.attempts == 1)


def _by_stack(job: VirtualMachineOperation) -> bool:
    """Tell whether the command shows in the stack alone."""
    return job.spec.type is OperationType.REPAIR and repair.kind_of(job) in (repair.STUCK, drift.Kind.STACK)


def _is_seen(world: World, job: VirtualMachineOperation, since: float) -> bool:
    """Tell whether what the command works on was looked at after a moment, at rest."""
    seen = power.look(world)
    if _by_stack(job):
        return world.seen_after(since)
    return seen is not None and seen.as_of > since and not (seen.server and seen.server.task)


def _given_up(
    job: VirtualMachineOperation, stack: Stack, message: str, code: ErrorCode = ErrorCode.TIMEOUT
) -> Decision:
    name, failed = job.metadata.name, AttemptOutcome.FAILED
    settle = Settle(name, OperationState.FAILED, failed, stack.id, code, message)
    return progress(settle, Reason.RESTARTING, message)


def _stuck(world: World) -> str:
    """Return what is to be said of a stack that is stuck; of another, nothing."""
    match world.kept:
        case Stack(in_progress=True, id=stack_id, status=status, changed=since):
            return f"Stack {stack_id} is {status} since {since:%Y-%m-%dT%H:%M:%SZ}: its engine may have died."
    return ""


def _drifted(message: str) -> Decision:
    return Decision(Nothing(), Reason.DRIFTED, message, Outlook.BLOCKED)


def _said_before(world: World) -> Decision | None:
    """What was seen to differ is said until it is looked at again; that the stack is gone goes before it."""
    if world.kept is None:
        return None
    ready = next((c for c in world.vm.status.conditions if c.type == "Ready"), None)
    return _drifted(ready.message) if ready and ready.reason == Reason.DRIFTED else None
