"""Rules and phrases that PRESENT and ABSENT share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from stoker.api.errors import ErrorCode
from stoker.api.operation import AttemptOutcome, OperationState, OperationType, VirtualMachineOperation
from stoker.core import asked, retry
from stoker.core.actions import Action, DeleteStack, LookById, Nothing, Release, Settle
from stoker.core.classify import classify_reason
from stoker.core.decision import Decision, Outlook, Reason
from stoker.core.faults import Fault, Retry, together
from stoker.core.findings import OUTDATED
from stoker.core.quota import Denied, Unjudged
from stoker.core.stack import Stack, Unknown
from stoker.core.world import Accepted, Held, Lost, Refused, World, is_open

LOOK_AGAIN = 15.0
"""Pause after a look failed or is missing, seconds; a listing usually wakes the VM sooner."""

LONGEST_PAUSE = 300.0
"""Longest pause before a deletion that failed is asked for again, seconds."""


def progress(action: Action, reason: Reason, message: str, *, moving: bool = True) -> Decision:
    """Return a decision for something that is on its way."""
    waits = isinstance(action, Nothing)
    return Decision(action, reason, message, requeue_after=LOOK_AGAIN if waits else None, moving=moving)


def fault_outlook(fault: Fault) -> Outlook:
    """Tell what a person can expect of a fault: only what retries soon by itself is on its way."""
    return Outlook.RETRYING if fault.policy.retry is Retry.BACKOFF else Outlook.BLOCKED


def trouble(
    fault: Fault,
    *,
    action: Action | None = None,
    outlook: Outlook | None = None,
    after: float | None = None,
    moving: bool = False,
    watching: bool = False,
) -> Decision:
    """Return a decision that reports a fault; without an action, nothing is done."""
    return Decision(
        action or Nothing(),
        fault.code,
        fault.sentence,
        outlook or fault_outlook(fault),
        after,
        moving=moving,
        watching=watching,
        fault=fault,
    )


def parked(world: World) -> Decision | None:
    """Return why nothing may be asked of Heat now, everything together, or the wait for what is to be known; or None.

    Whom only the Tenant's quota has no room for is woken when it has.
    """
    findings, quota = world.findings, world.quota
    if findings.waits:
        message = "Waiting for a look at what the cloud offers."
        return Decision(Nothing(), Reason.LOOKING, message, requeue_after=LOOK_AGAIN, wants=findings.wanted)
    faults = [*([world.admission] if isinstance(world.admission, Fault) else []), *findings.faults]
    wants = findings.wanted
    if isinstance(quota, Denied) and quota.fault.code not in {fault.code for fault in faults}:
        faults.append(quota.fault)
        wants |= OUTDATED.get(quota.fault.code, frozenset())  # else a failed read would hold it for minutes
    if faults:
        fault = together(faults)
        woken = (fault.code, *fault.also) == (ErrorCode.QUOTA_EXCEEDED,)
        return replace(trouble(fault, after=None if woken else LOOK_AGAIN), wants=wants)
    if isinstance(quota, Unjudged):
        return progress(Nothing(), Reason.RESERVING, "Waiting for a place in the Tenant's quota.", moving=False)
    return None


def a_double_touches_nothing(world: World) -> Decision | None:
    """Of two live objects with one id, the younger has no say over the stack; on deletion it just goes."""
    if world.duplicate_of is None:
        return None
    fault = Fault(
        ErrorCode.DUPLICATE_IDENTITY, f"{world.duplicate_of} has the same id {world.identity.id} and is older"
    )
    return trouble(fault, action=Release() if world.deleting else None)


def an_answer_is_recorded(world: World) -> Decision | None:
    """What Heat answered is stored before anything else happens; a lost answer stays open."""
    claimed = world.claimed or world.claimed_update or world.claimed_job
    if claimed is None:
        return None
    operation, held = claimed
    match held.answer:
        case Accepted(stack_id):
            return adopted(operation, stack_id)
        case Refused(fault):
            bounded = world.kept if operation.spec.type is OperationType.REPAIR else None
            return failed_attempt(world, operation, fault, stack_id=bounded.id if bounded else None)
    return None


def an_open_create_is_settled_by_its_stack(world: World) -> Decision | None:
    """A stack of ours settles an open create, whoever's answer was lost."""
    if world.unanswered is None or not world.ours:
        return None
    return adopted(world.unanswered, world.ours[0].id)


def adopted(operation: VirtualMachineOperation, stack_id: str) -> Decision:
    """Record that the operation's attempt made this stack, or changes it or its server."""
    settle = Settle(operation.metadata.name, OperationState.RUNNING, AttemptOutcome.ACCEPTED, stack_id)
    return progress(settle, Reason.ADOPTING, f"The {operation.spec.type.lower()} of stack {stack_id} was accepted.")


class Failure(NamedTuple):
    """A stack that an operation failed to bring about."""

    operation: VirtualMachineOperation
    stack: Stack


def recorded_failure(world: World, failure: Failure | None) -> Decision | None:
    """Return what records a failure, with the resource's own reason."""
    if failure is None:
        return None
    stack = failure.stack
    return failed_attempt(world, failure.operation, classify_reason(stack.reason), stack_id=stack.id)


def failed_attempt(world: World, operation: VirtualMachineOperation, fault: Fault, *, stack_id: str | None) -> Decision:
    """Record that the attempt failed, and when the next one is due; or that there will be none."""
    failed_stacks = operation.status.failed_stacks + (stack_id is not None)
    tired = stack_id is not None and failed_stacks >= retry.FAILED_STACKS
    final = fault.policy.retry is Retry.NEVER or tired
    pause = retry.delay(fault, operation.status.attempts, world.identity.id)
    settle = Settle(
        operation.metadata.name,
        OperationState.FAILED if final else OperationState.RUNNING,
        AttemptOutcome.FAILED,
        stack_id,
        fault.code,
        fault.message,
        None if final else world.now + timedelta(seconds=pause),
        failed_stacks=failed_stacks,
    )
    decision = trouble(fault, action=settle, outlook=Outlook.BLOCKED if final else None)
    return replace(decision, wants=OUTDATED.get(fault.code, frozenset()))


def lost_fault(claimed: tuple[VirtualMachineOperation, Held] | None) -> Fault | None:
    """Return why an answer was lost, if this process knows: a 500 says more than that nothing landed."""
    match claimed:
        case (_, Held(answer=Lost(fault))):
            return fault
    return None


def recorded_fault(operation: VirtualMachineOperation) -> Fault:
    """Return the fault that a failed attempt's record tells of."""
    return Fault(
        operation.status.last_error or ErrorCode.UNKNOWN, operation.status.message or "the last attempt failed"
    )


def not_due(world: World, operation: VirtualMachineOperation) -> Decision | None:
    """Report the recorded failure while nothing may be tried: before its time, or for good at this generation.

    A person may ask for the next attempt now. An operation that succeeded has none to wait for.
    """
    return None if operation.spec.generation < world.generation else backs_off(world, operation)


def backs_off(world: World, operation: VirtualMachineOperation) -> Decision | None:
    """Report the same of an operation that no edit hurries: a request for a restart is none of the spec's."""
    if asked.retry_asked(world) or operation.status.state is OperationState.SUCCEEDED:
        return None
    fault = recorded_fault(operation)
    if not is_open(operation):
        return trouble(fault, outlook=Outlook.BLOCKED)
    due = operation.status.next_retry_time
    left = (due - world.now).total_seconds() if due else 0.0
    return trouble(fault, after=left) if left > 0 else None


def what_cannot_be_seen_is_left_alone(world: World) -> Decision | None:
    """Without a look that is newer than our last effect nothing is known, and absence proves nothing."""
    if world.seen is not None:
        return None
    if isinstance(world.listing, Unknown):
        return trouble(
            world.listing.fault, outlook=Outlook.UNKNOWN, after=LOOK_AGAIN, moving=world.unanswered is not None
        )
    return progress(Nothing(), Reason.LOOKING, "Waiting for a look at Heat.")


def waits_for_the_answer(world: World) -> Decision | None:
    """A request that may have been sent can land until the deadline; only a look after it proves that it did not."""
    deadline = world.unresolved_since + world.timing.create_deadline
    if world.seen_after(deadline):
        return None
    message = (
        "A request has no recorded answer and may still land; what is not there proves nothing until its deadline."
    )
    return Decision(
        Nothing(), Reason.AWAITING_ANSWER, message, requeue_after=max(deadline - world.clock, 1.0), moving=True
    )


def next_double_removed(world: World, kept: Stack) -> Decision | None:
    """Return the deletion of a double of the kept stack; None when there is none, or all are going or in a pause."""
    paused = pause_after_failed_delete(world, world.last_effect) > 0
    for stack in world.ours:
        if stack is kept or stack.deleting or (stack.status == "DELETE_FAILED" and paused):
            continue
        message = f"Removing {stack.id}, a second stack of the name {stack.name}; {kept.id} is kept."
        return progress(DeleteStack(stack.name, stack.id), Reason.DUPLICATE_STACKS, message)
    return None


def pause_after_failed_delete(world: World, since: float) -> float:
    """Return the seconds left before a deletion that failed is asked for again: longer after every one sent."""
    return since + min(LOOK_AGAIN * world.effects, LONGEST_PAUSE) - world.clock


def call_failed(world: World, fault: Fault, failures: int) -> Decision:
    """Return what follows when a look or a delete failed: it is said, and done again after a pause.

    What the audit could not take was not even tried, so nothing is unknown.
    """
    known = world.deleting or fault.code is ErrorCode.AUDIT_UNAVAILABLE
    outlook = Outlook.RETRYING if known else Outlook.UNKNOWN
    after = retry.delay(fault, failures, world.identity.id)
    decision = trouble(fault, outlook=outlook, after=after, moving=world.unanswered is not None)
    return asked.explained(world, decision) if world.deleting else decision


def not_yet_proven_gone(world: World) -> Decision | None:
    """Return what is missing for the proof that the recorded stack is gone, or None when it is proven or there is none.

    Absence from a listing is not enough: Heat was seen to hide a live stack. So it is looked at by id as well, and
    again after a while as long as it is there.
    """
    stack_id, probe = world.recorded_id, world.probe
    if stack_id is None:
        return None
    if probe is None or probe.stack_id != stack_id or probe.as_of <= world.last_effect:
        return _look_by_id(stack_id)
    if probe.stack is None:
        return None
    if world.clock > probe.as_of + LOOK_AGAIN:
        return _look_by_id(stack_id)
    if world.identity.owns(probe.stack.tags, probe.stack.project):
        return progress(Nothing(), Reason.LOOKING, f"Stack {stack_id} exists; waiting for it to be listed.")
    fault = Fault(ErrorCode.OWNERSHIP_LOST, f"stack {stack_id} is there, and no longer carries our tags")
    return trouble(fault, outlook=Outlook.BLOCKED, after=LOOK_AGAIN)


def _look_by_id(stack_id: str) -> Decision:
    return progress(LookById(stack_id), Reason.LOOKING, f"Looking for the stack {stack_id}.")
