"""The breaker: when it opens, who may try, and how it closes by itself."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stoker.api.cloud import BreakerState
from stoker.core.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def failing(breaker: Breaker, times: int, *, tenant: str = "a", tenants: int = 1, now: float = 0.0) -> None:
    for _ in range(times):
        breaker.failed(tenant, now, trial=False, tenants=tenants)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    failing(breaker, FAILURES, now=now)
    return breaker


def test_it_opens_at_the_last_of_so_many_failures_in_a_row() -> None:
    breaker = Breaker()
    failing(breaker, FAILURES - 1)
    breaker.answered()
    failing(breaker, FAILURES - 1)
    assert (breaker.state, breaker.admits(0.0), breaker.wait(0.0)) == (CLOSED, True, 0.0)
    failing(breaker, 1)
    assert (breaker.state, breaker.admits(0.0), breaker.wait(1.0)) == (OPEN, False, FIRST_PAUSE - 1.0)


def test_one_tenant_alone_does_not_shut_others_out() -> None:
    breaker = Breaker()
    failing(breaker, 100, tenant="poison", tenants=2)
    assert breaker.state is CLOSED
    failing(breaker, 1, tenant="other", tenants=2)
    assert breaker.state is OPEN


def test_an_answer_to_one_tenant_makes_another_ones_failures_its_own() -> None:
    breaker = Breaker()
    failing(breaker, 4, tenant="other", tenants=2)
    breaker.answered()
    failing(breaker, 100, tenant="poison", tenants=2)
    assert breaker.state is CLOSED


def test_a_cloud_whose_tenants_are_not_counted_yet_has_one() -> None:
    breaker = Breaker()
    failing(breaker, FAILURES, tenants=0)
    assert breaker.state is OPEN


def test_after_the_pause_one_call_tries_and_an_answer_closes_it() -> None:
    breaker = opened()
    assert not breaker.admits(FIRST_PAUSE - 0.1)
    assert breaker.admits(FIRST_PAUSE)
    assert (breaker.state, breaker.admits(FIRST_PAUSE), breaker.wait(FIRST_PAUSE)) == (HALF_OPEN, False, FIRST_PAUSE)
    breaker.answered()
    assert (breaker.state, breaker.failures, breaker.tenants) == (CLOSED, 0, set())


def test_each_trial_that_fails_doubles_the_pause_up_to_a_bound() -> None:
    breaker, pauses, now = opened(), [], 0.0
    for _ in range(6):
        pauses.append(breaker.until - now)
        now = breaker.until
        assert breaker.admits(now)
        breaker.failed("a", now, trial=True, tenants=1)
    assert pauses == [5.0, 10.0, 20.0, 40.0, LONGEST_PAUSE, LONGEST_PAUSE]
    breaker.answered()
    failing(breaker, FAILURES)
    assert breaker.pause == FIRST_PAUSE


def test_a_late_failure_of_an_older_call_changes_nothing() -> None:
    breaker = opened()
    failing(breaker, 3, now=4.0)
    assert breaker.until == FIRST_PAUSE
    assert breaker.admits(FIRST_PAUSE)
    failing(breaker, 1, now=FIRST_PAUSE)
    assert breaker.state is HALF_OPEN


def test_a_trial_that_was_never_sent_leaves_the_next_one_to_another() -> None:
    breaker = opened()
    breaker.unsure(1.0)
    assert breaker.until == FIRST_PAUSE, "an older call's end says nothing"
    assert breaker.admits(7.0)
    breaker.unsure(8.0)
    assert breaker.state is OPEN
    assert breaker.admits(8.0)


class Calls(RuleBasedStateMachine):
    """Any order of calls, answers, failures and time."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now, self.trials, self.ordinary = Breaker(), 0.0, 0, 0

    @rule(seconds=st.integers(0, 800).map(lambda eighths: eighths / 8))  # sums of which are exact
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_begins(self) -> None:
        was = self.breaker.state
        if self.breaker.admits(self.now):
            self.trials += was is not CLOSED
            self.ordinary += was is CLOSED
            assert was is not HALF_OPEN

    @precondition(lambda self: self.ordinary)
    @rule(tenant=st.sampled_from("ab"))
    def an_ordinary_call_fails(self, tenant: str) -> None:
        self.ordinary -= 1
        self.breaker.failed(tenant, self.now, trial=False, tenants=2)

    @precondition(lambda self: self.ordinary)
    @rule()
    def an_ordinary_call_is_answered(self) -> None:
        self.ordinary -= 1
        self.breaker.answered()
        assert self.breaker.state is CLOSED

    @precondition(lambda self: self.trials)
    @rule(how=st.sampled_from(["fails", "is answered", "is never sent"]))
    def a_trial_ends(self, how: str) -> None:
        self.trials -= 1
        if how == "fails":
            self.breaker.failed("a", self.now, trial=True, tenants=2)
        elif how == "is answered":
            self.breaker.answered()
        else:
            self.breaker.unsure(self.now)

    @invariant()
    def it_is_never_shut_for_good(self) -> None:
        assert self.breaker.wait(self.now) <= LONGEST_PAUSE
        assert self.breaker.state is not HALF_OPEN or self.trials, "somebody is trying"


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
