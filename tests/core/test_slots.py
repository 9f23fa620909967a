"""Slots: a volume keeps its resource, and no resource goes from one volume to another in one update."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stoker.core.slots import VOLUME_SLOTS, placed

NAMES = st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=VOLUME_SLOTS)


def test_volumes_take_slots_in_order() -> None:
    assert placed(["a", "b"]) == ("a", "b")
    assert placed([]) == ()


def test_what_is_removed_leaves_a_gap_that_a_later_volume_fills() -> None:
    assert placed(["b"], ("a", "b")) == ("", "b")
    assert placed(["b", "c"], ("", "b")) == ("c", "b")
    assert placed(["a"], ("a", "b")) == ("a",)


def test_in_one_update_a_new_volume_does_not_take_the_place_of_an_old_one() -> None:
    assert placed(["c", "b"], ("a", "b")) == ("", "b", "c")


def test_an_update_that_failed_half_way_frees_nothing() -> None:
    """Asked for: a gone, c new. Whether a is still there is not known."""
    assert placed(["b", "d"], ("", "b", "c"), ("a", "b")) == ("", "b", "", "d")


def test_what_the_stack_has_now_wins_over_what_it_had() -> None:
    """A restored status may be older than the stack."""
    assert placed(["a", "c"], ("c",), ("a",)) == ("c", "a")
    assert placed(["a"], ("c",), ("a",)) == ("", "a")


def test_without_a_slot_that_was_free_there_is_none() -> None:
    assert placed(["x"], tuple("abcdefgh")) is None


@given(NAMES, NAMES, NAMES)
def test_a_slot_never_changes_its_volume(first: list[str], second: list[str], third: list[str]) -> None:
    done = placed(first)
    assert done is not None
    asked = placed(second, done)
    again = placed(third, asked, done) if asked is not None else None
    for before, after in ((done, asked), (done, again), (asked, again)):
        for old, new in zip(before or (), after or (), strict=False):
            assert not old or not new or old == new
    if asked is not None:
        assert sorted(filter(None, asked)) == sorted(second)
        assert placed(second, asked) == asked
