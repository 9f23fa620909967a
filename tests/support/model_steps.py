"""What may happen in the small world: passes of the operator with every answer, and what people and clouds do."""

from __future__ import annotations

from collections.abc import Iterator

from stoker.api.operation import OperationSpec
from stoker.core.actions import (
    Claim,
    CreateStack,
    DeleteStack,
    Enroll,
    LookById,
    LookByName,
    PreviewUpdate,
    ReadOutputs,
    Release,
    Retain,
    Settle,
    UpdateStack,
)
from stoker.core.inputs import Inputs
from stoker.core.world import World
from support.world_model import (
    WAIT,
    Case,
    Claimed,
    Flight,
    Look,
    Made,
    Memory,
    Object,
    Record,
    State,
    Violation,
    due,
    inputs,
    normal,
    ours,
    pass_of,
    report,
)

Steps = Iterator[tuple[str, State]]


def steps(state: State, case: Case) -> Steps:
    """Return what may happen next, each with its name; the process's expected step comes first."""
    moved = state._replace(clock=state.clock + 1)
    busy = False
    for name, after in process(moved, case):
        busy = busy or not name.startswith("nothing")
        yield name, normal(after)
    for name, after in environment(moved, case):
        yield name, normal(after)
    if state.vm is not None and not state.flights and (not busy or state.left("pause")):
        waited = moved._replace(clock=moved.clock + WAIT)
        yield "wait", normal(waited.spend("pause") if busy else waited)


def demand(condition: object, what: str) -> None:
    """Raise unless the guarantee holds."""
    if not condition:
        raise Violation(what)


# ---- the process


def process(state: State, case: Case) -> Steps:
    """Return the outcomes of one pass: gather, decide, perform, report."""
    if state.vm is None or state.view is None:
        return
    state, world, decision = pass_of(state, case)
    match decision.action:
        case Enroll() | Claim() | Settle() | Retain() | Release() as action:
            yield from _write(state, world, action, case)
        case LookByName() | LookById() | ReadOutputs() | PreviewUpdate() as action:
            yield from _look(state, action)
        case CreateStack(operation, _, wanted) as action:
            _check_create(state, action)
            yield from _send(state, Flight(_variant(wanted), operation))
        case UpdateStack(operation, _, _, stack_id, wanted) as action:
            _check_update(state, world, action)
            yield from _send(state.remember(outputs=None), Flight(_variant(wanted), operation, stack_id))
        case DeleteStack(_, stack_id):
            yield from _delete(state, world, stack_id, case)
        case _:
            yield f"nothing ({decision.reason})", report(state, world, decision, case)


def _look(state: State, action: LookByName | LookById | ReadOutputs | PreviewUpdate) -> Steps:
    match action:
        case LookByName():
            yield "look by name", state.remember(named=Look(state.clock, state.stacks))
        case LookById(stack_id):
            yield f"look at {stack_id}", state.remember(probe=Look(state.clock, _find(state, stack_id), stack_id))
        case ReadOutputs(stack_id):
            if _find(state, stack_id):
                yield f"read outputs of {stack_id}", state.remember(outputs=stack_id)
        case PreviewUpdate(_, stack_id, wanted):
            yield f"preview the update of {stack_id}", state.remember(preview=(state.clock, stack_id, _variant(wanted)))


def _find(state: State, stack_id: str) -> tuple[Made, ...]:
    return tuple(stack for stack in state.stacks if stack.id == stack_id)


def _conflict(state: State) -> State:
    return state.remember(operations=None, held=None)


def _write(state: State, world: World, action: Enroll | Claim | Settle | Retain | Release, case: Case) -> Steps:
    name = type(action).__name__.lower()
    written = _written(state, world, action, case)
    yield (name, written) if written else (f"{name}: conflict", _conflict(state)._replace(view=state.vm))
    if written and state.left("unwritten"):
        after = written._replace(memory=state.memory, view=written.vm).spend("unwritten")
        yield f"{name}: stored, its answer lost", _conflict(after)


def _written(
    state: State, world: World, action: Enroll | Claim | Settle | Retain | Release, case: Case
) -> State | None:
    """Return the state after the write, or None when the API server refuses it."""
    assert state.vm is not None
    match action:
        case Enroll():
            vm = state.vm._replace(enrolled=True)
            return state._replace(vm=vm, view=vm) if state.view == state.vm else None
        case Release(left):
            if state.view != state.vm:
                return None
            _check_release(state, left.stack_id if left else None)
            return state._replace(vm=None, view=None, memory=Memory())
        case Claim():
            return _claim(state, world, action, case)
        case Settle():
            known = next(r for r in state.memory.operations or () if r.name == action.operation)
            return _store(state, known, _settled(state, world, known, action))
        case Retain(operation, spec, stack_id):
            known = new_record(operation, spec)
            record = known._replace(state="Succeeded", outcome="Accepted", stack_id=stack_id, retained=True)
            demand(
                all(s.ours or s.lost_at for s in _find(state, stack_id)), "I3: a foreign stack is recorded as retained"
            )
            return state.remember(claimable=False) if case.terminating else _store(state, None, record)


def new_record(name: str, spec: OperationSpec) -> Record:
    return Record(name, spec.type.value, spec.cause, spec.sequence, spec.generation, claimed=0)


def _claim(state: State, world: World, claim: Claim, case: Case) -> State | None:
    assert state.vm is not None
    demand(state.vm.enrolled, "intent first: a claim without our finalizer on the object")
    known = next((r for r in state.memory.operations or () if r.name == claim.operation), None)
    if known is None and case.terminating and state.vm.deleting:
        return state.remember(claimable=False) if world.deleting else None
    record = known or new_record(claim.operation, claim.spec)._replace(stack_id=claim.stack_id)
    after = _store(
        state,
        known,
        record._replace(claimed=state.clock, attempts=claim.attempt, state="Running", outcome=None, due=None),
    )
    if after is None:
        return None
    if claim.spec.type != "Delete":
        after = after.remember(unresolved=state.clock)
    return after.remember(held=Claimed(claim.operation, claim.attempt, state.clock))


def _settled(state: State, world: World, known: Record, settle: Settle) -> Record:
    if settle.stack_id:
        made = _find(state, settle.stack_id)
        demand(all(s.ours or s.lost_at for s in made), "I3: an operation is settled by a foreign stack")
    pause = (settle.next_retry_time - world.now).total_seconds() if settle.next_retry_time else None
    return known._replace(
        state=settle.state.value,
        outcome=settle.outcome.value,
        stack_id=settle.stack_id or known.stack_id,
        error=settle.error.value if settle.error else known.error,
        due=None if pause is None else due(state.clock, pause),
        failed_stacks=known.failed_stacks if settle.failed_stacks is None else settle.failed_stacks,
    )


def _store(state: State, known: Record | None, record: Record) -> State | None:
    """Store a record: a new one only if its name is free, another only if it is as we know it."""
    stored = next((r for r in state.records if r.name == record.name), None)
    if stored != known:
        return None
    others = tuple(r for r in state.records if r.name != record.name)
    cached = tuple(r for r in state.memory.operations or () if r.name != record.name)
    return state._replace(records=(*others, record)).remember(operations=(*cached, record))


def _check_release(state: State, marked: str | None) -> None:
    """A stack may be left only when that is marked, in the same step and before the object goes."""
    demand(all(flight.stack for flight in state.flights), "I2: released while a create may still land")
    demand(not any(record.is_open for record in state.records), "released with an open operation")
    left = [stack.id for stack in ours(state) if stack.id != marked]
    demand(not left, f"I2: released while {left} exist")
    lost = [stack.id for stack in state.stacks if stack.lost_at is not None and stack.id != marked]
    demand(
        not lost or state.vm is None or state.vm.stack not in lost, "I2: released a recorded stack that lost its tags"
    )


# ---- calls to Heat


def _variant(wanted: Inputs) -> int:
    return next(v for v in (0, 1) if inputs(v) == wanted)


def _send(state: State, flight: Flight) -> Steps:
    """Send what a claim is for: it lands or not, and is answered or not."""
    held, what = state.memory.held, "update" if flight.stack else "create"
    assert held is not None

    def answered(after: State, answer: str) -> State:
        moment = after.clock + 1
        memory = after.memory._replace(held=held._replace(sent=True, answer=answer), effect=moment, unresolved=moment)
        return after._replace(clock=moment, memory=memory)

    landed = land(state, flight)
    made = flight.stack or landed.stacks[-1].id if landed.stacks != state.stacks else "refused"
    yield what, answered(landed, made)
    if state.left("twice") and landed.made > state.made:
        double = land(landed._replace(stacks=()), flight)
        both = double._replace(stacks=(*landed.stacks, *double.stacks))
        yield f"{what}: landed twice", answered(both, both.stacks[-1].id).spend("twice")
    if state.left("refused"):
        yield f"{what}: refused", answered(state, "refused").spend("refused")
    flying = state._replace(flights=(*state.flights, flight))
    if state.left("lost"):
        yield f"{what}: landed, its answer lost", answered(landed, "lost").spend("lost")
        yield f"{what}: its answer lost", answered(flying, "lost").spend("lost")
    if state.left("crash"):
        yield f"{what}: crash before the answer", crash(flying)


def _check_create(state: State, create: CreateStack) -> None:
    record = next((r for r in state.records if r.name == create.operation), None)
    named, vm = state.memory.named, state.vm
    demand(vm and vm.enrolled, "intent first: a create without our finalizer")
    demand(record and record.is_open and record.outcome is None, "I1: a create without an open claim")
    assert record is not None
    demand(record.attempts == create.attempt, "I1: a create with an old claim")
    demand(named and named.as_of > record.claimed, "I1: a create without a look after its claim")
    demand(all(flight.stack for flight in state.flights), "I1: a second create while the first may still land")
    demand(not ours(state), "I1: a create although a stack of ours exists")


def _check_update(state: State, world: World, update: UpdateStack) -> None:
    record = next((r for r in state.records if r.name == update.operation), None)
    demand(record and record.is_open and record.outcome is None, "I1: an update without an open claim")
    assert record is not None
    demand(record.attempts == update.attempt, "I1: an update with an old claim")
    demand(world.seen and world.seen.as_of * 1000 > record.claimed, "I3: an update without a look after its claim")
    flying = [flight for flight in state.flights if flight.stack == update.stack_id]
    demand(not flying, "I5: an update while another may still land")
    demand(all(s.ours or s.lost_at for s in _find(state, update.stack_id)), "I3: a foreign stack is updated")
    asked = state.memory.preview
    demand(asked and asked[1:] == (update.stack_id, _variant(update.inputs)), "an update without its preview")
    demand(asked and asked[0] > state.memory.effect, "an update with a preview from before the last effect")


def land(state: State, flight: Flight) -> State:
    """Let a request land: Heat makes the stack, unless the name is taken; or updates it, whatever it is doing."""
    if flight.stack:
        return state._replace(stacks=tuple(_updated(s, flight) if s.id == flight.stack else s for s in state.stacks))
    if state.stacks:
        return state
    made = state.made + 1
    stack = Made(f"s{made}", variant=flight.variant, operation=flight.operation)
    return state._replace(made=made, stacks=(*state.stacks, stack))


def _updated(stack: Made, flight: Flight) -> Made:
    """Heat replaces the tags with those of the request, also where somebody removed them."""
    changed = stack._replace(status="UPDATE_IN_PROGRESS", variant=flight.variant, operation=flight.operation)
    return changed._replace(ours=True, lost_at=None)


def _delete(state: State, world: World, stack_id: str, case: Case) -> Steps:
    _check_delete(state, world, stack_id, case)
    deleting = tuple(s._replace(status="DELETE_IN_PROGRESS") if s.id == stack_id else s for s in state.stacks)
    sent = state.remember(effect=state.clock, effects=state.memory.effects + 1)
    yield f"delete {stack_id}", sent._replace(stacks=deleting)
    if state.left("lost"):
        yield f"delete {stack_id}: lost", sent.spend("lost")
        yield f"delete {stack_id}: its answer lost", sent._replace(stacks=deleting).spend("lost")


def _check_delete(state: State, world: World, stack_id: str, case: Case) -> None:
    assert state.vm is not None
    assert world.seen is not None
    # As the process saw it: what somebody deletes in between, nobody can know.
    alone = all(other.id == stack_id for other in world.ours)
    for stack in _find(state, stack_id):
        unproven = not stack.ours and (stack.lost_at is None or stack.lost_at / 1000 < world.seen.as_of)
        demand(not unproven, f"I3: {stack_id} is deleted without proof")
        unasked = alone and not state.vm.deleting and stack.worked
        demand(not unasked, f"{stack_id} worked, and is deleted unasked")
        unwanted = alone and world.deleting and case.retain and stack.status != "DELETE_IN_PROGRESS"
        demand(not unwanted, f"{stack_id} is deleted, and deletionPolicy asks to leave it")
    claimed = any(record.kind == "Delete" and record.is_open for record in state.records)
    needed = alone and world.deleting and not case.terminating
    demand(claimed or not needed, "intent first: a delete without a stored operation")


# ---- people and clouds


def crash(state: State) -> State:
    """Lose all memory; the next process reads the object as it is."""
    return state._replace(memory=Memory(), polling=None, view=state.vm).spend("crash")


def environment(state: State, case: Case) -> Steps:
    """Return what may happen beside the process."""
    if state.vm is None:
        return
    if state.polling is None:
        yield "poll", poll(state)
    yield from _heat(state)
    yield from _listings(state)
    yield from _people(state)
    if state.left("crash") and state.memory != Memory():
        yield "crash", crash(state)


def poll(state: State) -> State:
    """List the project."""
    return state.remember(listing=Look(state.clock, state.stacks))


def _listings(state: State) -> Steps:
    if state.left("slow") and state.polling is None:
        yield "a slow listing starts", state._replace(polling=Look(state.clock, state.stacks)).spend("slow")
    if state.polling is not None:
        yield "a slow listing ends", state._replace(polling=None).remember(listing=state.polling)
    if state.view != state.vm:
        yield "a late event", state._replace(view=state.vm)


def change(state: State, old: Made, status: str, **more: bool) -> State:
    return state._replace(stacks=tuple(s._replace(status=status, **more) if s is old else s for s in state.stacks))


def without(state: State, old: Made) -> State:
    return state._replace(stacks=tuple(stack for stack in state.stacks if stack is not old))


def _heat(state: State) -> Steps:
    for number, flight in enumerate(state.flights):
        rest = state._replace(flights=(*state.flights[:number], *state.flights[number + 1 :]))
        yield "a lost request lands", land(rest, flight)
        yield "a lost request is gone", rest
    for stack in state.stacks:
        if stack.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
            action = stack.status.partition("_")[0]
            yield f"{stack.id} completes", change(state, stack, f"{action}_COMPLETE", worked=True)
            if state.left("failed"):
                yield f"{stack.id} fails", change(state, stack, f"{action}_FAILED").spend("failed")
        if stack.status == "DELETE_IN_PROGRESS":
            yield f"{stack.id} is gone", without(state, stack)
            if state.left("undeleted"):
                yield f"the deletion of {stack.id} fails", change(state, stack, "DELETE_FAILED").spend("undeleted")


def _people(state: State) -> Steps:
    vm = state.vm
    assert vm is not None
    if state.left("edit"):
        yield from _changed(state, "edit", vm._replace(generation=vm.generation + 1, variant=1 - vm.variant))
    if state.left("deletion") and not vm.deleting:
        yield from _changed(state, "deletion", vm._replace(deleting=True) if vm.enrolled else None)
    for stack in state.stacks:
        if state.left("gone"):
            yield f"somebody deletes {stack.id}", without(state, stack).spend("gone")
        if state.left("untagged") and stack.ours:
            bare = tuple(s._replace(ours=False, lost_at=state.clock) if s is stack else s for s in state.stacks)
            yield f"{stack.id} loses its tags", state._replace(stacks=bare).spend("untagged")
    if state.left("foreign") and not state.stacks and not state.flights:
        yield "a foreign stack of our name", foreign(state).spend("foreign")
    if state.left("closed") and state.admitted:
        yield "the Tenant is taken away", state._replace(admitted=False).spend("closed")
    if not state.admitted:
        yield "the Tenant is back", state._replace(admitted=True)


def _changed(state: State, what: str, vm: Object | None) -> Steps:
    """A person changed the object, or it is gone because nothing held it; its event comes now, or late."""
    after = state._replace(vm=vm).spend(what)
    yield what, after._replace(view=vm)
    if vm is not None and state.left("late"):
        yield f"{what}, its event late", after.spend("late")


def foreign(state: State) -> State:
    """Let somebody make a stack of our name."""
    made = state.made + 1
    return state._replace(made=made, stacks=(*state.stacks, Made(f"s{made}", "CREATE_COMPLETE", ours=False)))
