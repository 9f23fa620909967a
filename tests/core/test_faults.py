"""Faults: every code has a policy, and every message is fit for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.api.errors import ErrorCode
from stoker.core.common import fault_outlook
from stoker.core.decision import Outlook, Reason
from stoker.core.faults import FAULT_TEXT, POLICIES, Actor, Fault, Retry, one_line


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_a_policy(code: ErrorCode) -> None:
    policy = Fault(code, "m").policy
    assert policy is POLICIES[code]
    assert policy.advice.endswith(".")
    assert policy.advice[0].isupper()


def test_no_policy_is_for_a_code_that_is_none() -> None:
    assert set(POLICIES) == set(ErrorCode)


def test_reasons_and_error_codes_are_told_apart() -> None:
    assert not {reason.value for reason in Reason} & {code.value for code in ErrorCode}


@pytest.mark.parametrize("code", ErrorCode)
def test_what_never_retries_names_a_person(code: ErrorCode) -> None:
    policy = POLICIES[code]
    assert policy.retry is not Retry.NEVER or policy.actor in (Actor.USER, Actor.ADMIN)


@pytest.mark.parametrize("code", ErrorCode)
def test_only_what_retries_soon_by_itself_is_called_on_its_way(code: ErrorCode) -> None:
    soon = POLICIES[code].retry is Retry.BACKOFF
    assert fault_outlook(Fault(code, "m")) is (Outlook.RETRYING if soon else Outlook.BLOCKED)


@pytest.mark.parametrize("message", ["it broke", "it broke.", "it broke. "])
def test_a_sentence_is_the_message_and_the_advice(message: str) -> None:
    assert Fault(ErrorCode.TIMEOUT, message).sentence == "it broke. Stoker looks again by itself."


@given(st.text(max_size=1000), st.integers(1, 500))
def test_foreign_text_becomes_one_printable_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.isprintable()
    assert line == line.strip()


def test_a_line_that_fits_is_kept_and_a_longer_one_shows_that_it_was_cut() -> None:
    assert one_line("x" * FAULT_TEXT) == "x" * FAULT_TEXT
    assert one_line("x" * (FAULT_TEXT + 1)) == "x" * (FAULT_TEXT - 1) + "…"
    assert one_line(" a\n\tb\x1b[31m  c ") == "a b [31m c"
