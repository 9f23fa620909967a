"""The trail's anchor: the cluster knows the newest record soon, and a chain that lacks its own is not gone on with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from stoker import metrics
from stoker.audit.files import files_of
from stoker.audit.writer import AuditError
from stoker.core.audit import Anchor, Head
from stoker.kube.anchors import Anchors
from stoker.kube.client import Access, KubeClient, open_session
from stoker.kube.lease import Leader
from stoker.reconcile.trail import ANCHOR_RECORDS, Trail, open_trail
from support.chain import RECORD
from support.kube_store import KubeStore, refusal


@pytest.fixture
async def store() -> AsyncIterator[KubeStore]:
    async with KubeStore() as store:
        yield store


@pytest.fixture
async def kube(store: KubeStore) -> AsyncIterator[KubeClient]:
    async with open_session(Access(store.url)) as session:
        yield KubeClient(session, store.url)


@pytest.fixture
def anchors(kube: KubeClient) -> Anchors:
    return Anchors(kube, "system", "replica-1")


Open = Callable[[], Awaitable[Trail]]


@pytest.fixture
async def opened(kube: KubeClient, anchors: Anchors, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a trail; what is still open at the end is closed."""
    trails: list[Trail] = []
    leader = Leader(kube, "system", "stoker", "replica-1_0a0b")
    leader.epoch = 4

    async def make() -> Trail:
        trails.append(await open_trail(str(tmp_path / "audit"), 1, anchors, leader))
        return trails[-1]

    yield make
    await trails[-1].close()


async def sequences(anchors: Anchors) -> list[int]:
    return [anchor.head.sequence for anchor in (await anchors.read()).values()]


async def record(trail: Trail, times: int = 1) -> None:
    for _ in range(times):
        async with trail.around(RECORD):
            pass


async def test_a_chain_is_anchored_at_its_start_and_at_its_end_with_the_epoch(opened: Open, anchors: Anchors) -> None:
    trail = await opened()
    assert await sequences(anchors) == [1]
    await record(trail)
    assert await sequences(anchors) == [1]
    await trail.close()
    assert await sequences(anchors) == [3]
    assert [anchor.epoch for anchor in (await anchors.read()).values()] == [4]
    await opened()


async def test_many_records_are_anchored_without_waiting(opened: Open, anchors: Anchors, store: KubeStore) -> None:
    trail = await opened()
    keeping = asyncio.create_task(trail.keep())
    await record(trail, ANCHOR_RECORDS)
    while await sequences(anchors) < [ANCHOR_RECORDS]:  # noqa: ASYNC110 -- of another server; pytest bounds it
        await asyncio.sleep(0.01)
    keeping.cancel()


async def test_a_head_that_did_not_move_is_not_written_again(opened: Open, store: KubeStore) -> None:
    trail = await opened()
    before = len(store.requests)
    await trail.anchor()
    assert len(store.requests) == before


async def test_an_anchor_that_cannot_be_written_is_said_counted_and_tried_again(
    opened: Open, anchors: Anchors, store: KubeStore, caplog: pytest.LogCaptureFixture
) -> None:
    trail = await opened()
    await record(trail)
    store.answer = refusal(403, "Forbidden")
    await trail.anchor()
    assert "the audit's head is not anchored: 403 Forbidden" in caplog.text
    assert metrics.REGISTRY.get_sample_value("stoker_audit_unanchored_records") == 2
    await trail.anchor()
    assert await sequences(anchors) == [3]
    assert metrics.REGISTRY.get_sample_value("stoker_audit_unanchored_records") == 0


async def test_a_chain_that_another_process_anchors_is_said_loudly(
    opened: Open, anchors: Anchors, caplog: pytest.LogCaptureFixture
) -> None:
    trail = await opened()
    [chain] = await anchors.read()
    await anchors.write(Anchor(Head(chain, 99, "h"), 4))
    await record(trail)
    await trail.anchor()
    [said] = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert "holds record 99 of that chain, written in epoch 4, and this process is at record 3" in said.getMessage()


async def test_a_chain_that_was_cut_off_while_nobody_ran_stops_every_effect(opened: Open, tmp_path: Path) -> None:
    trail = await opened()
    await record(trail)
    await trail.close()
    file = files_of(tmp_path / "audit")[0]
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    trail = await opened()
    with pytest.raises(AuditError, match="Truncated: it ends at record 2, and record 3 is anchored"):
        await record(trail)


async def test_a_lost_volume_begins_a_chain_and_the_old_anchor_stays(
    opened: Open, anchors: Anchors, tmp_path: Path
) -> None:
    trail = await opened()
    await record(trail)
    await trail.close()
    (tmp_path / "audit").rename(tmp_path / "away")
    await opened()
    assert sorted(await sequences(anchors)) == [1, 3]


async def test_anchors_that_cannot_be_read_are_said_and_stop_nothing(
    opened: Open, store: KubeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.answer = refusal(403, "Forbidden")
    await record(await opened())
    assert "the audit's anchors cannot be read: 403 Forbidden" in caplog.text


async def test_a_stop_does_not_hang_on_an_anchor_that_is_refused(opened: Open, store: KubeStore) -> None:
    trail = await opened()
    await record(trail)
    store.answer = refusal(403, "Forbidden")
    await trail.close()
    await opened()
