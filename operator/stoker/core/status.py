"""Status: what the user sees, derived from the world and the decision on every pass. The only author of status."""

from __future__ import annotations

from datetime import datetime

from stoker.api.conditions import Condition, ConditionStatus, ConditionType, merge
from stoker.api.operation import OperationType, VirtualMachineOperation
from stoker.api.quota import Amounts
from stoker.api.virtualmachine import (
    EVENTS,
    DesiredState,
    LastError,
    OperationStatus,
    Phase,
    StackEvent,
    StackStatus,
    VirtualMachineStatus,
)
from stoker.core.actions import Claim, Settle
from stoker.core.asked import retry_value
from stoker.core.classify import redacted
from stoker.core.decision import Decision, Outlook, Reason
from stoker.core.drift import differences, explained
from stoker.core.faults import one_line
from stoker.core.identity import tag_value
from stoker.core.inputs import TEMPLATE_TAG, Inputs
from stoker.core.power import applied, look, restarted
from stoker.core.quota import Denied, Reserved, Verdict, describe
from stoker.core.server import LONGEST_STATE
from stoker.core.stack import Stack
from stoker.core.world import World, is_open

_READY = {
    Outlook.SETTLED: ConditionStatus.TRUE,
    Outlook.UNKNOWN: ConditionStatus.UNKNOWN,
}


_PASSING = {
    Reason.ENROLLING,
    Reason.RESERVING,
    Reason.CLAIMING,
    Reason.LOOKING,
    Reason.ADOPTING,
    Reason.READING_OUTPUTS,
    Reason.CREATING,
    Reason.PREVIEWING,
    Reason.UPDATING,
}


def passes_soon(decision: Decision) -> bool:
    """Tell whether what a status would say will have passed within a second: a write for nobody."""
    return decision.reason in _PASSING and decision.outlook is Outlook.PROGRESSING


def derive(world: World, decision: Decision) -> VirtualMachineStatus:
    """Return the whole status to write.

    What cannot be seen now keeps its last recorded value; times are set once.
    """
    old, stack = world.vm.status, world.ours[0] if world.ours else None
    outputs = world.outputs
    phase, generation = _phase(world, decision), _applied(world, stack)
    return VirtualMachineStatus(
        observed_generation=world.generation,
        id=world.identity.id,
        phase=phase,
        desired_state=DesiredState.ABSENT if world.deleting else DesiredState.PRESENT,
        applied_generation=generation,
        conditions=(
            *conditions(old.conditions, decision, generation=world.generation, now=world.now, quota=world.quota),
            *_drifted(world),
        ),
        stack=_stack(world, stack),
        volume_slots=outputs.volume_slots if outputs and stack and stack.complete else old.volume_slots,
        power_state=_power(world),
        applied_power_state=applied(world) if stack and stack.complete else old.applied_power_state,
        restart_id=restarted(world),
        server_id=(outputs.server_id if outputs else None) or old.server_id,
        private_ip=(outputs.private_ip or None) if outputs else old.private_ip,
        public_ip=(outputs.public_ip or None) if outputs else old.public_ip,
        operation=_operation(world, decision),
        retry=_retry(world, decision),
        last_error=_last_error(old.last_error, decision, world.now),
        events=_events(world, decision),
        reserved=_reserved(world, generation),
        requested_at=old.requested_at or world.now,
        provisioning_at=old.provisioning_at or (world.now if stack else None),
        active_at=old.active_at or (world.now if phase is Phase.ACTIVE else None),
        deleting_at=old.deleting_at or (world.now if world.deleting else None),
    )


def conditions(
    old: tuple[Condition, ...], decision: Decision, *, generation: int, now: datetime, quota: Verdict | None = None
) -> tuple[Condition, ...]:
    """Return the conditions that follow from a decision's outlook, and what the quota says."""
    reason, message = decision.reason.value, decision.message
    ready = _READY.get(decision.outlook, ConditionStatus.FALSE)
    wanted = {ConditionType.READY: (ready, reason, message)}
    if decision.outlook is Outlook.BLOCKED:
        wanted[ConditionType.STALLED] = (ConditionStatus.TRUE, reason, message)
    elif decision.outlook is not Outlook.SETTLED:
        wanted[ConditionType.RECONCILING] = (ConditionStatus.TRUE, reason, message)
    match quota:
        case Reserved(amounts):
            said = f"Reserved are {describe(amounts)}."
            wanted[ConditionType.QUOTA_RESERVED] = (ConditionStatus.TRUE, Reason.RESERVED.value, said)
        case Denied(fault):
            wanted[ConditionType.QUOTA_RESERVED] = (ConditionStatus.FALSE, fault.code.value, fault.sentence)
    return merge(old, wanted, generation=generation, now=now)


def _drifted(world: World) -> tuple[Condition, ...]:
    """Return the condition Drifted, if something is known to differ; while that is not known, as it was."""
    old, found = world.vm.status.conditions, differences(world)
    if world.deleting or found == ():
        return ()
    if found is None:
        return tuple(condition for condition in old if condition.type == ConditionType.DRIFTED)
    message = "; ".join(difference.phrase for difference in found) + "."
    wanted = {ConditionType.DRIFTED: (ConditionStatus.TRUE, Reason.DRIFTED.value, message)}
    return merge(old, wanted, generation=world.generation, now=world.now)


def _power(world: World) -> str | None:
    """Return the server's power state as it was last seen; one that Heat just completed runs."""
    seen = look(world)
    if seen is not None:
        return seen.server.state[:LONGEST_STATE] if seen.server else None
    just_made = world.kept is not None and world.kept.status == "CREATE_COMPLETE"
    return world.vm.status.power_state or ("Running" if just_made else None)


def _phase(world: World, decision: Decision) -> Phase:
    if world.deleting:
        return Phase.DELETING
    if decision.outlook is Outlook.SETTLED:
        return Phase.ACTIVE
    if decision.outlook in (Outlook.BLOCKED, Outlook.RETRYING):
        return Phase.ERROR
    if decision.reason is Reason.PAUSED:
        return world.vm.status.phase or Phase.REQUESTED
    if decision.outlook is Outlook.UNKNOWN and world.vm.status.phase:
        return world.vm.status.phase
    return Phase.PROVISIONING if world.ours or world.recorded_id else Phase.REQUESTED


def _applied(world: World, stack: Stack | None) -> int | None:
    """Return the generation that the stack is complete for: not before its update's operation is ended."""
    applied = world.fits or (world.updated and world.as_asked is None)
    if stack and stack.complete and applied and not (world.update and is_open(world.update)):
        return world.generation
    return world.vm.status.applied_generation


def _reserved(world: World, applied: int | None) -> Amounts | None:
    """Return what stays reserved: what an edit no longer needs is given back when the stack is made from it.

    More is reserved by an admission only (`reconcile.reserving`), never here.
    """
    old = world.vm.status
    if isinstance(world.quota, Reserved) and applied == world.generation != old.applied_generation:
        return world.quota.once_applied
    return old.reserved


def _stack(world: World, stack: Stack | None) -> StackStatus | None:
    old = world.vm.status.stack
    version = world.admission.template_version if isinstance(world.admission, Inputs) else None
    if stack is None:
        return old
    same = old is not None and old.id == stack.id
    tagged = tag_value(stack.tags, TEMPLATE_TAG)
    return StackStatus(
        name=stack.name,
        id=stack.id,
        status=stack.status,
        project_id=stack.project or None,
        status_reason=one_line(redacted(stack.reason)) or None,
        inputs_hash=tag_value(stack.tags, "stoker-in"),
        template_version=tagged or (old.template_version if same and old and not world.current else version),
        outdated=(world.outdated and stack.complete) or None,
        changed_at=_changed_at(world, stack, old if same else None),
    )


def _changed_at(world: World, stack: Stack, known: StackStatus | None) -> datetime | None:
    """Return when the stack was last changed by us; what somebody else changed does not become ours by being seen."""
    foreign = known is not None and known.changed_at is not None and not explained(world, stack)
    if stack.complete and not foreign:
        return stack.changed
    return known.changed_at if known else None


def _operation(world: World, decision: Decision) -> OperationStatus | None:
    made = [operation for operation in world.operations if operation.spec.type is not OperationType.DELETE]
    newest = max(made, key=_age, default=None)
    operation = world.delete if world.deleting and world.delete else newest
    if operation is None:
        return world.vm.status.operation
    action, status = decision.action, operation.status
    settled = action if isinstance(action, Settle) and action.operation == operation.metadata.name else None
    claimed = action if isinstance(action, Claim) and action.operation == operation.metadata.name else None
    return OperationStatus(
        id=operation.metadata.name,
        type=operation.spec.type.value,
        state=(settled.state if settled else status.state).value,
        attempts=claimed.attempt if claimed else status.attempts,
        next_retry_time=settled.next_retry_time if settled else status.next_retry_time,
    )


def _age(operation: VirtualMachineOperation) -> tuple[bool, int, float, str]:
    """Sort operations by what a person would call the newest; an open one is."""
    begun = operation.status.started_at
    return is_open(operation), operation.spec.generation, begun.timestamp() if begun else 0.0, operation.metadata.name


def _retry(world: World, decision: Decision) -> str | None:
    """Return the newest request to try now that an attempt answered, or that found nothing to try."""
    asked = retry_value(world)
    answered = asked in (operation.status.retry for operation in world.operations)
    return asked if asked and (answered or decision.outlook is Outlook.SETTLED) else world.vm.status.retry


def _events(world: World, decision: Decision) -> tuple[StackEvent, ...]:
    """Return what Heat did until the last failure, which is of interest until all is well."""
    if decision.outlook is Outlook.SETTLED:
        return ()
    told, stack = world.events, world.kept
    # What was read of another stack, or before this one came to something else, is of a failure that is over.
    if told is None or (told.stack != stack if stack else told.stack.id != world.recorded_id):
        return world.vm.status.events
    return tuple(
        StackEvent(time=one.time, resource=one.resource[:255], status=one.status[:64], reason=one.reason or None)
        for one in told.events[:EVENTS]
    )


def _last_error(old: LastError | None, decision: Decision, now: datetime) -> LastError | None:
    fault = decision.fault
    if fault is None:
        return None if decision.outlook is Outlook.SETTLED else old
    since = old.time if old and old.code == fault.code else now
    return LastError(code=fault.code, message=fault.sentence[:1024], time=since)
