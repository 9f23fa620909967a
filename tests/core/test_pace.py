"""The pace: how the limit in flight follows a cloud's answers, and how far apart listings are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.core.pace import FAR, FEWEST, NEAR, InFlight, pause_after

FIRST = 16


def fast(limit: InFlight, times: int = 1, *, full: bool = True, kind: str = "create", took: float = 0.1) -> None:
    for _ in range(times):
        limit.answered(kind, 100.0, 100.0 + took, full=full)


@pytest.mark.parametrize(("spent", "pause"), [(0.0, 1), (0.25, 1), (0.5, 2), (5.0, 20), (60.0, 45)])
def test_a_listing_that_takes_long_is_followed_by_a_longer_pause(spent: float, pause: float) -> None:
    assert pause_after(spent, least=1.0, most=45.0) == pause


def test_the_least_pause_holds_even_where_rest_is_shorter() -> None:
    assert pause_after(60.0, least=1.0, most=0.5) == 1.0


def test_a_cloud_as_fast_as_ever_is_given_one_more_for_each_round_of_calls() -> None:
    limit = InFlight(FIRST)
    limit.failed(0.0, 1.0)
    fast(limit, FIRST // 2 + 1)
    assert limit.places == FIRST // 2 + 1
    fast(limit, 1000)
    assert limit.places == FIRST


def test_it_grows_only_while_the_places_are_used() -> None:
    limit = InFlight(FIRST)
    limit.failed(0.0, 1.0)
    fast(limit, 1000, full=False)
    assert limit.places == FIRST // 2


def test_a_cloud_that_is_many_times_slower_is_given_half() -> None:
    limit = InFlight(FIRST)
    fast(limit, took=2.0)
    limit.answered("create", 200.0, 200.0 + 2.0 * FAR * 1.1, full=True)
    assert limit.places == FIRST // 2


def test_between_near_and_far_the_limit_stays() -> None:
    limit = InFlight(FIRST)
    fast(limit, took=2.0, full=False)
    limit.failed(0.0, 1.0)
    limit.answered("create", 200.0, 200.0 + 2.0 * NEAR * 1.1, full=True)
    assert limit.limit == FIRST / 2


def test_a_call_within_a_second_is_never_slow() -> None:
    limit = InFlight(FIRST)
    fast(limit, took=0.001, full=False)
    limit.answered("create", 200.0, 200.99, full=False)
    assert limit.limit == FIRST


def test_slow_and_fast_are_those_of_calls_of_one_kind() -> None:
    limit = InFlight(FIRST)
    fast(limit, kind="find", took=0.01, full=False)
    fast(limit, kind="create", took=9.0, full=False)
    assert limit.limit == FIRST


def test_calls_of_one_overload_halve_once() -> None:
    limit = InFlight(FIRST)
    for _ in range(10):
        limit.failed(100.0, 130.0)
    assert limit.places == FIRST // 2
    limit.failed(131.0, 161.0)
    assert limit.places == FIRST // 4


def test_a_best_time_is_forgotten_when_no_call_reaches_it_any_more() -> None:
    limit = InFlight(FIRST)
    fast(limit, took=1.0, full=False)
    for turn in range(200):
        began = 200.0 + 20 * turn
        limit.answered("create", began, began + 10.0, full=True)
    assert limit.places > FEWEST, "what the cloud takes now is what it takes"


@given(
    st.sampled_from([1, 2, 64]),
    st.lists(st.tuples(st.booleans(), st.floats(0, 600), st.floats(0, 600), st.booleans()), max_size=300),
)
def test_the_limit_stays_within_its_bounds(most: int, calls: list[tuple[bool, float, float, bool]]) -> None:
    limit = InFlight(most)
    for failed, began, took, full in calls:
        if failed:
            limit.failed(began, began + took)
        else:
            limit.answered("create", began, began + took, full=full)
        assert min(FEWEST, most) <= limit.places <= most
