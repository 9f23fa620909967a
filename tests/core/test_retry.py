"""Retry: doubled, bounded, spread by ±20 %, and never sooner than the service asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault, Retry
from stoker.core.retry import FIRST, LONGEST, delay

CODES = st.sampled_from(ErrorCode)
ATTEMPTS = st.integers(1, 10_000)
SEEDS = st.text(max_size=40)
OF = {
    Retry.BACKOFF: ErrorCode.CLOUD_UNAVAILABLE,
    Retry.SLOW: ErrorCode.NO_VALID_HOST,
    Retry.NEVER: ErrorCode.INVALID_SPEC,
}


@given(CODES, ATTEMPTS, SEEDS)
def test_a_pause_is_bounded(code: ErrorCode, attempts: int, seed: str) -> None:
    fault = Fault(code, "m")
    retry = fault.policy.retry
    assert 0.8 * FIRST[retry] <= delay(fault, attempts, seed) <= 1.2 * LONGEST[retry]


@given(st.sampled_from(Retry), st.integers(1, 40), SEEDS)
def test_a_pause_is_the_doubled_first_one_give_or_take_a_fifth(retry: Retry, attempts: int, seed: str) -> None:
    plain = min(LONGEST[retry], FIRST[retry] * 2 ** (attempts - 1))
    assert 0.8 * plain <= delay(Fault(OF[retry], "m"), attempts, seed) <= 1.2 * plain


@given(CODES, ATTEMPTS, SEEDS, st.floats(0, 600))
def test_a_service_that_asks_for_a_pause_gets_it(code: ErrorCode, attempts: int, seed: str, asked: float) -> None:
    fault = Fault(code, "m")
    assert delay(replace(fault, retry_after=asked), attempts, seed) == max(asked, delay(fault, attempts, seed))


def test_a_pause_is_a_function_of_its_arguments() -> None:
    fault = Fault(ErrorCode.TIMEOUT, "m")
    assert delay(fault, 3, "vm") == delay(fault, 3, "vm")


def test_pauses_of_many_vms_are_spread() -> None:
    """All VMs of a cloud that comes back must not ask it in the same second."""
    pauses = [delay(Fault(ErrorCode.CLOUD_UNAVAILABLE, "m"), 10, f"vm-{n}") for n in range(200)]
    assert min(pauses) < 250
    assert max(pauses) > 350


@pytest.mark.parametrize("retry", Retry)
def test_every_kind_of_retry_has_its_pauses(retry: Retry) -> None:
    assert 0 < FIRST[retry] < LONGEST[retry]
    assert Fault(OF[retry], "m").policy.retry is retry
