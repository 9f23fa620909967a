"""Every state of a small world is searched: no path breaks a guarantee, and every one leads to rest.

One fault of any kind, in any place, on the way of each case, with the VM's deletion at any moment; and the pairs of
faults that matter most.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from coverage import Coverage

from stoker.core import absent, common, decide, present, update
from stoker.core.describe import PHASES
from support.model_search import Search
from support.world_model import Case, Made, Object, State, Violation, budget


@pytest.fixture(autouse=True)
def untraced() -> Iterator[None]:
    """Measure no coverage here: it would double the time, and the rules' coverage comes from their scenarios."""
    measuring = Coverage.current()
    if measuring:
        measuring.stop()
    yield
    if measuring:
        measuring.start()


ENROLLED = Object(enrolled=True)
RESTORED_WITH_STACK = partial(
    State, vm=ENROLLED, view=ENROLLED, stacks=(Made("s1", "CREATE_COMPLETE", worked=True),), made=1
)

SEARCHES: dict[str, tuple[Case, State]] = {
    "a VM's life, with any one fault": (Case(), State(budget(1))),
    "with two edits, two lost answers, or one of each": (Case(), State(budget(2, "edit", "lost"))),
    "Retain, with any one fault": (Case(retain=True), State(budget(1))),
    "Retain in a namespace that is going, with any one fault": (
        Case(retain=True, terminating=True),
        State(budget(1)),
    ),
    "onStackMissing: Error, with a stack that goes": (
        Case(report_missing=True),
        State(budget(1, "gone", "untagged", "crash", "lost", "late")),
    ),
    "a restored VM, with any one fault of its beginning": (
        Case(restored=True),
        State(budget(1, "crash", "lost", "refused", "twice", "unwritten", "foreign", "failed")),
    ),
    "a restored VM whose stack is there, with any one fault": (Case(restored=True), RESTORED_WITH_STACK(budget(1))),
    "a quota without room, with an edit, a crash or a stack that goes": (
        Case(quota=True),
        State(budget(1, "closed", "edit", "crash", "gone")),
    ),
    "in a namespace that is going, with any one fault": (Case(terminating=True), State(budget(1))),
}


@pytest.mark.parametrize(("case", "start"), SEARCHES.values(), ids=SEARCHES)
def test_no_path_breaks_a_guarantee(case: Case, start: State) -> None:
    assert Search(case, start).run() > 1000


WITHOUT: dict[decide.Rule, str] = {
    present.identity_is_stored_first: "intent first",
    present.doubles_of_the_stack_are_removed: "I1",
    present.a_failed_create_is_recorded: "liveness",
    present.a_failed_stack_is_cleaned_up_before_the_next_try: "liveness",
    present.outputs_are_read_once: "the status tells of another server",
    update.an_update_is_previewed: "without its preview",
    update.an_update_is_claimed_first: "I5",
    present.a_complete_stack_is_settled: "liveness",
    present.an_unanswered_create_may_still_land: "I1",
    present.a_create_follows_a_look_after_its_claim: "I1",
    common.what_cannot_be_seen_is_left_alone: "I2",
    absent.an_unanswered_create_may_still_land: "I2",
    absent.a_delete_is_claimed_first: "intent first",
    absent.every_stack_of_ours_is_deleted: "I4",
    absent.a_recorded_stack_is_proven_gone: "I2",
    absent.open_operations_are_ended: "open operation",
}
"""Rules, and the guarantee that falls without each."""


@pytest.mark.parametrize(("rule", "guarantee"), WITHOUT.items(), ids=lambda it: getattr(it, "__name__", None))
def test_the_search_notices(rule: decide.Rule, guarantee: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a rule that a guarantee rests on, the search finds a path that breaks it."""
    for name in ("PRESENT", "ABSENT"):
        monkeypatch.setattr(decide, name, tuple(r for r in getattr(decide, name) if r is not rule))
    with pytest.raises(Violation, match=guarantee):
        Search(Case(), State(budget(1))).run()


def test_the_diagram_of_phases_is_what_happens() -> None:
    """Every arrow of docs/states.md is walked, and no change of phase leads anywhere else."""
    search = Search(Case(phases=True), State(budget(1, "closed", "failed", "gone", "untagged")))
    search.run()
    arrows = {(before, after) for before, after, _ in PHASES}
    assert arrows <= search.phases
    reached = set(arrows)
    while more := {(a, d) for a, b in reached for c, d in arrows if b == c} - reached:
        reached |= more
    assert search.phases <= reached
