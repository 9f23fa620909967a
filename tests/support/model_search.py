"""Searching the small world: every reachable state, and from each of them the way to rest once the faults stop."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from stoker.core.decision import Outlook
from support.model_steps import demand, land, poll, process, steps
from support.world_model import WAIT, Case, Object, State, Violation, normal, ours, pass_of, seen

DONE = {"CREATE_IN_PROGRESS": "CREATE_COMPLETE", "UPDATE_IN_PROGRESS": "UPDATE_COMPLETE"}

ROUNDS, PASSES = 40, 12
"""Rounds of (Heat finishes, a listing, passes, a long wait) within which every state comes to rest; passes in each."""


@dataclass(slots=True)
class Search:
    """The states reached, and how; `run` raises `Violation` with the shortest way to it."""

    case: Case
    start: State
    came: dict[State, tuple[State, str] | None] = field(default_factory=dict)
    at_rest: set[State] = field(default_factory=set)
    phases: set[tuple[str, str]] = field(default_factory=set)
    """The changes of phase seen, if the case tells phases; `[*]` is before the first and after the last."""

    def run(self, limit: int = 10**9) -> int:
        """Search breadth first, and return how many states there are; at most `limit` are looked at."""
        seen.cache_clear()  # the rules may have been changed since
        self.came = {self.start: None}
        queue = deque([self.start])
        while queue and len(self.came) < limit:
            state = queue.popleft()
            try:
                for name, after in steps(state, self.case):
                    self._note_phases(state, after)
                    if after not in self.came:
                        self.came[after] = (state, name)
                        queue.append(after)
                come_to_rest(state, self.case, self.at_rest)
            except Violation as violation:
                raise Violation(f"{violation}; after: {' → '.join(self.way(state))}") from None
        return len(self.came)

    def _note_phases(self, before: State, after: State) -> None:
        if before.vm is None or (after.vm is not None and before.vm.phase == after.vm.phase):
            return
        self.phases.add((before.vm.phase or "[*]", (after.vm and after.vm.phase) or "[*]"))

    def way(self, state: State) -> list[str]:
        """Return the names of the steps to a state."""
        names: list[str] = []
        while (came := self.came[state]) is not None:
            state, name = came
            names.append(name)
        return names[::-1]


def calm(state: State) -> State:
    """Return the state with an end to all faults: nothing more goes wrong, and people have mended what they broke."""
    stacks = tuple(
        s._replace(ours=True, lost_at=None) for s in state.stacks if s.ours or (s.lost_at is not None and state.vm)
    )
    return state._replace(budget=(0,) * len(state.budget), view=state.vm, polling=None, admitted=True, stacks=stacks)


def come_to_rest(state: State, case: Case, known: set[State]) -> None:
    """Raise unless the state comes to rest as it should; `known` collects states that do."""
    state = normal(calm(state))
    way = []
    for _ in range(ROUNDS):
        if state in known:
            break
        way.append(state)
        after = one_round(state, case)
        if after == state:
            _check_rest(state, case)
            break
        state = after
    else:
        raise Violation(f"liveness: not at rest after {ROUNDS} rounds")
    known.update(way)


def one_round(state: State, case: Case) -> State:
    """Let Heat finish, list, run passes until nothing changes, and wait."""
    for flight in state.flights:
        state = land(state, flight)
    stacks = tuple(
        s._replace(status=DONE[s.status], worked=True) if s.status in DONE else s
        for s in state.stacks
        if s.status != "DELETE_IN_PROGRESS"
    )
    state = poll(state._replace(stacks=stacks, flights=(), clock=state.clock + 1))
    for _ in range(PASSES):
        before = state
        state = next((after for _, after in process(state._replace(clock=state.clock + 1), case)), state)
        if state._replace(clock=before.clock) == before:
            break
    return normal(state._replace(clock=state.clock + WAIT))


def _check_rest(state: State, case: Case) -> None:
    alive = ours(state)
    if state.vm is None:
        kept = {record.stack_id for record in state.records if record.retained}
        left = [] if case.retain else [stack.id for stack in alive if stack.id not in kept]
        demand(not left, f"I2: {left} outlived the VM")
        return
    demand(not state.vm.deleting, "I4: the deletion never ends")
    state = poll(state._replace(clock=state.clock + 1))
    _, _, decision = pass_of(state, case)
    if decision.reason == "StackMissing" and case.report_missing:
        return
    if state.vm == Object(deleting=state.vm.deleting):
        return
    demand(len(alive) == 1, f"I1: {len(alive)} stacks at rest ({decision.reason})")
    demand(decision.outlook is Outlook.SETTLED, f"liveness: at rest as {decision.reason}")
    demand(alive[0].variant == state.vm.variant, f"I5: an edit is lost ({decision.reason})")
    demand(state.vm.stack == alive[0].id, "the status tells of another stack")
    demand(state.vm.server == f"server-{alive[0].id}", "the status tells of another server")
