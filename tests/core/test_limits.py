"""Rate limits: what a bucket lets through, in which order, and what one queue takes from another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stoker.api.ratelimit import TENANT_LIMIT, RateLimit, TenantRateLimit
from stoker.core import limits
from stoker.core.limits import Bucket, TenantLimits, per_user

STEPS = st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60)
FAR = Bucket(10_000, 100_000)


@given(STEPS, st.integers(1, 50), st.integers(1, 20))
def test_no_span_of_time_sees_more_than_the_burst_and_the_rate(steps: list[float], rate: int, burst: int) -> None:
    bucket, now, times = Bucket(rate, burst), 0.0, []
    for step in steps:
        now += step
        times.append(bucket.take(now))
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + rate * (times[last] - begin) + 1e-6


@given(STEPS, st.integers(1, 50), st.integers(1, 20))
def test_places_come_in_their_order_and_no_later_than_they_must(steps: list[float], rate: int, burst: int) -> None:
    bucket, now, before = Bucket(rate, burst), 0.0, 0.0
    for count, step in enumerate(steps, 1):
        now += step
        at = bucket.take(now)
        assert at >= max(now, before)
        assert at <= now + max(0.0, (count - burst) / rate) + 1e-6
        before = at


def test_a_burst_goes_at_once_and_the_next_waits_for_its_interval() -> None:
    bucket = Bucket(2, 3)
    assert [bucket.take(10.0) for _ in range(5)] == [10.0, 10.0, 10.0, 10.5, 11.0]
    assert not bucket.is_full(11.0)
    assert bucket.is_full(12.5)
    assert [bucket.take(12.5) for _ in range(4)] == [12.5, 12.5, 12.5, 13.0]


def test_a_changed_rate_counts_from_now_on_and_what_was_taken_stays_taken() -> None:
    bucket = Bucket(1, 1)
    assert [bucket.take(0.0), bucket.take(0.0)] == [0.0, 1.0]
    bucket.adjust(RateLimit(calls_per_second=10, burst=1))
    assert [bucket.take(0.0), bucket.take(0.0)] == [2.0, 2.1]


def test_a_call_passes_user_then_tenant_then_cloud() -> None:
    tenant = TenantLimits(Bucket(1, 1), RateLimit(calls_per_second=1, burst=1))
    cloud = Bucket(1, 1)
    assert tenant.turn("alice", cloud, 0.0).wait(0.0) == 0.0
    second = tenant.turn("alice", cloud, 0.0)
    assert (second.wait(0.0), second.scope) == (1.0, "user")
    assert tenant.turn("bob", Bucket(1, 9), 0.0).wait(0.5) == 0.5, "the tenant's: it is bob's first, alice's waits"
    assert (second.wait(1.0), second.scope) == (1.0, "tenant")
    cloud.take(1.0), cloud.take(1.0)
    assert (second.wait(2.0), second.scope) == (1.0, "cloud")
    assert (second.wait(3.0), second.scope) == (0.0, "")
    assert second.wait(3.0) == 0.0


def test_what_waits_for_its_tenant_takes_no_place_in_the_cloud() -> None:
    cloud = Bucket(10, 1)
    slow = TenantLimits(Bucket(1, 1), RateLimit(calls_per_second=1000, burst=1000))
    other = TenantLimits(Bucket(1000, 1000), RateLimit(calls_per_second=1000, burst=1000))
    waiting = [slow.turn("u", cloud, 0.0) for _ in range(100)]
    assert sum(turn.wait(0.0) == 0.0 for turn in waiting) == 1
    assert other.turn("u", cloud, 0.0).wait(0.0) == 0.1, "behind one call, not behind a hundred"


def test_one_users_queue_leaves_another_users_calls_alone() -> None:
    tenant = TenantLimits.of(TenantRateLimit(calls_per_second=10, burst=10))
    noisy = [tenant.turn("alice", FAR, 0.0) for _ in range(5000)]
    assert sum(turn.wait(0.0) == 0.0 for turn in noisy) == 5, "half of the tenant's"
    assert [tenant.turn("bob", FAR, 0.0).wait(0.0) for _ in range(5)] == [0.0] * 5


def test_a_users_limit_is_what_is_said_else_half_of_the_tenants() -> None:
    assert per_user(TENANT_LIMIT) == RateLimit(calls_per_second=100, burst=200)
    assert per_user(TenantRateLimit(calls_per_second=1, burst=1)) == RateLimit(calls_per_second=1, burst=1)
    said = TenantRateLimit(calls_per_second=10, burst=10, user_calls_per_second=3, user_burst=4)
    assert per_user(said) == RateLimit(calls_per_second=3, burst=4)


def test_the_number_of_buckets_is_bounded_and_users_at_rest_give_theirs_up(monkeypatch) -> None:
    monkeypatch.setattr(limits, "USERS", 3)
    tenant = TenantLimits(Bucket(1000, 1000), RateLimit(calls_per_second=1, burst=1))
    for name in "abc":
        assert tenant.turn(name, FAR, 0.0).wait(0.0) == 0.0
    assert tenant.turn("d", FAR, 0.0).wait(0.0) == 0.0
    assert tenant.turn("e", FAR, 0.0).wait(0.0) == 1.0, "shares the bucket of the others"
    assert set(tenant.users) == {"a", "b", "c"}
    assert tenant.turn("a", FAR, 0.0).wait(0.0) == 1.0
    assert tenant.turn("d", FAR, 1.5).wait(1.5) == 0.0
    assert set(tenant.users) == {"a", "d"}
    tenant.adjust(TenantRateLimit(calls_per_second=9, burst=9, user_calls_per_second=7, user_burst=8))
    assert {(b.rate, b.burst) for b in [*tenant.users.values(), tenant.others]} == {(7, 8)}
    assert (tenant.tenant.rate, tenant.tenant.burst) == (9, 9)
    fresh = TenantLimits.of(TENANT_LIMIT)
    fresh.adjust(TENANT_LIMIT)
    assert fresh.others is None
