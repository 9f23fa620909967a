"""A small world for the decisions to act in: an API server, Heat, and an operator that may crash between any two steps.

It is an oracle of its own: it imports the decisions and the values they work on, and none of the shell. A `State` is a
value; `model_steps.steps` gives every state that may follow it, and raises `Violation` when an effect breaks a
guarantee. Time is abstracted: a step takes a moment, a `wait` takes longer than every deadline but one, and
`normal` keeps of all moments only their order and how many waits ago they were. So the space is finite and searchable.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple

from stoker.api.base import ObjectMeta
from stoker.api.errors import ErrorCode
from stoker.api.operation import OperationRecord, OperationSpec, VirtualMachineOperation
from stoker.api.virtualmachine import StackStatus, VirtualMachine, VirtualMachineSpec, VirtualMachineStatus
from stoker.core import decide as specification
from stoker.core import status as reporting
from stoker.core.attempts import Timing
from stoker.core.decision import Decision
from stoker.core.faults import Fault
from stoker.core.identity import FINALIZER, ID_ANNOTATION, Identity
from stoker.core.inputs import Inputs, spec_hash
from stoker.core.quota import Denied
from stoker.core.stack import Listing, Outputs, Plan, Preview, Probe, Stack, StackEvents, Unknown
from stoker.core.world import Accepted, Held, Lost, Refused, World
from support.build import NOW

WAIT = 130_000
"""Milliseconds of a long wait: more than the create's deadline, the age of a believed listing and most pauses."""

AGES = 2
"""Waits after which a moment is just old: two exceed the longest span in `TIMING`."""

ATTEMPTS = 6
"""Attempts that are told apart: one more than a create has."""

STALE = 120.0
UID = "11111111-1111-4111-8111-111111111111"
FIRST_LIFE = "22222222-2222-4222-8222-222222222222"
BUSY, LOST = (
    Fault(ErrorCode.CLOUD_QUOTA_EXCEEDED, "full"),
    Fault(ErrorCode.CLOUD_UNAVAILABLE, "no answer", definite=False),
)
FLAVORS = ("m1.tiny", "m1.small")
"""What the spec asks for, by its variant."""

NO_TENANT = Fault(ErrorCode.TENANT_NOT_FOUND, "no Tenant")
NO_ROOM = Denied(Fault(ErrorCode.QUOTA_EXCEEDED, "no room"))
TIMING = Timing(delete_again=200.0)

FAULTS = (
    "deletion", "edit", "crash", "lost", "refused", "twice", "unwritten", "late", "slow", "pause", "failed", "undeleted", "gone",
    "untagged", "foreign", "closed",
)  # fmt: skip
"""What may happen beside the process's own steps: the VM's deletion; its edit; a crash; a call's lost answer; a refusal;
a create that somebody on the way repeats; a write whose answer is lost; an event that comes late; a listing that comes
late; a process that pauses in the middle; a create, an update or a delete that fails; a stack that somebody deletes or whose tags
somebody removes; a foreign stack of our name; a Tenant that is taken away."""


class Violation(AssertionError):  # noqa: N818 -- it is a finding
    """A guarantee is broken."""


class Made(NamedTuple):
    """A stack in Heat."""

    id: str
    status: str = "CREATE_IN_PROGRESS"
    ours: bool = True
    variant: int = 0
    operation: str = ""
    """The one that its tag names."""

    worked: bool = False
    """True once it was complete: then it may hold a user's data."""

    lost_at: int | None = None
    """When somebody removed its tags."""


class Record(NamedTuple):
    """An operation as stored."""

    name: str
    kind: str
    cause: str
    sequence: int
    generation: int
    claimed: int
    """When its last attempt was stored, while that is unresolved."""

    attempts: int = 1
    state: str = "Running"
    outcome: str | None = None
    stack_id: str | None = None
    error: str | None = None
    due: int | None = None
    failed_stacks: int = 0
    retained: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in ("Pending", "Running")


class Object(NamedTuple):
    """The VirtualMachine as stored."""

    enrolled: bool = False
    generation: int = 1
    variant: int = 0
    deleting: bool = False
    stack: str | None = None
    server: str | None = None
    applied: int | None = None
    phase: str | None = None
    """Kept only if the case asks for it: no rule reads it, and it would make many states of one."""


class Claimed(NamedTuple):
    """A claim in the process's memory."""

    operation: str
    attempt: int
    since: int
    sent: bool = False
    answer: str = ""
    """"" | "refused" | "lost" | the id of the stack."""


class Look(NamedTuple):
    """What was seen, and when the request for it started."""

    as_of: int
    stacks: tuple[Made, ...]
    of: str = ""


class Memory(NamedTuple):
    """What one process knows; a crash takes it."""

    operations: tuple[Record, ...] | None = None
    held: Claimed | None = None
    unresolved: int = 0
    effect: int = 0
    effects: int = 0
    listing: Look | None = None
    named: Look | None = None
    probe: Look | None = None
    outputs: str | None = None
    preview: tuple[int, str, int] | None = None
    """When it was asked for, a stack, and the variant that an update to was previewed."""

    claimable: bool = True


class Flight(NamedTuple):
    """A request without an answer that may still land: a create, or the update of a stack."""

    variant: int
    operation: str
    stack: str = ""


class Case(NamedTuple):
    """What stays the same in one search."""

    retain: bool = False
    report_missing: bool = False
    restored: bool = False
    """The VM comes from a backup: it has an id of its own life before, and perhaps a stack, and no record."""

    terminating: bool = False
    """The deletion is that of the namespace: no operation can be created in it."""

    phases: bool = False
    """The phase is part of the object."""

    quota: bool = False
    """What is taken away is not the Tenant but the room in its quota."""


class State(NamedTuple):
    """Everything, at one moment."""

    budget: tuple[int, ...]
    clock: int = AGES * WAIT
    vm: Object | None = Object()
    view: Object | None = Object()
    """The newest version of the object that the process has seen."""

    records: tuple[Record, ...] = ()
    stacks: tuple[Made, ...] = ()
    made: int = 0
    flights: tuple[Flight, ...] = ()
    memory: Memory = Memory()
    polling: Look | None = None
    admitted: bool = True

    def left(self, fault: str) -> bool:
        return self.budget[FAULTS.index(fault)] > 0 and (fault == "deletion" or self.budget[-1] > 0)

    def spend(self, fault: str) -> State:
        places = {FAULTS.index(fault)} | ({len(FAULTS)} if fault != "deletion" else set())
        return self._replace(budget=tuple(times - (n in places) for n, times in enumerate(self.budget)))

    def remember(self, **changes: Any) -> State:
        return self._replace(memory=self.memory._replace(**changes))


def budget(faults: int, *kinds: str, deletion: bool = True) -> tuple[int, ...]:
    """Allow so many faults in all, of these kinds (of any, if none is named); and, apart from them, the deletion."""
    assert set(kinds) <= set(FAULTS), kinds
    allowed = {*(kinds or FAULTS)} - {"deletion"} | ({"deletion"} if deletion else set())
    return (*((1 if kind == "deletion" else faults) * (kind in allowed) for kind in FAULTS), faults)


# ---- what the process sees: our types → the core's


def ours(state: State) -> list[Made]:
    return [stack for stack in state.stacks if stack.ours]


def seconds(moment: int) -> float:
    return moment / 1000


@cache
def identity(case: Case) -> Identity:
    return Identity("cluster", "project", FIRST_LIFE if case.restored else UID, "team-a", "web-1")


@cache
def inputs(variant: int) -> Inputs:
    return Inputs("ubuntu-basic@v1", "template", {"variant": variant}, spec_hash(seen_spec(variant)))


@cache
def seen_spec(variant: int) -> VirtualMachineSpec:
    wire = {"template": "ubuntu-basic@v1", "image": "cirros", "flavor": FLAVORS[variant]}
    return VirtualMachineSpec.model_validate(wire)


@cache
def seen_vm(vm: Object, case: Case) -> VirtualMachine:
    who = identity(case)
    known = StackStatus(name=who.stack_name, id=vm.stack) if vm.stack else None
    wire = {
        "template": "ubuntu-basic@v1",
        "image": "cirros",
        "flavor": FLAVORS[vm.variant],
        "onStackMissing": "Error" if case.report_missing else "Recreate",
        "deletionPolicy": "Retain" if case.retain else "Delete",
    }
    metadata = ObjectMeta(
        name="web-1",
        namespace="team-a",
        uid=UID,
        generation=vm.generation,
        finalizers=(FINALIZER,) if vm.enrolled else (),
        annotations={ID_ANNOTATION: who.id} if vm.enrolled or case.restored else {},
        deletion_timestamp=NOW if vm.deleting else None,
    )
    status = VirtualMachineStatus(stack=known, server_id=vm.server, applied_generation=vm.applied, phase=vm.phase)
    return VirtualMachine(metadata=metadata, spec=VirtualMachineSpec.model_validate(wire), status=status)


@cache
def seen_stack(made: Made, case: Case) -> Stack:
    who = identity(case)
    made_from = inputs(made.variant)
    tags = frozenset(who.tags(made.operation, made_from.hash, *made_from.tags)) if made.ours else frozenset()
    return Stack(made.id, who.stack_name, "project", made.status, "", tags, NOW + timedelta(seconds=int(made.id[1:])))


@lru_cache(maxsize=100_000)
def seen_record(record: Record) -> VirtualMachineOperation:
    status = OperationRecord(
        state=record.state,
        attempts=record.attempts,
        outcome=record.outcome,
        stack_id=record.stack_id,
        last_error=record.error,
        next_retry_time=None if record.due is None else NOW + timedelta(milliseconds=record.due),
        retained=record.retained or None,
        failed_stacks=record.failed_stacks,
    )
    spec = OperationSpec(
        vm_name="web-1",
        vm_id="id",
        type=record.kind,
        cause=record.cause,
        sequence=record.sequence,
        generation=record.generation,
    )
    return VirtualMachineOperation(metadata=ObjectMeta(name=record.name), spec=spec, status=status)


def seen_listing(look: Look | None, case: Case, *, by_tags: bool = False) -> Listing | None:
    if look is None:
        return None
    return Listing(seconds(look.as_of), tuple(seen_stack(m, case) for m in look.stacks if m.ours or not by_tags))


def held(claimed: Claimed | None) -> Held | None:
    if claimed is None:
        return None
    answers = {"": None, "refused": Refused(BUSY), "lost": Lost(LOST)}
    answer = answers[claimed.answer] if claimed.answer in answers else Accepted(claimed.answer)
    return Held(claimed.operation, claimed.attempt, seconds(claimed.since), claimed.sent, answer)


def pass_of(state: State, case: Case) -> tuple[State, World, Decision]:
    """Gather and decide: the state after what was missing is read, what the process sees, and what it will do."""
    assert state.view is not None
    memory, settled = state.memory, _looks_settled(state.view, _listing(state.memory, state.clock, case))
    if memory.operations is None and not settled:
        unknown = any(record.is_open and record.outcome is None for record in state.records)
        state = state.remember(operations=state.records, unresolved=state.clock if unknown else memory.unresolved)
    admitted, room = (state.admitted or case.quota) and not settled, state.admitted or not case.quota
    return state, *seen(state.view, state.memory, state.clock, admitted, room, case)


@lru_cache(maxsize=200_000)
def seen(vm: Object, memory: Memory, clock: int, admitted: bool, room: bool, case: Case) -> tuple[World, Decision]:
    """Return what the process sees and decides. Many states look alike to it."""
    probe, previewed = memory.probe, memory.preview
    world = World(
        vm=seen_vm(vm, case),
        identity=identity(case),
        admission=inputs(vm.variant) if admitted else NO_TENANT,
        quota=None if room else NO_ROOM,
        now=NOW + timedelta(milliseconds=clock),
        clock=seconds(clock),
        listing=_listing(memory, clock, case),
        named=seen_listing(memory.named, case),
        probe=probe
        and Probe(seconds(probe.as_of), probe.of, seen_stack(probe.stacks[0], case) if probe.stacks else None),
        preview=previewed and Preview(seconds(previewed[0]), previewed[1], inputs(previewed[2]).hash, Plan()),
        operations=tuple(seen_record(record) for record in memory.operations or ()),
        held=held(memory.held),
        unresolved_since=seconds(memory.unresolved),
        last_effect=seconds(memory.effect),
        effects=memory.effects,
        claimable=memory.claimable,
        timing=TIMING,
    )
    if memory.outputs and world.ours and world.ours[0].id == memory.outputs:
        world = replace(world, outputs=Outputs(f"server-{memory.outputs}"))
    if world.kept:  # read before each failure is recorded; nothing depends on it, so it is no step of its own
        world = replace(world, events=StackEvents(world.kept, ()))
    return world, specification.decide(world)


def _listing(memory: Memory, clock: int, case: Case) -> Listing | Unknown | None:
    if memory.listing is None:
        return None
    fresh = memory.listing if seconds(clock - memory.listing.as_of) < STALE else None
    return seen_listing(fresh, case, by_tags=True) or Unknown(LOST)


def _looks_settled(vm: Object, listing: Listing | Unknown | None) -> bool:
    if vm.deleting or vm.applied != vm.generation or vm.server is None:
        return False
    return not isinstance(listing, Listing) or [(s.id, s.complete) for s in listing.stacks] == [(vm.stack, True)]


def report(state: State, world: World, decision: Decision, case: Case) -> State:
    """Write the part of the status that decisions read."""
    if reporting.passes_soon(decision):
        return state
    status = reporting.derive(world, decision)
    assert state.vm is not None
    assert state.view is not None
    known = {
        "stack": status.stack and status.stack.id,
        "server": status.server_id,
        "applied": status.applied_generation,
        "phase": status.phase if case.phases else None,
    }
    if state.view._replace(**known) == state.view:
        return state
    written = state.vm._replace(**known)
    return state._replace(vm=written, view=written)


# ---- time


def due(clock: int, pause: float) -> int:
    """Return the start of the wait in which a pause ends."""
    return (clock // WAIT + math.ceil(pause * 1000 / WAIT)) * WAIT


def normal(state: State) -> State:
    """Return the same state with every moment replaced by its age in waits and its place in that age's order."""
    memory = state.memory
    looks = [memory.listing, memory.named, memory.probe, state.polling]
    records = (*state.records, *(memory.operations or ()))
    moments = {0, state.clock, memory.unresolved, memory.effect, *(look.as_of for look in looks if look)}
    moments |= {record.claimed for record in records if record.is_open and record.outcome is None} | (
        {memory.held.since} if memory.held else set()
    )
    moments |= {memory.preview[0]} if memory.preview else set()
    for stack in (*state.stacks, *(stack for look in looks if look for stack in look.stacks)):
        moments |= {stack.lost_at} if stack.lost_at is not None else set()
    now, places, new = state.clock // WAIT, [0] * (AGES + 1), {}
    for moment in sorted(moments):
        age = min(now - moment // WAIT, AGES)
        new[moment] = (AGES - age) * WAIT + places[age]
        places[age] += 1

    def stack(made: Made) -> Made:
        return made if made.lost_at is None else made._replace(lost_at=new[made.lost_at])

    def look(seen: Look | None) -> Look | None:
        return seen and Look(new[seen.as_of], tuple(map(stack, seen.stacks)), seen.of)

    def record(stored: Record) -> Record:
        late = stored.due is not None and stored.due > state.clock
        when = None if stored.due is None else (stored.due // WAIT - now + AGES) * WAIT if late else 0
        unresolved = stored.is_open and stored.outcome is None
        return stored._replace(
            attempts=min(stored.attempts, ATTEMPTS), claimed=new[stored.claimed] if unresolved else 0, due=when
        )

    return state._replace(
        clock=new[state.clock],
        records=tuple(map(record, state.records)),
        stacks=tuple(map(stack, state.stacks)),
        polling=look(state.polling),
        memory=memory._replace(
            operations=None if memory.operations is None else tuple(map(record, memory.operations)),
            held=memory.held
            and memory.held._replace(attempt=min(memory.held.attempt, ATTEMPTS), since=new[memory.held.since]),
            preview=memory.preview and (new[memory.preview[0]], *memory.preview[1:]),
            unresolved=new[memory.unresolved],
            effect=new[memory.effect],
            effects=min(memory.effects, 3),
            listing=look(memory.listing),
            named=look(memory.named),
            probe=look(memory.probe),
        ),
    )
