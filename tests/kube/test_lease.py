"""One leader at a time, by clocks that need not agree: what each candidate may do follows from its own clock alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from stoker.kube import lease as module
from stoker.kube.client import Access, KubeClient, KubeError, open_session
from stoker.kube.lease import DURATION, MARGIN, Leader, LeaseLostError
from support.kube_store import KubeStore, refusal

PATH = "/apis/coordination.k8s.io/v1/namespaces/system/leases/stoker"


class Clock:
    """A clock that is set by hand, seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store() -> AsyncIterator[KubeStore]:
    async with KubeStore() as store:
        yield store


@pytest.fixture
async def kube(store: KubeStore) -> AsyncIterator[KubeClient]:
    async with open_session(Access(store.url)) as session:
        yield KubeClient(session, store.url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def candidate(kube: KubeClient, clock: Clock, holder: str = "a") -> Leader:
    return Leader(kube, "system", "stoker", holder, clock=clock)


def test_who_never_led_may_do_nothing(kube: KubeClient, clock: Clock):
    leader = candidate(kube, clock)
    assert not leader.valid()
    with pytest.raises(LeaseLostError, match="stoker"):
        leader.check()


async def test_the_first_candidate_leads_in_epoch_1(store: KubeStore, kube: KubeClient, clock: Clock):
    leader = candidate(kube, clock)
    await leader.acquire()
    leader.check()
    assert leader.epoch == 1
    spec = store.objects[PATH]["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"], spec["leaseDurationSeconds"]) == ("a", 1, int(DURATION))
    assert spec["acquireTime"] == spec["renewTime"]


async def test_no_effect_starts_close_to_the_end(kube: KubeClient, clock: Clock):
    leader = candidate(kube, clock)
    await leader.acquire()
    clock.now += DURATION - MARGIN - 0.001
    leader.check()
    clock.now += 0.001
    with pytest.raises(LeaseLostError):
        leader.check()


async def test_a_renewal_counts_from_its_start_and_keeps_the_epoch(store: KubeStore, kube: KubeClient, clock: Clock):
    leader = candidate(kube, clock)
    await leader.acquire()
    acquired = store.objects[PATH]["spec"]["acquireTime"]
    clock.now += 10
    assert await leader._try()
    clock.now += DURATION - MARGIN - 0.001
    leader.check()
    assert leader.epoch == 1
    assert store.objects[PATH]["spec"]["acquireTime"] == acquired


async def test_a_second_candidate_waits_and_takes_over_after_the_end(kube: KubeClient, clock: Clock):
    first, second = candidate(kube, clock), candidate(kube, Clock(5.0), "b")
    await first.acquire()
    assert not await second._try()
    second._clock.now += DURATION
    assert not await second._try(), "it must have gone unchanged for its whole duration, as seen here"
    second._clock.now += 0.001
    await second.acquire()
    assert second.epoch == 2
    second.check()


async def test_a_renewal_seen_begins_the_wait_anew(kube: KubeClient, clock: Clock):
    first, second = candidate(kube, clock), candidate(kube, clock, "b")
    await first.acquire()
    for _ in range(5):
        assert not await second._try()
        clock.now += DURATION - 1
        assert await first._try()
    assert second.epoch == 0


async def test_the_old_leader_may_do_nothing_before_the_new_one_may(kube: KubeClient, clock: Clock):
    first, second = candidate(kube, clock), candidate(kube, clock, "b")
    await first.acquire()
    while not await second._try():
        clock.now += 0.5
    assert second.valid()
    assert not first.valid()


async def test_who_lost_the_lease_stops_and_may_come_back_in_a_later_epoch(kube: KubeClient, clock: Clock):
    first, second = candidate(kube, clock), candidate(kube, clock, "b")
    await first.acquire()
    await second._try()
    clock.now += DURATION + 1
    assert await second._try()
    assert not await first._try()
    clock.now += DURATION + 1
    assert await first._try()
    assert (first.epoch, second.epoch) == (3, 2)


async def test_of_those_that_take_over_at_once_one_wins(kube: KubeClient, clock: Clock):
    await candidate(kube, clock).acquire()
    others = [candidate(kube, clock, holder) for holder in "bcde"]
    assert not any([await other._try() for other in others])
    clock.now += DURATION + 1
    assert sum(await asyncio.gather(*(other._won() for other in others))) == 1
    assert sum(other.valid() for other in others) == 1


async def test_a_write_that_another_was_first_with_is_a_loss_and_no_error(
    store: KubeStore, kube: KubeClient, clock: Clock
):
    first, second = candidate(kube, clock), candidate(kube, clock, "b")
    await first.acquire()
    await first.release()
    store.refuse_next("PUT", 409, "Conflict")
    assert not await second._won()
    assert not second.valid()


async def test_a_lease_without_a_spec_is_free(store: KubeStore, kube: KubeClient, clock: Clock):
    store.store(PATH, {"metadata": {"name": "stoker"}})
    leader = candidate(kube, clock)
    await leader.release()
    await leader.acquire()
    assert (leader.epoch, store.objects[PATH]["spec"]["holderIdentity"]) == (1, "a")


async def test_a_released_lease_is_taken_at_once(store: KubeStore, kube: KubeClient, clock: Clock):
    first, second = candidate(kube, clock), candidate(kube, clock, "b")
    await first.acquire()
    assert not await second._try()
    await first.release()
    assert not first.valid()
    await second.acquire()
    assert second.epoch == 2
    await first.release()
    assert store.objects[PATH]["spec"]["holderIdentity"] == "b", "only one's own lease is released"


async def test_a_release_that_fails_is_no_error(store: KubeStore, kube: KubeClient, clock: Clock):
    leader = candidate(kube, clock)
    await leader.acquire()
    store.answer = refusal(500, "InternalError")
    await leader.release()
    assert not leader.valid()


async def test_a_refusal_is_not_a_lost_lease(store: KubeStore, kube: KubeClient, clock: Clock):
    store.answer = refusal(403, "Forbidden", "no leases for you")
    with pytest.raises(KubeError, match="403 Forbidden: no leases for you"):
        await candidate(kube, clock).acquire()


async def test_an_outage_of_the_api_server_is_waited_through(
    store: KubeStore, kube: KubeClient, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(module, "RETRY", 0.0)
    store.answer, leader = refusal(503, "ServiceUnavailable", "etcd is away"), candidate(kube, clock)
    with caplog.at_level("INFO"):
        await leader.acquire()
    assert leader.valid()
    assert "waiting for the API server: 503 ServiceUnavailable: etcd is away" in caplog.text


async def test_who_took_the_lease_and_did_not_hear_so_leads_in_the_same_epoch(
    store: KubeStore, kube: KubeClient, clock: Clock
):
    spec = {"holderIdentity": "a", "leaseTransitions": 5, "leaseDurationSeconds": int(DURATION)}
    store.store(PATH, {"metadata": {"name": "stoker"}, "spec": spec})
    leader = candidate(kube, clock)
    await leader.acquire()
    assert (leader.epoch, store.objects[PATH]["spec"]["leaseTransitions"]) == (5, 5)


async def test_keep_renews_through_errors_and_ends_when_the_lease_is_anothers(
    store: KubeStore, kube: KubeClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "RENEW", 0.0)
    monkeypatch.setattr(module, "RETRY", 0.0)
    leader = candidate(kube, clock)
    await leader.acquire()
    store.answer = refusal(500, "InternalError")
    store.refuse_next("PUT", 409, "Conflict")  # somebody labelled it
    writes = store.version

    def take(now: float = clock.now) -> float:
        """Let another take the lease after the third renewal."""
        if store.version == writes + 3:
            store.store(PATH, {**store.objects[PATH], "spec": {"holderIdentity": "b", "leaseTransitions": 2}})
        return now

    leader._clock = take
    await leader.keep()
    assert store.version == writes + 4
    assert ("GET", PATH) in store.requests


async def test_keep_ends_when_the_time_is_over(
    store: KubeStore, kube: KubeClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "RENEW", 0.0)
    leader = candidate(kube, clock)
    await leader.acquire()
    clock.now += DURATION
    requests = len(store.requests)
    await leader.keep()
    assert len(store.requests) == requests
