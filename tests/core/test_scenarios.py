"""The specification as a table: one sentence, one world, one decision. The composed chain is tested: order is behaviour."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.job_scenarios import JOB_ROWS
from stoker.api.errors import ErrorCode
from stoker.api.operation import OperationType, VirtualMachineOperation
from stoker.api.quota import Amounts
from stoker.api.virtualmachine import StackStatus, VirtualMachine
from stoker.core import decide as specification
from stoker.core.actions import (
    AdoptStack,
    Claim,
    CreateStack,
    DeleteStack,
    Enroll,
    LookById,
    LookByName,
    LookToAdopt,
    Nothing,
    PreviewUpdate,
    ReadEvents,
    ReadOutputs,
    Release,
    Retain,
    Settle,
    UpdateStack,
)
from stoker.core.catalog import Part
from stoker.core.common import call_failed
from stoker.core.decide import ABSENT, PRESENT, RULES, decide
from stoker.core.decision import Outlook, Reason
from stoker.core.faults import Fault
from stoker.core.findings import Findings
from stoker.core.identity import operation_name
from stoker.core.inputs import spec_hash
from stoker.core.quota import Denied, Reserved, Unjudged
from stoker.core.stack import Candidate, Outputs, Plan, Preview, Probe, Stack, StackEvents, Unknown
from stoker.core.world import Accepted, Held, Lost, Refused, World
from support.build import (
    CLOCK,
    CREATE,
    DELETE,
    IDENTITY,
    INPUTS,
    NOW,
    UID,
    UPDATE,
    active,
    listing,
    operation,
    stack,
    vm,
    world,
)


def update(generation: int = 2, **status: object) -> VirtualMachineOperation:
    """Return an update operation."""
    return operation(OperationType.UPDATE, cause=f"{UID}/{generation}", generation=generation, **status)


NO_ROOM = Denied(Fault(ErrorCode.QUOTA_EXCEEDED, "no room"), frozenset({"vms"}))
RESERVED = Reserved(Amounts(vms=1), Amounts(vms=1))
DOWN = Fault(ErrorCode.CLOUD_UNAVAILABLE, "list stacks: HTTP 503")
NO_FLAVOR = Fault(ErrorCode.FLAVOR_NOT_FOUND, "create stack: no flavor")
UNKNOWN_NAME = Findings(
    (Fault(ErrorCode.FLAVOR_NOT_FOUND, "there is no flavor m1.tinny"),), wanted=frozenset({Part.FLAVORS})
)
ASKED = Findings(waits=True, wanted=frozenset({Part.FLAVORS}))
NO_TENANT = Fault(ErrorCode.TENANT_NOT_FOUND, "no Tenant")
NO_HOST = (
    'Resource CREATE failed: ResourceInError: resources.server: Went to status ERROR due to "No valid host was found."'
)
OUTPUTS = Outputs("server", "10.0.0.4")
LATER, EARLIER = NOW + timedelta(minutes=5), NOW - timedelta(minutes=5)
OPEN_UPDATE, SECOND_UPDATE = update(), update(attempts=2)
SENT_UPDATE = update(outcome="Accepted", stack_id="s1")
LATE_UPDATE = update(outcome="Failed", last_error="NoValidHost", message="full", next_retry_time=LATER)
DUE_UPDATE = update(outcome="Failed", last_error="NoValidHost", message="full", next_retry_time=EARLIER)
DEAD_UPDATE = update(state="Failed", outcome="Failed", last_error="NoValidHost", message="full")
GOOD_UPDATE = update(state="Succeeded", outcome="Accepted", stack_id="s1")
LONG_AGO = NOW - timedelta(days=1)
HELD_UPDATE = Held(UPDATE, 1, since=CLOCK - 10)
PLAN = Preview(CLOCK - 5, "s1", INPUTS.hash, Plan(updated=("server",)))
COSTLY = replace(PLAN, plan=Plan(replaced=("server",), types={"server": "OS::Nova::Server"}))


def edited(
    *operations: VirtualMachineOperation,
    machine: VirtualMachine | None = None,
    made: Stack | None = None,
    **more: object,
) -> World:
    """Return the world of a VM that was edited after its stack was made, and what an update of it would do."""
    known = {"operations": (DONE, *operations), "preview": PLAN, "outputs": OUTPUTS, **more}
    return world(machine or active(generation=2), made or stack(inputs="other"), **known)


NOW_PLEASE, PAUSE, LET_GO = {"retry": "1"}, {"paused": "true"}, {"abandon": UID}
OTHER_SPEC = vm(spec={"flavor": "m1.small"})
HELD = Held(CREATE, 1, since=CLOCK - 10)
SENT = replace(HELD, sent=True)
OPEN = operation()
ACCEPTED = operation(outcome="Accepted", stack_id="s1")
WAITING = operation(outcome="Failed", last_error="NoValidHost", message="full", next_retry_time=LATER)
RECORD = {"outcome": "Failed", "last_error": "NoValidHost", "message": "full", "next_retry_time": LATER}
DUE = operation(outcome="Failed", last_error="NoValidHost", message="full", next_retry_time=EARLIER)
DEAD = operation(state="Failed", outcome="Failed", last_error="StackFailed", message="broken", stack_id="s1")
DONE = operation(state="Succeeded", outcome="Accepted", stack_id="s1")
OPEN_DELETE, ASKED_DELETE = operation(OperationType.DELETE), operation(OperationType.DELETE, attempts=1, retry="1")
DELETED = operation(OperationType.DELETE, state="Succeeded", outcome="Accepted")
HELD_DELETE = Held(DELETE, 1, since=CLOCK - 10)
LOOKED = listing(as_of=CLOCK - 5)
GONE = Probe(CLOCK - 1, "s1", None)
OLD_ID = replace(IDENTITY, id="22222222-2222-4222-8222-222222222222")
GOING = vm(deleting=True)
WAS_ACTIVE = active(deleting=True)
RETAINING = active(deleting=True, spec={"deletionPolicy": "Retain"})


ADOPTING = vm(asked={"adopt-stack": "a1"})
FOUND = stack(id="a1", ours=False, name="legacy-1", tags=frozenset({"env=prod"}))
NOBODYS = Candidate(CLOCK - 5, "a1", FOUND, frozenset({"server_id", "private_ip", "public_ip"}))
ADOPTION = operation_name("web-1", UID, OperationType.CREATE, "adopt/a1/1")
HELD_ADOPTION = Held(ADOPTION, 1, since=CLOCK - 10)


def adoption(generation: int = 1, **status: object) -> VirtualMachineOperation:
    """Return the create that adopts the stack."""
    made = operation(cause=f"adopt/a1/{generation}", generation=generation, **status)
    return made.model_copy(update={"spec": made.spec.model_copy(update={"stack_name": "legacy-1"})})


LATE_ADOPTION = adoption(outcome="Failed", last_error="Timeout", message="lost", next_retry_time=LATER)
DUE_ADOPTION = adoption(outcome="Failed", last_error="Timeout", message="lost", next_retry_time=EARLIER)
DEAD_ADOPTION = adoption(state="Failed", outcome="Failed", last_error="InvalidSpec", message="no")
KEYED = vm(asked={"idempotency-key": "k1"})
HOLDER = operation(cause="")

Row = tuple[World, type, str, Outlook]
P, S, B, R, U = Outlook.PROGRESSING, Outlook.SETTLED, Outlook.BLOCKED, Outlook.RETRYING, Outlook.UNKNOWN

PRESENT_ROWS: dict[str, Row] = {
    "of two objects with one id, the younger touches nothing": (world(duplicate_of="team-a/web-0"), Nothing, "DuplicateIdentity", B),
    "a new VM gets its finalizer and id first": (world(vm(enrolled=False)), Enroll, "Enrolling", P),
    "a finalizer without the id is not enough": (world(vm(annotated=False)), Enroll, "Enrolling", P),
    "the id without a finalizer is not enough": (world(vm(enrolled=False, annotated=True)), Enroll, "Enrolling", P),
    "a VM that had a stack is looked after, admitted or not": (world(active(), admission=NO_TENANT), LookById, "Looking", P),
    "a VM that has a stack is looked after, admitted or not": (world(None, stack(), admission=NO_TENANT), ReadOutputs, "ReadingOutputs", P),
    "an open delete is no create": (world(operations=(OPEN_DELETE,)), Claim, "Claiming", P),
    "a VM that is not admitted is parked": (world(admission=NO_TENANT), Nothing, "TenantNotFound", B),
    "a VM whose names nobody knows is parked": (world(findings=UNKNOWN_NAME), Nothing, "FlavorNotFound", B),
    "what cannot be said yet is waited for": (world(findings=ASKED), Nothing, "Looking", P),
    "a VM that had a stack is looked after, whatever its names": (world(active(), findings=UNKNOWN_NAME), LookById, "Looking", P),
    "a stack in progress is left alone, whatever the names": (
        world(None, stack("CREATE_IN_PROGRESS"), operations=(ACCEPTED,), findings=UNKNOWN_NAME), Nothing, "InProgress", P),
    "a stack that became complete is applied, whatever the names": (
        world(None, stack(), operations=(DONE,), outputs=OUTPUTS, findings=UNKNOWN_NAME), Nothing, "Active", S),
    "an Active VM stays so when its flavor is deleted": (world(active(), stack(), findings=UNKNOWN_NAME), Nothing, "Active", S),
    "a VM that the quota has no room for is parked": (world(quota=NO_ROOM), Nothing, "QuotaExceeded", B),
    "a VM that nobody judged yet waits for the quota": (world(quota=Unjudged()), Nothing, "Reserving", P),
    "a VM whose place is reserved is claimed": (world(quota=RESERVED), Claim, "Claiming", P),
    "a VM that has a stack runs on, whatever the quota has room for": (
        world(active(), stack(), operations=(DONE,), quota=NO_ROOM), Nothing, "Active", S),
    "an edit that the quota has no room for leaves the VM as it is": (edited(quota=NO_ROOM), Nothing, "QuotaExceeded", B),
    "an edit whose difference is reserved is previewed": (edited(quota=RESERVED, preview=None), PreviewUpdate, "Previewing", P),
    "a claim whose VM asks for more than there is room for fails": (
        world(operations=(OPEN,), held=HELD, named=LOOKED, quota=NO_ROOM), Settle, "QuotaExceeded", B),
    "a claim whose VM was edited waits for the quota": (
        world(operations=(OPEN,), held=HELD, named=LOOKED, quota=Unjudged()), Nothing, "Reserving", P),
    "a failed create is not claimed again without room": (world(operations=(DUE,), quota=NO_ROOM), Nothing, "QuotaExceeded", B),
    "a missing stack is not made anew without room": (
        world(active(), operations=(DONE,), probe=GONE, quota=NO_ROOM), Nothing, "QuotaExceeded", B),
    "what cannot be listed is unknown": (world(listing=Unknown(DOWN)), Nothing, "CloudUnavailable", U),
    "before the first listing nothing is known, and nothing is wrong": (
        world(active(), listing=None), Nothing, "Looking", P),
    "a look older than the last effect does not count": (world(last_effect=CLOCK), Nothing, "Looking", P),
    "an admitted VM is claimed before anything is asked for": (world(), Claim, "Claiming", P),
    "a claim is followed by a look by name": (world(operations=(OPEN,), held=HELD), LookByName, "Looking", P),
    "a look from before the claim does not count": (
        world(operations=(OPEN,), held=HELD, named=listing(as_of=CLOCK - 11)), LookByName, "Looking", P),
    "after claim and absence, the stack is created": (world(operations=(OPEN,), held=HELD, named=LOOKED), CreateStack, "Creating", P),
    "a claim whose VM is no longer admitted fails": (
        world(operations=(OPEN,), held=HELD, named=LOOKED, admission=NO_TENANT), Settle, "TenantNotFound", B),
    "a claim whose VM is found wrong fails": (
        world(operations=(OPEN,), held=HELD, named=LOOKED, findings=UNKNOWN_NAME), Settle, "FlavorNotFound", B),
    "a claim waits for what cannot be said yet": (
        world(operations=(OPEN,), held=HELD, named=LOOKED, findings=ASKED), Nothing, "Looking", P),
    "a foreign stack of our name is never touched": (
        world(operations=(OPEN,), held=HELD, named=listing(stack(ours=False), as_of=CLOCK - 5)), Settle, "NameConflict", B),
    "a foreign stack seen before the claim is looked at again": (
        world(operations=(OPEN,), held=HELD, named=listing(stack(ours=False), as_of=CLOCK - 11)), LookByName, "Looking", P),
    "a stack of ours that went since the look by name is no foreign one": (
        world(operations=(OPEN,), held=HELD, named=listing(stack(), as_of=CLOCK - 5)), CreateStack, "Creating", P),
    "an accepted create is recorded": (world(operations=(OPEN,), held=replace(SENT, answer=Accepted("s1"))), Settle, "Adopting", P),
    "a refused create is recorded": (world(operations=(OPEN,), held=replace(SENT, answer=Refused(NO_FLAVOR))), Settle, "FlavorNotFound", B),
    "a lost answer is waited for": (
        world(operations=(OPEN,), held=replace(SENT, answer=Lost(DOWN)), unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "somebody else's open claim is waited for": (world(operations=(OPEN,), unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "a look from before the deadline proves no absence": (
        world(operations=(OPEN,), unresolved_since=CLOCK - 120.5), Nothing, "AwaitingAnswer", P),
    "past its deadline, an unanswered create failed": (world(operations=(OPEN,), unresolved_since=CLOCK - 200), Settle, "Timeout", R),
    "a stack that appears settles an open create": (world(None, stack("CREATE_IN_PROGRESS"), operations=(OPEN,)), Settle, "Adopting", P),
    "a stack in progress is left alone": (world(None, stack("CREATE_IN_PROGRESS"), operations=(ACCEPTED,)), Nothing, "InProgress", P),
    "a stack in progress for hours is stuck": (
        world(None, stack("CREATE_IN_PROGRESS", created=NOW - timedelta(hours=2)), operations=(ACCEPTED,)), Claim, "Stuck", P),
    "an unrecorded stack that is going is waited for": (world(None, stack("DELETE_IN_PROGRESS")), Nothing, "InProgress", P),
    "an unfinished stack without an operation gets one": (world(None, stack("CREATE_FAILED")), Claim, "Claiming", P),
    "a stack that once worked needs no create": (world(active(), stack("UPDATE_FAILED")), Nothing, "StackFailed", B),
    "nor does one that somebody else could not delete": (world(active(), stack("DELETE_FAILED")), Nothing, "StackFailed", B),
    "what Heat did is read before a failed create is recorded": (
        world(None, stack("CREATE_FAILED"), operations=(ACCEPTED,), events=None), ReadEvents, "Looking", P),
    "what Heat did before the stack failed tells not enough": (
        world(None, stack("CREATE_FAILED"), operations=(ACCEPTED,), events=StackEvents(stack("CREATE_IN_PROGRESS"), ())),
        ReadEvents, "Looking", P),
    "what Heat did is read once: with the failure": (
        world(None, stack("CREATE_FAILED"), operations=(DEAD,), events=None), Nothing, "StackFailed", B),
    "what Heat did with a stack that is well is not read": (
        world(active(), stack(), operations=(DONE,), events=None), Nothing, "Active", S),
    "a failed create is recorded with the resource's reason": (
        world(None, stack("CREATE_FAILED", reason=NO_HOST), operations=(ACCEPTED,)), Settle, "NoValidHost", B),
    "a failed stack stays until the next try": (world(None, stack("CREATE_FAILED"), operations=(WAITING,)), Nothing, "NoValidHost", B),
    "a failed stack is removed before the next try": (world(None, stack("CREATE_FAILED"), operations=(DUE,)), DeleteStack, "CleaningUp", P),
    "a failed operation keeps its stack as evidence": (world(None, stack("CREATE_FAILED"), operations=(DEAD,)), Nothing, "StackFailed", B),
    "an edit removes the failed stack of a failed operation": (
        world(vm(generation=2), stack("CREATE_FAILED"), operations=(DEAD,)), DeleteStack, "CleaningUp", P),
    "a clean-up that failed is tried again after a pause": (
        world(None, stack("DELETE_FAILED"), operations=(DUE,), last_effect=CLOCK - 2, effects=1), Nothing, "StackFailed", R),
    "a clean-up that failed is tried again": (
        world(None, stack("DELETE_FAILED"), operations=(DUE,), last_effect=CLOCK - 20, effects=1), DeleteStack, "CleaningUp", P),
    "a failed stack is removed at once, whatever was removed before": (
        world(None, stack("CREATE_FAILED"), operations=(DUE,), last_effect=CLOCK - 2, effects=1), DeleteStack, "CleaningUp", P),
    "a stack that failed in another way is not removed for a retry": (
        world(None, stack("CHECK_FAILED"), operations=(DUE,)), Nothing, "StackFailed", B),
    "an accepted stack that failed in another way is not recorded as a failed create": (
        world(None, stack("CHECK_FAILED"), operations=(ACCEPTED,)), Nothing, "StackFailed", B),
    "a create that failed after it had succeeded waits for a person": (
        world(active(), stack("CREATE_FAILED"), operations=(DONE,)), Nothing, "StackFailed", B),
    "a failed stack that once worked waits for a person": (world(active(), stack("UPDATE_FAILED"), operations=(DONE,)), Nothing, "StackFailed", B),
    "a failed clean-up of what once worked waits for a person": (
        world(active(), stack("DELETE_FAILED"), operations=(DONE,)), Nothing, "StackFailed", B),
    "a stack that somebody suspended waits for a person": (
        world(active(), stack("SUSPEND_COMPLETE"), operations=(DONE,)), Nothing, "StackFailed", B),
    "of two stacks, the recorded one is kept": (
        world(active(), stack(id="s0"), stack(), operations=(DONE,)), DeleteStack, "DuplicateStacks", P),
    "of two stacks, one that is going is waited for": (
        world(active(), stack("DELETE_IN_PROGRESS", id="s0"), stack(), operations=(DONE,)), Nothing, "Active", S),
    "of two stacks, one that could not be deleted is left alone for a while": (
        world(active(), stack("DELETE_FAILED", id="s0"), stack(), operations=(DONE,), last_effect=CLOCK - 2, effects=1),
        Nothing, "Active", S),
    "of two stacks, one that could not be deleted is removed after a while": (
        world(active(), stack("DELETE_FAILED", id="s0"), stack(), operations=(DONE,)), DeleteStack, "DuplicateStacks", P),
    "of two stacks, one that was not tried yet is removed at once": (
        world(active(), stack(id="s0"), stack(), operations=(DONE,), last_effect=CLOCK - 2, effects=1), DeleteStack, "DuplicateStacks", P),
    "another stack than the recorded one has its outputs read": (
        world(active(), stack(id="s2"), operations=(operation(state="Succeeded", outcome="Accepted", stack_id="s2"),)),
        ReadOutputs, "ReadingOutputs", P),
    "a recorded stack without a server has its outputs read": (
        world(active(server_id=None), stack(), operations=(DONE,)), ReadOutputs, "ReadingOutputs", P),
    "a stack whose create is open has its outputs read": (world(active(), stack(), operations=(ACCEPTED,)), ReadOutputs, "ReadingOutputs", P),
    "a complete stack has its outputs read": (world(None, stack(), operations=(ACCEPTED,)), ReadOutputs, "ReadingOutputs", P),
    "a complete stack ends its operation": (world(None, stack(), operations=(ACCEPTED,), outputs=OUTPUTS), Settle, "Adopting", P),
    "a complete stack is settled": (world(None, stack(), operations=(DONE,), outputs=OUTPUTS), Nothing, "Active", S),
    "a settled VM needs neither operation nor admission": (world(active(), stack(), admission=NO_TENANT), Nothing, "Active", S),
    "an edit that changes nothing in Heat is applied": (
        edited(made=stack(), preview=None), Nothing, "Active", S),
    "an edit that cannot be admitted is said": (
        edited(made=stack(), admission=NO_FLAVOR), Nothing, "FlavorNotFound", B),
    "an edit that names what nobody knows is said": (edited(findings=UNKNOWN_NAME), Nothing, "FlavorNotFound", B),
    "an edit waits for what cannot be said yet": (edited(findings=ASKED), Nothing, "Looking", P),
    "an edit that changes nothing in Heat is applied, whatever the names": (
        edited(made=stack(), findings=UNKNOWN_NAME), Nothing, "Active", S),
    "an update of an edit that failed is not repeated with names that nobody knows": (
        edited(DUE_UPDATE, made=stack("UPDATE_FAILED", by=UPDATE), outputs=OUTPUTS, findings=UNKNOWN_NAME),
        Nothing, "FlavorNotFound", B),
    "an edit is previewed before anything is stored": (edited(preview=None), PreviewUpdate, "Previewing", P),
    "a preview of other inputs does not count": (
        edited(preview=replace(PLAN, inputs_hash="x")), PreviewUpdate, "Previewing", P),
    "a preview of another stack does not count": (
        edited(preview=replace(PLAN, stack_id="s0")), PreviewUpdate, "Previewing", P),
    "an edit that would cost the server is refused": (edited(preview=COSTLY), Nothing, "UpdateWouldReplace", B),
    "an edit that may cost the server is claimed": (
        edited(machine=active(generation=2, spec={"allowReplace": True}), preview=COSTLY), Claim, "Claiming", P),
    "an edit that Heat refuses is said": (
        edited(preview=replace(PLAN, plan=NO_FLAVOR)), Nothing, "FlavorNotFound", B),
    "and after a pause asked about again": (
        edited(preview=replace(PLAN, plan=NO_FLAVOR, as_of=CLOCK - 100)), PreviewUpdate, "Previewing", P),
    "an update is claimed before it is sent": (edited(), Claim, "Claiming", P),
    "a claimed update is sent after a look": (edited(OPEN_UPDATE, held=HELD_UPDATE), UpdateStack, "Updating", P),
    "a look from before the claim does not count for an update": (
        edited(OPEN_UPDATE, held=replace(HELD_UPDATE, since=CLOCK)), Nothing, "Looking", P),
    "the answer to an update is recorded": (
        edited(OPEN_UPDATE, held=replace(HELD_UPDATE, sent=True, answer=Accepted("s1"))), Settle, "Adopting", P),
    "a refusal of an update is recorded": (
        edited(OPEN_UPDATE, held=replace(HELD_UPDATE, sent=True, answer=Refused(NO_FLAVOR))), Settle, "FlavorNotFound", B),
    "an update that nobody answered may still land": (
        edited(OPEN_UPDATE, unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "an update whose answer was lost may still land": (
        edited(OPEN_UPDATE, held=replace(HELD_UPDATE, sent=True, answer=Lost(DOWN)), unresolved_since=CLOCK - 60),
        Nothing, "AwaitingAnswer", P),
    "an update that did not land before its deadline failed": (
        edited(OPEN_UPDATE, unresolved_since=CLOCK - 200), Settle, "Timeout", R),
    "an update that landed is settled by its stack": (
        edited(OPEN_UPDATE, made=stack("UPDATE_IN_PROGRESS", by=UPDATE)), Settle, "Adopting", P),
    "an update that landed and failed is settled by its stack": (
        edited(OPEN_UPDATE, made=stack("UPDATE_FAILED", by=UPDATE)), Settle, "Adopting", P),
    "after a failed attempt the tag proves no other": (
        edited(SECOND_UPDATE, made=stack("UPDATE_FAILED", by=UPDATE), unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "a second attempt that runs is settled by its stack": (
        edited(SECOND_UPDATE, made=stack("UPDATE_IN_PROGRESS", by=UPDATE)), Settle, "Adopting", P),
    "an update in progress is left alone": (
        edited(SENT_UPDATE, made=stack("UPDATE_IN_PROGRESS", by=UPDATE)), Nothing, "InProgress", P),
    "what Heat did is read before a failed update is recorded": (
        edited(SENT_UPDATE, made=stack("UPDATE_FAILED", by=UPDATE), events=None), ReadEvents, "Looking", P),
    "an update that failed is recorded with its reason": (
        edited(SENT_UPDATE, made=stack("UPDATE_FAILED", by=UPDATE, reason=NO_HOST)), Settle, "NoValidHost", B),
    "an update that was waited for and failed again is not recorded twice": (
        edited(LATE_UPDATE, made=stack("UPDATE_FAILED", by=UPDATE, reason=NO_HOST)), Nothing, "NoValidHost", B),
    "outputs are read again after an update": (
        edited(SENT_UPDATE, made=stack("UPDATE_COMPLETE", by=UPDATE), outputs=None), ReadOutputs, "ReadingOutputs", P),
    "of an update that failed they are read too": (
        edited(LATE_UPDATE, made=stack("UPDATE_FAILED", by=UPDATE), outputs=None), ReadOutputs, "ReadingOutputs", P),
    "a complete update is ended": (edited(SENT_UPDATE, made=stack("UPDATE_COMPLETE", by=UPDATE)), Settle, "Adopting", P),
    "an update that a new stack made needless is ended": (edited(SENT_UPDATE, made=stack()), Settle, "Adopting", P),
    "an update that another undid is claimed again": (edited(SENT_UPDATE), Claim, "Claiming", P),
    "a failed update is tried again": (edited(DUE_UPDATE), Claim, "Claiming", P),
    "a failed update waits for its time": (edited(LATE_UPDATE), Nothing, "NoValidHost", B),
    "an update that failed for good waits for an edit": (edited(DEAD_UPDATE), Nothing, "NoValidHost", B),
    "an edit of it is previewed": (
        edited(DEAD_UPDATE, machine=active(generation=3), made=stack("UPDATE_FAILED", by=UPDATE), preview=None),
        PreviewUpdate, "Previewing", P),
    "an edit ends an update that failed": (
        edited(LATE_UPDATE, machine=active(generation=3)), Settle, "Claiming", P),
    "an edit that is taken back ends an unsent update": (
        edited(OPEN_UPDATE, held=HELD_UPDATE, made=stack()), Settle, "Claiming", P),
    "without a stack an open update waits for nothing": (
        edited(OPEN_UPDATE, held=HELD_UPDATE, listing=listing()), LookById, "Looking", P),
    "without a stack an unanswered update is not waited for": (
        edited(OPEN_UPDATE, unresolved_since=CLOCK - 60, listing=listing()), LookById, "Looking", P),
    "without a stack a sent update waits for nothing": (edited(SENT_UPDATE, listing=listing()), LookById, "Looking", P),
    "without a stack nothing is updated": (edited(listing=listing()), LookById, "Looking", P),
    "a stack that failed after its update had succeeded waits for a person": (
        edited(GOOD_UPDATE, machine=active(generation=2, applied_generation=2), made=stack("UPDATE_FAILED", by=UPDATE)),
        Nothing, "StackFailed", B),
    "an update that is complete succeeded, also when the spec was edited since": (
        edited(SENT_UPDATE, machine=active(generation=3), made=stack("UPDATE_COMPLETE", by=UPDATE, inputs="other")),
        Settle, "Adopting", P),
    "an update that failed for good and is not wanted any more is no trouble": (
        edited(DEAD_UPDATE, made=stack()), Nothing, "Active", S),
    "an update that succeeded is not asked for again, whatever changed since": (edited(GOOD_UPDATE), Nothing, "Active", S),
    "an update of the object's life before is none of this one": (
        edited(operation(OperationType.UPDATE, cause="another/7", generation=7, state="Failed", outcome="Failed")),
        Claim, "Claiming", P),
    "a preview from before the last attempt does not count": (
        edited(DUE_UPDATE, last_effect=CLOCK - 3, preview=replace(PLAN, as_of=CLOCK - 3)), PreviewUpdate, "Previewing", P),
    "outputs are not read while an update may still land": (
        edited(OPEN_UPDATE, unresolved_since=CLOCK - 60, outputs=None), Nothing, "AwaitingAnswer", P),
    "an edit after an update that succeeded is previewed": (
        edited(GOOD_UPDATE, machine=active(generation=3), preview=None), PreviewUpdate, "Previewing", P),
    "outputs are read again after a crash between an update's end and its status": (
        edited(GOOD_UPDATE, made=stack("UPDATE_COMPLETE", by=UPDATE), outputs=None), ReadOutputs, "ReadingOutputs", P),
    "outputs are read again when the spec is not the applied one": (
        edited(GOOD_UPDATE, made=stack("UPDATE_COMPLETE", by=UPDATE), outputs=None, machine=active(generation=3)),
        ReadOutputs, "ReadingOutputs", P),
    "an update in its pause waits for admission": (
        edited(LATE_UPDATE, admission=NO_FLAVOR), Nothing, "FlavorNotFound", B),
    "a failed update that an edit made needless is ended as failed": (
        edited(LATE_UPDATE, made=stack()), Settle, "Claiming", P),
    "what differs without an edit is left alone": (edited(machine=active()), Nothing, "Active", S),
    "an unsent update that is not admitted any more waits": (
        edited(OPEN_UPDATE, held=HELD_UPDATE, admission=NO_FLAVOR), Nothing, "FlavorNotFound", B),
    "a stack that failed in another way is not updated": (
        edited(made=stack("CHECK_FAILED", inputs="other")), Nothing, "StackFailed", B),
    "an update of an old stack is in progress": (
        edited(SENT_UPDATE, made=stack("UPDATE_IN_PROGRESS", by=UPDATE, created=LONG_AGO, updated=NOW)),
        Nothing, "InProgress", P),
    "an update whose engine died is stuck": (
        edited(SENT_UPDATE, made=stack("UPDATE_IN_PROGRESS", by=UPDATE, created=NOW, updated=LONG_AGO)),
        Claim, "Stuck", P),
    "of an update that failed for good outputs are read too": (
        edited(DEAD_UPDATE, made=stack("UPDATE_FAILED", by=UPDATE), outputs=None), ReadOutputs, "ReadingOutputs", P),
    "a failed stack that nobody edited waits for a person": (
        edited(machine=active(), made=stack("UPDATE_FAILED")), Nothing, "StackFailed", B),
    "an accepted stack that is not listed is looked at by id": (world(operations=(ACCEPTED,)), LookById, "Looking", P),
    "an accepted stack that vanished failed": (world(operations=(ACCEPTED,), probe=GONE), Settle, "StackMissing", R),
    "a failed attempt waits for its time": (world(operations=(WAITING,)), Nothing, "NoValidHost", B),
    "a failed attempt is claimed again when due": (world(operations=(DUE,)), Claim, "Claiming", P),
    "a failed attempt is not repeated without admission": (world(operations=(DUE,), admission=NO_TENANT), Nothing, "TenantNotFound", B),
    "a failed attempt is not repeated with names that nobody knows": (
        world(operations=(DUE,), findings=UNKNOWN_NAME), Nothing, "FlavorNotFound", B),
    "an edit ends the failed attempt's operation": (world(vm(generation=2), operations=(WAITING,)), Settle, "Claiming", P),
    "a failed operation waits for an edit": (world(operations=(DEAD,)), Nothing, "StackFailed", B),
    "an edit follows a failed operation with a new one": (world(vm(generation=2), operations=(DEAD,)), Claim, "Claiming", P),
    "a stack that was there is looked at by id": (world(active(), operations=(DONE,)), LookById, "Looking", P),
    "a stack that was there is made anew": (world(active(), operations=(DONE,), probe=GONE), Claim, "StackMissing", R),
    "a stack that was there is made anew, once admitted": (
        world(active(), operations=(DONE,), probe=GONE, admission=NO_TENANT), Nothing, "TenantNotFound", B),
    "a stack that was there is made anew, once its names are known": (
        world(active(), operations=(DONE,), probe=GONE, findings=UNKNOWN_NAME), Nothing, "FlavorNotFound", B),
    "a stack that was there is only reported when asked": (
        world(active(spec={"onStackMissing": "Error"}), operations=(DONE,), probe=GONE), Nothing, "StackMissing", B),
    "a stack that is there and not listed is waited for": (
        world(active(), operations=(DONE,), probe=Probe(CLOCK - 1, "s1", stack())), Nothing, "Looking", P),
    "a stack that lost our tags is never touched": (
        world(active(), operations=(DONE,), probe=Probe(CLOCK - 1, "s1", stack(ours=False))), Nothing, "OwnershipLost", B),
    "a stack that was there a while ago is looked at again": (
        world(active(), operations=(DONE,), probe=Probe(CLOCK - 60, "s1", stack(ours=False))), LookById, "Looking", P),
    "a stack to adopt is looked at first": (world(ADOPTING), LookToAdopt, "Looking", P),
    "a look at another stack to adopt does not count": (
        world(ADOPTING, candidate=replace(NOBODYS, stack_id="a2")), LookToAdopt, "Looking", P),
    "a look at the stack to adopt from a while ago does not count": (
        world(ADOPTING, candidate=replace(NOBODYS, as_of=CLOCK - 61)), LookToAdopt, "Looking", P),
    "the adoption of a stack that is nobody's is claimed": (world(ADOPTING, candidate=NOBODYS), Claim, "Claiming", P),
    "a stack that is somebody's is not adopted, and nothing is stored": (
        world(ADOPTING, candidate=replace(NOBODYS, stack=None)), Nothing, "AdoptionRefused", B),
    "a VM that is not admitted adopts nothing": (
        world(ADOPTING, operations=(DUE_ADOPTION,), candidate=NOBODYS, admission=NO_TENANT), Nothing, "TenantNotFound", B),
    "a claimed adoption is sent after a look": (
        world(ADOPTING, operations=(adoption(),), held=HELD_ADOPTION, candidate=NOBODYS), AdoptStack, "Adopting", P),
    "a look from before the claim does not count for an adoption": (
        world(ADOPTING, operations=(adoption(),), held=replace(HELD_ADOPTION, since=CLOCK - 4), candidate=NOBODYS),
        LookToAdopt, "Looking", P),
    "a claimed adoption looks first": (world(ADOPTING, operations=(adoption(),), held=HELD_ADOPTION), LookToAdopt, "Looking", P),
    "a stack that became somebody's since the claim is not adopted": (
        world(ADOPTING, operations=(adoption(),), held=HELD_ADOPTION, candidate=NOBODYS, claimant="team-b/web-1"),
        Settle, "AdoptionRefused", B),
    "a claimed adoption that is not admitted any more fails": (
        world(ADOPTING, operations=(adoption(),), held=HELD_ADOPTION, candidate=NOBODYS, admission=NO_TENANT),
        Settle, "TenantNotFound", B),
    "a claimed adoption that is not asked for any more fails": (
        world(operations=(adoption(),), held=HELD_ADOPTION, candidate=NOBODYS), Settle, "AdoptionRefused", B),
    "an adoption without an answer may still land": (
        world(ADOPTING, operations=(adoption(),), unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "our tags settle an adoption": (
        world(ADOPTING, stack("UPDATE_IN_PROGRESS", id="a1", name="legacy-1"), operations=(adoption(),)), Settle, "Adopting", P),
    "an adoption in progress is left alone": (
        world(ADOPTING, stack("UPDATE_IN_PROGRESS", id="a1", name="legacy-1"), operations=(adoption(outcome="Accepted", stack_id="a1"),)),
        Nothing, "InProgress", P),
    "an adopted stack that is not like the spec is previewed, not rebuilt": (
        world(ADOPTING, stack("UPDATE_COMPLETE", id="a1", name="legacy-1", inputs="adopted"), outputs=OUTPUTS,
              operations=(adoption(state="Succeeded", outcome="Accepted", stack_id="a1"),)), PreviewUpdate, "Previewing", P),
    "a failed adoption waits for its time": (world(ADOPTING, operations=(LATE_ADOPTION,), candidate=NOBODYS), Nothing, "Timeout", R),
    "a failed adoption is claimed again when due": (world(ADOPTING, operations=(DUE_ADOPTION,), candidate=NOBODYS), Claim, "Claiming", P),
    "a failed adoption looks again when due": (world(ADOPTING, operations=(DUE_ADOPTION,)), LookToAdopt, "Looking", P),
    "an adoption that failed for good waits for an edit": (
        world(ADOPTING, operations=(DEAD_ADOPTION,), candidate=NOBODYS), Nothing, "InvalidSpec", B),
    "an edit of it is another adoption": (
        world(vm(asked={"adopt-stack": "a1"}, generation=2), operations=(DEAD_ADOPTION,), candidate=NOBODYS), Claim, "Claiming", P),
    "an edit ends an open adoption first": (
        world(vm(asked={"adopt-stack": "a1"}, generation=2), operations=(DUE_ADOPTION,), candidate=NOBODYS), Settle, "Claiming", P),
    "an adoption that is not asked for any more is ended before a stack is made": (
        world(operations=(DUE_ADOPTION,)), Settle, "Claiming", P),
    "a create that failed for good gives way to an adoption": (
        world(ADOPTING, operations=(operation(state="Failed", outcome="Failed", last_error="InvalidSpec"),), candidate=NOBODYS),
        Claim, "Claiming", P),
    "a VM whose stack is gone makes a new one, whatever it adopted once": (
        world(active(asked={"adopt-stack": "a1"}), operations=(DONE,), probe=GONE), Claim, "StackMissing", R),
    "a failed create of a VM that had a stack adopts nothing": (
        world(vm(asked={"adopt-stack": "a1"}), operations=(operation(outcome="Failed", stack_id="s1", next_retry_time=EARLIER),)),
        Claim, "Claiming", P),
    "a VM with a stack in its status adopts none": (
        world(active(asked={"adopt-stack": "a1"}), operations=(operation(OperationType.DELETE, cause="x"),)), LookById, "Looking", P),
    "a key that another VM's create has makes no second stack": (world(KEYED, key_holder=HOLDER), Nothing, "IdempotencyConflict", B),
    "a key that is too long is refused": (world(vm(asked={"idempotency-key": "k" * 256})), Nothing, "InvalidSpec", B),
    "a key on two lines is refused": (world(vm(asked={"idempotency-key": "k\nk"})), Nothing, "InvalidSpec", B),
    "a key that nobody else has is claimed": (world(KEYED), Claim, "Claiming", P),
    "the holder of a key means nothing to a VM without one": (world(key_holder=HOLDER), Claim, "Claiming", P),
    "the holder of a key means nothing to a VM with a create": (
        world(KEYED, operations=(WAITING,), key_holder=HOLDER), Nothing, "NoValidHost", B),
    "the holder of a key means nothing to a VM with a recorded stack": (
        world(active(asked={"idempotency-key": "k1"}), key_holder=HOLDER), LookById, "Looking", P),
    "the holder of a key means nothing to a VM with a stack": (
        world(KEYED, stack(), outputs=OUTPUTS, key_holder=HOLDER), Nothing, "Active", S),
    "a paused VM asks for nothing": (world(vm(asked=PAUSE)), Nothing, "Paused", B),
    "only true pauses a VM": (world(vm(asked={"paused": "yes"})), Claim, "Claiming", P),
    "a paused VM that is as its spec asks is ready": (world(active(asked=PAUSE), stack(), operations=(DONE,)), Nothing, "Paused", S),
    "a paused VM that cannot be seen is unknown": (
        world(active(asked=PAUSE), operations=(DONE,), listing=Unknown(DOWN)), Nothing, "Paused", U),
    "a paused VM gets its identity": (world(vm(enrolled=False, asked=PAUSE)), Enroll, "Enrolling", P),
    "what Heat answered is recorded for a paused VM": (
        world(vm(asked=PAUSE), operations=(OPEN,), held=replace(SENT, answer=Accepted("s1"))), Settle, "Adopting", P),
    "a paused VM waits for a listing like any other": (world(active(asked=PAUSE), listing=None), Nothing, "Looking", P),
    "no look is made for a paused VM": (world(active(asked=PAUSE), operations=(DONE,)), Nothing, "Paused", B),
    "a stack in progress under a paused VM waits for a person": (
        world(vm(asked=PAUSE), stack("CREATE_IN_PROGRESS"), operations=(ACCEPTED,)), Nothing, "Paused", B),
    "a failed attempt is tried at once when asked": (world(vm(asked=NOW_PLEASE), operations=(WAITING,)), Claim, "Claiming", P),
    "a failed operation is tried again when asked": (world(vm(asked=NOW_PLEASE), operations=(DEAD,)), Claim, "Claiming", P),
    "what failed is cleaned up at once when asked": (
        world(vm(asked=NOW_PLEASE), stack("CREATE_FAILED"), operations=(DEAD,)), DeleteStack, "CleaningUp", P),
    "a request counts once": (
        world(vm(asked=NOW_PLEASE), operations=(operation(**{**RECORD, "retry": "1"}),)), Nothing, "NoValidHost", B),
    "a request counts once, also when its operation is gone": (
        world(vm(asked=NOW_PLEASE, retry="1"), operations=(WAITING,)), Nothing, "NoValidHost", B),
    "a request that was taken back is none": (
        world(vm(retry="1"), operations=(operation(**{**RECORD, "retry": "1"}),)), Nothing, "NoValidHost", B),
    "a VM without a status is settled, admitted or not": (
        world(None, stack(of=vm()), outputs=OUTPUTS, admission=NO_TENANT), Nothing, "Active", S),
    "a request hurries no answer": (
        world(vm(asked=NOW_PLEASE), operations=(OPEN,), unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "a failed update is tried at once when asked": (
        edited(LATE_UPDATE, machine=active(generation=2, asked=NOW_PLEASE)), Claim, "Claiming", P),
    "an update that failed for good is tried again when asked": (
        edited(DEAD_UPDATE, machine=active(generation=2, asked=NOW_PLEASE)), Claim, "Claiming", P),
    "a refused edit is asked about again when asked": (
        edited(preview=replace(PLAN, plan=NO_FLAVOR), machine=active(generation=2, asked=NOW_PLEASE)), PreviewUpdate, "Previewing", P),
    "a refused edit is asked about once for a request": (
        edited(preview=replace(PLAN, plan=NO_FLAVOR, retry="1"), machine=active(generation=2, asked=NOW_PLEASE)),
        Nothing, "FlavorNotFound", B),
    "a create whose answer was lost fails with why it was": (
        world(operations=(OPEN,), held=replace(SENT, answer=Lost(DOWN)), unresolved_since=CLOCK - 200), Settle, "CloudUnavailable", R),
    "a create that was sent and not answered fails with a time-out": (
        world(operations=(OPEN,), held=SENT, unresolved_since=CLOCK - 200), Settle, "Timeout", R),
    "an update whose answer was lost fails with why it was": (
        edited(OPEN_UPDATE, held=replace(HELD_UPDATE, sent=True, answer=Lost(DOWN)), unresolved_since=CLOCK - 200),
        Settle, "CloudUnavailable", R),
    "a VM without a status, whose Secret changed since, is not edited": (
        world(None, stack(inputs="other", of=vm()), outputs=OUTPUTS, preview=PLAN), Nothing, "Active", S),
    "a stack that was asked for with another spec is updated": (
        world(None, stack(inputs="other", of=OTHER_SPEC), outputs=OUTPUTS, preview=PLAN), Claim, "Claiming", P),
    "a stack that was asked for with another spec is updated, also to the same inputs": (
        world(None, stack(of=OTHER_SPEC), outputs=OUTPUTS), PreviewUpdate, "Previewing", P),
    "an older update that landed after all is noticed": (
        edited(GOOD_UPDATE, machine=active(generation=2, applied_generation=2),
               made=stack("UPDATE_COMPLETE", inputs="other", of=OTHER_SPEC)), Claim, "Claiming", P),
    "an update to this spec that failed is tried again": (
        edited(DUE_UPDATE, made=stack("UPDATE_FAILED", inputs="other", by=UPDATE, of=vm())), Claim, "Claiming", P),
    "an update is over when the stack was asked for with its spec, whatever the Secret is now": (
        edited(SENT_UPDATE, made=stack("UPDATE_COMPLETE", inputs="other", of=vm())), Settle, "Adopting", P),
    "an update is over when the stack was asked for with its spec, and failed before": (
        edited(LATE_UPDATE, made=stack("UPDATE_COMPLETE", inputs="other", of=vm())), Settle, "Claiming", P),
}  # fmt: skip

ABSENT_ROWS: dict[str, Row] = {
    "without our finalizer the object just goes": (world(vm(enrolled=False, deleting=True)), Nothing, "Deleted", P),
    "a deleted double goes and touches nothing": (world(GOING, stack(), duplicate_of="team-a/web-0"), Release, "DuplicateIdentity", B),
    "what was never claimed goes, even from a dark cloud": (world(GOING, listing=Unknown(DOWN)), Release, "Deleted", P),
    "a restored VM is not released unseen": (world(GOING, identity=OLD_ID, listing=Unknown(DOWN)), Nothing, "CloudUnavailable", U),
    "a restored VM is not released after its delete before it is seen to be gone": (
        world(GOING, stack(), identity=OLD_ID, operations=(OPEN_DELETE,), last_effect=CLOCK), Nothing, "Looking", P),
    "a restored VM without a stack goes": (world(GOING, identity=OLD_ID), Release, "Deleted", P),
    "what cannot be seen keeps its finalizer": (world(WAS_ACTIVE, listing=Unknown(DOWN)), Nothing, "CloudUnavailable", U),
    "an accepted create is recorded before the delete": (
        world(GOING, operations=(OPEN,), held=replace(SENT, answer=Accepted("s1"))), Settle, "Adopting", P),
    "a create that was never sent is given up": (
        world(GOING, operations=(OPEN,), held=HELD, unresolved_since=CLOCK - 10), Settle, "Deleting", P),
    "a create that may still land keeps the finalizer": (
        world(GOING, operations=(OPEN,), unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "a stack that appears settles the create before it is deleted": (
        world(GOING, stack("CREATE_IN_PROGRESS"), operations=(OPEN,)), Settle, "Adopting", P),
    "a create whose answer was lost keeps the finalizer": (
        world(GOING, operations=(OPEN,), held=replace(SENT, answer=Lost(DOWN)), unresolved_since=CLOCK - 10),
        Nothing, "AwaitingAnswer", P),
    "a stack that appears before the deadline is not waited for": (
        world(GOING, stack("CREATE_IN_PROGRESS"), operations=(OPEN,), unresolved_since=CLOCK - 10), Settle, "Adopting", P),
    "once a create is answered, its deadline is nothing": (
        world(WAS_ACTIVE, operations=(DONE, OPEN_DELETE), unresolved_since=CLOCK - 10), LookById, "Looking", P),
    "what was never claimed and has a stack is not released": (world(GOING, stack()), Claim, "Deleting", P),
    "the stack of a failed create is proven gone as well": (
        world(GOING, operations=(operation(outcome="Failed", stack_id="s1"),)), LookById, "Looking", P),
    "also that of the attempt before an open one": (
        world(GOING, operations=(operation(attempts=2, stack_id="s1"),), unresolved_since=CLOCK - 200),
        LookById, "Looking", P),
    "the delete of an earlier object is not this one's": (
        world(WAS_ACTIVE, stack(), operations=(DONE, operation(OperationType.DELETE, cause="an earlier uid", state="Succeeded"))),
        Claim, "Deleting", P),
    "a create is never taken for the delete": (
        world(WAS_ACTIVE, stack(), operations=(operation(cause=UID, state="Succeeded", outcome="Accepted", stack_id="s1"),)),
        Claim, "Deleting", P),
    "a stack that appears after its delete ended opens it again": (
        world(WAS_ACTIVE, stack(), operations=(DONE, operation(OperationType.DELETE, state="Succeeded", outcome="Accepted"))),
        Claim, "Deleting", P),
    "also when this process still holds what it ended": (
        world(WAS_ACTIVE, stack(), operations=(DONE, DELETED), held=HELD_DELETE), Claim, "Deleting", P),
    "a delete is claimed first": (world(WAS_ACTIVE, stack(), operations=(DONE,)), Claim, "Deleting", P),
    "a delete that another process claimed is claimed again": (
        world(WAS_ACTIVE, stack(), operations=(DONE, OPEN_DELETE)), Claim, "Deleting", P),
    "a delete that this process has not claimed is claimed, whatever else it holds": (
        world(WAS_ACTIVE, stack(), operations=(DONE, OPEN_DELETE), held=HELD), Claim, "Deleting", P),
    "a delete needs a look after its claim": (
        world(WAS_ACTIVE, stack(), operations=(DONE, OPEN_DELETE), held=replace(HELD_DELETE, since=CLOCK)), Nothing, "Looking", P),
    "a stack is deleted by id": (world(WAS_ACTIVE, stack(), operations=(DONE, OPEN_DELETE), held=HELD_DELETE), DeleteStack, "Deleting", P),
    "a stack is deleted while it is being created": (
        world(GOING, stack("CREATE_IN_PROGRESS"), operations=(ACCEPTED, OPEN_DELETE), held=HELD_DELETE), DeleteStack, "Deleting", P),
    "a deletion in progress is waited for": (
        world(WAS_ACTIVE, stack("DELETE_IN_PROGRESS"), operations=(DONE, OPEN_DELETE), held=HELD_DELETE), Nothing, "Deleting", P),
    "a deletion in progress for ever is asked for again": (
        world(WAS_ACTIVE, stack("DELETE_IN_PROGRESS"), operations=(DONE, OPEN_DELETE), held=replace(HELD_DELETE, since=CLOCK - 700)),
        DeleteStack, "Deleting", P),
    "a failed deletion is said, and tried again after a pause": (
        world(WAS_ACTIVE, stack("DELETE_FAILED"), operations=(DONE, OPEN_DELETE), held=HELD_DELETE, last_effect=CLOCK - 3, effects=1),
        Nothing, "StackFailed", R),
    "in a namespace that is going, a stack is deleted without a record": (
        world(WAS_ACTIVE, stack(), operations=(DONE,), claimable=False), DeleteStack, "Deleting", P),
    "a retained stack is recorded": (
        world(active(deleting=True, spec={"deletionPolicy": "Retain"}), stack(), operations=(DONE,)), Retain, "Retained", P),
    "a delete that was claimed before Retain was asked for ends without a call": (
        world(active(deleting=True, spec={"deletionPolicy": "Retain"}), stack(), operations=(DONE, OPEN_DELETE)), Settle, "Retained", P),
    "a stack that is going already cannot be retained": (
        world(active(deleting=True, spec={"deletionPolicy": "Retain"}), stack("DELETE_IN_PROGRESS"),
              operations=(DONE, OPEN_DELETE), held=HELD_DELETE), Nothing, "Deleting", P),
    "a double of a retained stack goes": (
        world(active(deleting=True, spec={"deletionPolicy": "Retain"}), stack(), stack(id="s2"), operations=(DONE,)),
        DeleteStack, "DuplicateStacks", P),
    "a stack is retained when its double is gone": (
        world(active(deleting=True, spec={"deletionPolicy": "Retain"}), stack(), stack("DELETE_IN_PROGRESS", id="s2"), operations=(DONE,)),
        Nothing, "DuplicateStacks", P),
    "a failed deletion does not hold back the next stack's": (
        world(WAS_ACTIVE, stack("DELETE_FAILED"), stack(id="s2"), operations=(DONE, OPEN_DELETE), held=HELD_DELETE,
              last_effect=CLOCK - 3, effects=1), DeleteStack, "Deleting", P),
    "in a namespace that is going, a retained stack is left without a record": (
        world(active(deleting=True, spec={"deletionPolicy": "Retain"}), stack(), operations=(DONE,), claimable=False),
        Release, "Retained", P),
    "no operation outlives a VM whose stack is retained": (
        world(active(deleting=True, spec={"deletionPolicy": "Retain"}), stack(),
              operations=(ACCEPTED, operation(OperationType.DELETE, state="Succeeded", outcome="Accepted", retained=True))),
        Settle, "Deleting", P),
    "a recorded retained stack is left": (
        world(active(deleting=True, spec={"deletionPolicy": "Retain"}), stack(),
              operations=(DONE, operation(OperationType.DELETE, state="Succeeded", retained=True))), Release, "Retained", P),
    "a recorded stack that is not listed is looked at by id": (world(WAS_ACTIVE, operations=(DONE, OPEN_DELETE)), LookById, "Looking", P),
    "a recorded stack without our tags keeps the finalizer": (
        world(WAS_ACTIVE, operations=(DONE,), probe=Probe(CLOCK - 1, "s1", stack(ours=False))), Nothing, "OwnershipLost", B),
    "an open delete is ended when the stack is gone": (world(WAS_ACTIVE, operations=(DONE, OPEN_DELETE), probe=GONE), Settle, "Deleting", P),
    "a stack that its delete alone recorded is looked at by id": (
        world(GOING, identity=OLD_ID, operations=(operation(OperationType.DELETE, stack_id="s1"),)), LookById, "Looking", P),
    "a failed operation without a stack does not hide the recorded one": (
        world(WAS_ACTIVE, operations=(operation(state="Failed", outcome="Failed"),)), LookById, "Looking", P),
    "a failed attempt's stack that is proven gone ends its create": (
        world(GOING, operations=(operation(outcome="Failed", stack_id="s1"),), probe=GONE), Settle, "Deleting", P),
    "an open create is ended when nothing came of it": (world(GOING, operations=(WAITING,)), Settle, "Deleting", P),
    "what is gone is recorded as deleted": (world(WAS_ACTIVE, operations=(DONE,), probe=GONE), Claim, "Deleting", P),
    "what is gone and recorded is released": (world(WAS_ACTIVE, operations=(DONE, DELETED), probe=GONE), Release, "Deleted", P),
    "in a namespace that is going, what is gone is released without a record": (
        world(WAS_ACTIVE, operations=(DONE,), probe=GONE, claimable=False), Release, "Deleted", P),
    "what was there and was never claimed is released without a record": (world(WAS_ACTIVE, probe=GONE), Release, "Deleted", P),
    "a deletion that failed is claimed again when asked": (
        world(active(deleting=True, asked=NOW_PLEASE), stack("DELETE_FAILED"), operations=(DONE, OPEN_DELETE), held=HELD_DELETE,
              last_effect=CLOCK - 3, effects=1), Claim, "Deleting", P),
    "and then sent at once": (
        world(active(deleting=True, asked=NOW_PLEASE), stack("DELETE_FAILED"), operations=(DONE, ASKED_DELETE),
              held=replace(HELD_DELETE, since=CLOCK - 2), last_effect=CLOCK - 3, effects=1), DeleteStack, "Deleting", P),
    "a request that another process answered hurries nothing": (
        world(active(deleting=True), stack("DELETE_FAILED"), operations=(DONE, ASKED_DELETE),
              held=replace(HELD_DELETE, since=CLOCK - 2), last_effect=CLOCK - 3, effects=1), Nothing, "StackFailed", R),
    "in a namespace that is going no request is claimed": (
        world(active(deleting=True, asked=NOW_PLEASE), stack("DELETE_FAILED"), operations=(DONE,), claimable=False,
              held=replace(HELD, since=CLOCK - 2), last_effect=CLOCK - 3, effects=1), Nothing, "StackFailed", R),
    "a deletion that was claimed and not asked for waits": (
        world(WAS_ACTIVE, stack("DELETE_FAILED"), operations=(DONE, OPEN_DELETE),
              held=replace(HELD_DELETE, since=CLOCK - 2), last_effect=CLOCK - 3, effects=1), Nothing, "StackFailed", R),
    "a paused VM that is deleted stays": (world(vm(deleting=True, asked=PAUSE)), Nothing, "Paused", B),
    "a paused VM's stack is not deleted": (
        world(active(deleting=True, asked=PAUSE), stack(), operations=(DONE, OPEN_DELETE), held=HELD_DELETE), Nothing, "Paused", B),
    "a paused VM's stack is not recorded as retained": (
        world(active(deleting=True, asked=PAUSE, spec={"deletionPolicy": "Retain"}), stack(), operations=(DONE, OPEN_DELETE)),
        Nothing, "Paused", B),
    "a paused VM is not abandoned": (
        world(active(deleting=True, asked={**PAUSE, **LET_GO}), operations=(DONE,), listing=Unknown(DOWN)), Nothing, "Paused", B),
    "an abandoned VM is recorded, seen or not": (
        world(active(deleting=True, asked=LET_GO), operations=(DONE,), listing=Unknown(DOWN)), Retain, "Abandoned", P),
    "an abandoned VM's deletion ends without a call": (
        world(active(deleting=True, asked=LET_GO), stack(), operations=(DONE, OPEN_DELETE), held=HELD_DELETE), Settle, "Abandoned", P),
    "an abandoned VM that is recorded goes": (
        world(active(deleting=True, asked=LET_GO), stack(), operations=(DONE, operation(OperationType.DELETE, state="Succeeded"))),
        Release, "Abandoned", P),
    "no operation outlives an abandoned VM": (
        world(active(deleting=True, asked=LET_GO), operations=(OPEN, operation(OperationType.DELETE, state="Succeeded"))),
        Settle, "Deleting", P),
    "in a namespace that is going, an abandoned VM goes without a record": (
        world(active(deleting=True, asked=LET_GO), stack(), operations=(DONE,), claimable=False), Release, "Abandoned", P),
    "a VM is not abandoned by another's id": (
        world(active(deleting=True, asked={"abandon": "other"}), operations=(DONE,), listing=Unknown(DOWN)), Nothing, "CloudUnavailable", U),
    "a protected VM keeps its stack": (
        world(active(deleting=True, spec={"terminationProtection": True}), stack(), operations=(DONE,)), Nothing, "TerminationProtected", B),
    "a protected VM may be abandoned": (
        world(active(deleting=True, asked=LET_GO, spec={"terminationProtection": True}), stack(), operations=(DONE,)),
        Retain, "Abandoned", P),
    "a stack is not left behind while an update may still land": (
        world(RETAINING, stack(), operations=(DONE, OPEN_UPDATE), unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "a stack is not left behind while an update whose answer was lost may still land": (
        world(RETAINING, stack(), operations=(DONE, OPEN_UPDATE), held=replace(HELD_UPDATE, sent=True, answer=Lost(DOWN)),
              unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "an update that was not sent is not waited for": (
        world(RETAINING, stack(), operations=(DONE, OPEN_UPDATE), held=HELD_UPDATE, unresolved_since=CLOCK - 60), Retain, "Retained", P),
    "an update that was answered is not waited for": (
        world(RETAINING, stack(), operations=(DONE, SENT_UPDATE), unresolved_since=CLOCK - 60), Retain, "Retained", P),
    "what is deleted waits for no update": (
        world(WAS_ACTIVE, stack(), operations=(DONE, OPEN_UPDATE), unresolved_since=CLOCK - 60), Claim, "Deleting", P),
    "a foreign stack of our name does not hold the object": (
        world(GOING, stack(ours=False), operations=(operation(state="Failed", outcome="Failed", last_error="NoValidHost"), DELETED)),
        Release, "Deleted", P),
}  # fmt: skip

PRESENT_ROWS |= JOB_ROWS
SCENARIOS = {**PRESENT_ROWS, **ABSENT_ROWS}


@pytest.mark.parametrize(("snapshot", "action", "reason", "outlook"), SCENARIOS.values(), ids=SCENARIOS)
def test_decide(snapshot: World, action: type, reason: str, outlook: Outlook) -> None:
    decision = decide(snapshot)
    assert (type(decision.action), decision.reason.value, decision.outlook) == (action, reason, outlook)


def answering(snapshot: World) -> specification.Rule:
    """Return the rule that answers."""
    rules = ABSENT if snapshot.deleting else PRESENT
    return next(rule for rule in rules if rule(snapshot))


def test_every_rule_answers_some_scenario() -> None:
    assert {answering(snapshot) for snapshot, *_ in SCENARIOS.values()} == set(RULES)


@pytest.mark.parametrize("name", ["PRESENT", "ABSENT"])
def test_without_any_single_rule_some_scenario_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant check: each rule is needed, or it would be dead weight."""
    rules = getattr(specification, name)
    rows = PRESENT_ROWS if name == "PRESENT" else ABSENT_ROWS
    survivors = []
    for rule in rules:
        monkeypatch.setattr(specification, name, tuple(other for other in rules if other is not rule))
        if all(unharmed(row) for row in rows.values()):
            survivors.append(rule.__name__)
    assert survivors == []


def unharmed(row: Row) -> bool:
    """Tell whether a row still holds under the mutated tuple."""
    snapshot, action, reason, outlook = row
    try:
        decision = decide(snapshot)
    except AssertionError:
        return False
    return (type(decision.action), decision.reason.value, decision.outlook) == (action, reason, outlook)


def test_a_deletion_goes_by_name_and_id() -> None:
    decision = decide(world(WAS_ACTIVE, stack(), operations=(DONE, OPEN_DELETE), held=HELD_DELETE))
    assert decision.action == DeleteStack(IDENTITY.stack_name, "s1")


def test_a_new_claim_follows_its_predecessor() -> None:
    """Cause and sequence make the name another one, so that the API server tells the two apart."""
    decision = decide(world(active(), operations=(DONE,), probe=GONE))
    assert isinstance(decision.action, Claim)
    assert (decision.action.spec.cause, decision.action.spec.sequence) == ("s1", 2)
    assert decision.action.operation != CREATE


def test_each_generation_has_an_update_of_its_own_and_each_attempt_is_counted() -> None:
    first, again, edit = (
        decide(snapshot).action
        for snapshot in (edited(), edited(DUE_UPDATE), edited(DEAD_UPDATE, machine=active(generation=3)))
    )
    assert isinstance(first, Claim)
    assert isinstance(again, Claim)
    assert isinstance(edit, Claim)
    assert (first.operation, first.attempt, first.spec.generation) == (UPDATE, 1, 2)
    assert (again.operation, again.attempt) == (UPDATE, 2)
    assert (edit.attempt, edit.spec.generation) == (1, 3)
    assert edit.operation != UPDATE


def test_a_refused_update_names_what_it_would_cost() -> None:
    plan = Plan(
        replaced=("port", "server"),
        deleted=("volume_1", "attachment_1"),
        types={"server": "OS::Nova::Server", "port": "OS::Neutron::Port", "volume_1": "OS::Cinder::Volume"},
    )
    assert "server (replaced), volume_1 (deleted)." in decide(edited(preview=replace(PLAN, plan=plan))).message


def test_after_five_failed_stacks_the_operation_fails_for_good() -> None:
    tired = operation(outcome="Accepted", stack_id="s1", attempts=5, failed_stacks=4)
    decision = decide(world(None, stack("CREATE_FAILED", reason="Resource CREATE failed: oops"), operations=(tired,)))
    assert isinstance(decision.action, Settle)
    assert (decision.action.state, decision.outlook) == ("Failed", B)


def test_everything_that_is_wrong_is_told_together() -> None:
    both = decide(world(admission=NO_TENANT, findings=UNKNOWN_NAME))
    assert (both.reason.value, both.wants) == ("TenantNotFound", {Part.FLAVORS})
    assert both.message.startswith(
        "no Tenant; there is no flavor m1.tinny. Add the namespace to a Tenant. Use a flavor"
    )


def test_a_quota_without_room_is_told_with_the_rest_and_a_flavor_that_nobody_knows_once() -> None:
    full = decide(world(findings=UNKNOWN_NAME, quota=NO_ROOM))
    assert full.message.startswith("there is no flavor m1.tinny; no room.")
    assert full.requeue_after is not None, "a flavor that is made wakes nobody"
    unsized = Denied(Fault(ErrorCode.FLAVOR_NOT_FOUND, "its size is not known"))
    assert "its size" not in decide(world(findings=UNKNOWN_NAME, quota=unsized)).message
    assert decide(world(quota=unsized)).wants == {Part.FLAVORS}, "nobody else asks for a size that could not be read"
    assert decide(world(quota=NO_ROOM)).wants == frozenset()


def test_what_is_waited_for_is_asked_for() -> None:
    assert decide(world(findings=ASKED)).wants == {Part.FLAVORS}
    assert decide(world()).wants == frozenset()


def test_what_openstack_does_not_know_is_read_again() -> None:
    """The catalog had it: so the catalog is old."""
    answered = replace(HELD, sent=True, answer=Refused(NO_FLAVOR))
    assert decide(world(operations=(OPEN,), held=answered)).wants == {Part.FLAVORS}


def test_a_create_carries_the_inputs_of_the_admission() -> None:
    decision = decide(world(operations=(OPEN,), held=HELD, named=LOOKED))
    assert decision.action == CreateStack(CREATE, 1, INPUTS)


def test_the_identity_is_the_vm_s_first_uid() -> None:
    decision = decide(world(vm(enrolled=False)))
    assert decision.action == Enroll(UID)
    assert decision.reason is Reason.ENROLLING


def test_an_abandoned_stack_is_recorded_by_its_id_as_far_as_it_is_known() -> None:
    recorded = decide(world(active(deleting=True, asked=LET_GO), operations=(DONE,))).action
    listed = decide(world(vm(deleting=True, asked=LET_GO), stack(id="s7"))).action
    unknown = decide(world(vm(deleting=True, asked=LET_GO), operations=(OPEN,))).action
    assert isinstance(recorded, Retain)
    assert isinstance(listed, Retain)
    assert isinstance(unknown, Retain)
    assert [recorded.stack_id, listed.stack_id, unknown.stack_id] == ["s1", "s7", None]
    assert recorded.abandoned
    said = decide(world(active(deleting=True, asked=LET_GO), operations=(DONE,))).message
    assert said == "Abandoned: stack s1 is left as it is."
    assert decide(world(vm(deleting=True, asked=LET_GO), operations=(OPEN,))).message == "Abandoned: no stack is known."
    retained = decide(world(RETAINING, stack(), operations=(DONE,))).action
    assert isinstance(retained, Retain)
    assert not retained.abandoned


def test_whatever_holds_a_deletion_its_message_says_how_a_person_lets_go() -> None:
    blocked = decide(world(WAS_ACTIVE, operations=(DONE,), listing=Unknown(DOWN)))
    assert f"with the annotation stoker.dev/abandon={UID} the object goes, and the stack s1 is left" in blocked.message
    unknown = decide(world(GOING, identity=OLD_ID, listing=Unknown(DOWN)))
    assert "the object goes, and what is in Heat is left." in unknown.message
    going = decide(world(WAS_ACTIVE, stack("DELETE_IN_PROGRESS"), operations=(DONE, OPEN_DELETE), held=HELD_DELETE))
    assert "abandon" not in going.message
    assert "abandon" not in decide(world(WAS_ACTIVE, stack(), operations=(DONE,))).message
    assert "abandon" not in decide(world(active(), operations=(DONE,), listing=Unknown(DOWN))).message
    failed = call_failed(world(WAS_ACTIVE), DOWN, 1)
    assert f"stoker.dev/abandon={UID}" in failed.message
    assert "abandon" not in call_failed(world(active()), DOWN, 1).message


def test_a_wrong_id_abandons_nothing_and_that_is_said() -> None:
    wrong = active(deleting=True, asked={"abandon": "other"})
    decision = decide(world(wrong, stack("DELETE_IN_PROGRESS"), operations=(DONE, OPEN_DELETE), held=HELD_DELETE))
    assert decision.message.endswith(
        f"The annotation stoker.dev/abandon does nothing: its value is not this VM's id, {UID}."
    )
    assert "annotation" not in decide(world(wrong, stack(), operations=(DONE,))).message
    right = vm(enrolled=False, deleting=True, asked=LET_GO)
    assert "annotation" not in decide(world(right)).message


def test_a_paused_vm_says_what_it_would_be_doing() -> None:
    decision = decide(world(vm(asked=PAUSE), operations=(WAITING,)))
    assert decision.message.startswith(
        "Nothing is asked of OpenStack while the annotation stoker.dev/paused is true. full"
    )
    assert decision.fault is not None
    moving = decide(world(vm(asked=PAUSE), stack("CREATE_IN_PROGRESS"), operations=(ACCEPTED,)))
    assert (moving.moving, decide(world(vm(asked=PAUSE))).moving) == (True, False)
    assert not decide(world(active(asked=PAUSE), stack(), operations=(DONE,))).moving


def test_every_claim_answers_the_request_that_there_is() -> None:
    first = decide(world(vm(asked=NOW_PLEASE)))
    again = decide(world(vm(asked=NOW_PLEASE), operations=(WAITING,)))
    update_claim = decide(edited(machine=active(generation=2, asked=NOW_PLEASE)))
    delete = decide(world(active(deleting=True, asked=NOW_PLEASE), stack(), operations=(DONE,)))
    for decision in (first, again, update_claim, delete):
        assert isinstance(decision.action, Claim)
        assert decision.action.retry == "1"
    assert isinstance(again.action, Claim)
    assert (again.action.operation, again.action.attempt) == (CREATE, 2)
    none = decide(world(vm(asked={"retry": ""}))).action
    assert isinstance(none, Claim)
    assert none.retry is None


def test_the_preview_of_an_unmade_volume_s_deletion_costs_nothing() -> None:
    volume = {"volume_0": "OS::Cinder::Volume"}
    gone = Plan(deleted=("volume_0",), types=volume)
    assert (gone.losses, replace(gone, unmade=frozenset(volume)).losses) == (("volume_0 (deleted)",), ())
    assert Plan(replaced=("volume_0",), types=volume, unmade=frozenset(volume)).losses == ("volume_0 (replaced)",)


def test_what_changed_without_an_edit_is_said_and_left() -> None:
    changed = world(active(), stack(inputs="other", of=vm()), operations=(DONE,))
    assert "changed since; the next edit applies it" in decide(changed).message
    assert "changed since" not in decide(world(active(), stack(), operations=(DONE,))).message
    assert "changed since" not in decide(replace(changed, admission=NO_TENANT)).message
    known = StackStatus(name="n", id="s1", outdated=True)
    settled = world(active(stack=known), stack(inputs="other", of=vm()), operations=(DONE,), admission=NO_TENANT)
    assert "changed since" in decide(settled).message
    assert not world(active(generation=2), stack(inputs="other")).outdated


def test_a_stack_that_is_not_adopted_is_told_all_that_it_lacks() -> None:
    def lacks(candidate: Candidate, **more: object) -> str:
        return decide(world(ADOPTING, candidate=candidate, **more)).message

    assert "the Tenant's project has no such stack" in lacks(replace(NOBODYS, stack=None))
    foreign = replace(FOUND, tags=frozenset({"stoker", "stoker-cluster=b", "stoker-vm=2", "stoker-obj=3", "x"}))
    owners = "(stoker-cluster=b, stoker-obj=3, stoker-vm=2)"
    assert f"the tags of another owner {owners}" in lacks(replace(NOBODYS, stack=foreign))
    assert "in another project" in lacks(replace(NOBODYS, stack=replace(FOUND, project="other")))
    assert "team-b/web-1 has it, or asked for it first" in lacks(NOBODYS, claimant="team-b/web-1")
    broken = lacks(replace(NOBODYS, stack=replace(FOUND, status="UPDATE_FAILED"), outputs=frozenset()))
    assert "it is UPDATE_FAILED, and not complete" in broken
    assert "lacks the outputs" not in broken
    bare = lacks(replace(NOBODYS, outputs=frozenset({"private_ip"})))
    assert "not adopted: it lacks the outputs public_ip, server_id. Mend what is missing" in bare


def test_an_adoption_is_of_the_stack_as_it_was_found() -> None:
    claim = decide(world(ADOPTING, candidate=NOBODYS)).action
    assert isinstance(claim, Claim)
    assert (claim.operation, claim.spec.cause, claim.spec.stack_name) == (ADOPTION, "adopt/a1/1", "legacy-1")
    assert (claim.spec.sequence, claim.stack_id) == (1, None)
    held = world(ADOPTING, operations=(adoption(),), held=HELD_ADOPTION, candidate=NOBODYS)
    assert decide(held).action == AdoptStack(ADOPTION, 1, "legacy-1", "a1")
    again = decide(world(ADOPTING, operations=(DUE_ADOPTION,), candidate=NOBODYS)).action
    assert again == Claim(ADOPTION, DUE_ADOPTION.spec, 2)
    edit = decide(world(vm(asked={"adopt-stack": "a1"}, generation=2), operations=(DEAD_ADOPTION,), candidate=NOBODYS))
    assert isinstance(edit.action, Claim)
    assert (edit.action.spec.cause, edit.action.spec.sequence, edit.action.attempt) == ("adopt/a1/2", 2, 1)


def test_a_stack_is_known_by_the_name_that_was_recorded_or_seen() -> None:
    done = adoption(state="Succeeded", outcome="Accepted", stack_id="a1")
    recorded = active(stack=StackStatus(name="legacy-1", id="a1"))
    assert world(operations=(done,)).name_of("a1") == "legacy-1"
    assert world(recorded).name_of("a1") == "legacy-1"
    assert world(recorded).name_of("s2") == IDENTITY.stack_name
    assert world(None, stack(id="a1", name="legacy-1")).name_of("a1") == "legacy-1"
    assert world(operations=(DONE,)).name_of("s1") == IDENTITY.stack_name
    deleted = decide(world(vm(deleting=True), stack(id="a1", name="legacy-1"), operations=(done,))).action
    assert isinstance(deleted, Claim)
    assert (deleted.stack_id, deleted.spec.stack_name) == ("a1", "legacy-1")
    plain = decide(world(WAS_ACTIVE, stack(), operations=(DONE,))).action
    assert isinstance(plain, Claim)
    assert plain.spec.stack_name is None


def test_a_key_names_the_first_create_of_a_vm_and_no_other() -> None:
    one, two = decide(world(KEYED)).action, decide(world(replace_name(KEYED, "web-2"))).action
    assert isinstance(one, Claim)
    assert isinstance(two, Claim)
    assert one.operation == two.operation == "key-create-" + one.operation.rpartition("-")[2]
    assert (one.spec.idempotency_key, one.spec.spec_hash) == ("k1", spec_hash(KEYED.spec))
    other = decide(world(vm(asked={"idempotency-key": "k2"}))).action
    assert isinstance(other, Claim)
    assert other.operation != one.operation
    later = decide(world(active(asked={"idempotency-key": "k1"}), operations=(DONE,), probe=GONE)).action
    assert isinstance(later, Claim)
    assert (later.spec.idempotency_key, later.operation.startswith("key-")) == (None, False)
    delete = decide(world(active(deleting=True, asked={"idempotency-key": "k1"}), stack(), operations=())).action
    assert isinstance(delete, Claim)
    assert delete.operation == DELETE


def replace_name(machine: VirtualMachine, name: str) -> VirtualMachine:
    return machine.model_copy(update={"metadata": machine.metadata.model_copy(update={"name": name})})


def test_a_conflict_of_keys_names_the_first_vm_and_tells_whether_it_asked_for_the_same() -> None:
    same = HOLDER.model_copy(update={"spec": HOLDER.spec.model_copy(update={"spec_hash": spec_hash(KEYED.spec)})})
    message = decide(world(KEYED, key_holder=same)).message
    assert f"was used before, for the VM web-1 ({UID}) with the same spec" in message
    assert "with another spec" in decide(world(KEYED, key_holder=HOLDER)).message
