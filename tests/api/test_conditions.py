"""Conditions: how a new set replaces an old one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stoker.api.conditions import MESSAGE_LENGTH, Condition, ConditionStatus, ConditionType, merge

THEN = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
NOW = THEN + timedelta(minutes=1)
READY, STALLED, RECONCILING = ConditionType.READY, ConditionType.STALLED, ConditionType.RECONCILING
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


def merged(old: tuple[Condition, ...], **wanted: tuple[ConditionStatus, str, str]) -> tuple[Condition, ...]:
    return merge(old, {ConditionType[name]: values for name, values in wanted.items()}, generation=7, now=NOW)


OLD = merge((), {READY: (FALSE, "Creating", "Soon."), RECONCILING: (TRUE, "Creating", "Soon.")}, generation=6, now=THEN)


def test_a_first_set_is_taken_as_it_is() -> None:
    (condition,) = merged((), READY=(TRUE, "Active", "Good."))
    assert condition.to_wire() == {
        "type": "Ready",
        "status": "True",
        "reason": "Active",
        "message": "Good.",
        "lastTransitionTime": "2026-01-01T12:01:00Z",
        "observedGeneration": 7,
    }


@pytest.mark.parametrize(
    ("status", "moved"),
    [pytest.param(FALSE, THEN, id="same"), pytest.param(TRUE, NOW, id="other"), pytest.param(UNKNOWN, NOW, id="lost")],
)
def test_the_transition_time_moves_only_with_the_status(status: ConditionStatus, moved: datetime) -> None:
    (condition,) = merged(OLD, READY=(status, "Another", "Another."))
    assert condition.last_transition_time == moved


def test_reason_message_and_generation_are_always_new() -> None:
    (condition,) = merged(OLD, READY=(FALSE, "NoValidHost", "Full."))
    assert (condition.reason, condition.message, condition.observed_generation) == ("NoValidHost", "Full.", 7)


def test_a_type_that_is_not_wanted_is_dropped() -> None:
    assert [condition.type for condition in merged(OLD, READY=(TRUE, "Active", "Good."))] == [READY]


def test_a_type_that_comes_back_has_a_new_time() -> None:
    without = merged(OLD, READY=(TRUE, "Active", "Good."))
    again = merge(without, {RECONCILING: (TRUE, "Creating", "Soon.")}, generation=8, now=NOW)
    assert again[0].last_transition_time == NOW


def test_types_come_in_the_order_wanted() -> None:
    made = merged(OLD, STALLED=(TRUE, "A", "A."), READY=(FALSE, "A", "A."))
    assert [condition.type for condition in made] == [STALLED, READY]


def test_a_long_message_is_cut() -> None:
    (condition,) = merged((), READY=(FALSE, "A", "x" * 5000))
    assert condition.message == "x" * MESSAGE_LENGTH


def test_merging_twice_changes_nothing() -> None:
    wanted = {READY: (FALSE, "Creating", "Soon."), RECONCILING: (TRUE, "Creating", "Soon.")}
    assert merge(OLD, wanted, generation=6, now=NOW) == OLD
