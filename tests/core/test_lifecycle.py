"""Long lives with many faults at once: what the exhaustive search is too small for is drawn at random.

The same small world, with ample faults of every kind: a failure shrinks to the shortest life that shows it.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from support.model_search import come_to_rest
from support.model_steps import steps
from support.world_model import FAULTS, Case, Object, State, Violation, budget

CASES = st.builds(
    Case,
    retain=st.booleans(),
    report_missing=st.booleans(),
    restored=st.booleans(),
    terminating=st.booleans(),
)
KINDS = st.sets(st.sampled_from(FAULTS)).map(sorted)
"""A life with few kinds of faults gets further into each than one with all."""

LENGTHS = st.integers(0, 120)
CHOICES = LENGTHS.flatmap(lambda length: st.lists(st.integers(0, 39), min_size=length, max_size=length))


@settings(max_examples=4000, deadline=None)
@given(CASES, st.integers(0, 8), KINDS, st.booleans(), CHOICES)
def test_every_life_keeps_the_guarantees_and_comes_to_rest(
    case: Case, faults: int, kinds: list[str], enrolled: bool, choices: list[int]
) -> None:
    vm = Object(enrolled=enrolled)
    state, way = State(budget(faults, *kinds), vm=vm, view=vm), []
    try:
        for choice in choices:
            possible = list(steps(state, case))
            name, state = possible[choice % len(possible)]
            way.append(name)
            if state.vm is None:
                break
        come_to_rest(state, case, set())
    except Violation as violation:
        raise Violation(f"{violation}; after: {' → '.join(way)}") from None
