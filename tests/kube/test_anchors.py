"""Anchors in the cluster: none is forgotten, none goes back, and none is overwritten unseen."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stoker.core.audit import Anchor, Head
from stoker.kube.anchors import AnchorRefusedError, Anchors
from stoker.kube.client import Access, KubeClient, KubeError, open_session
from support.kube_store import KubeStore

PATH = "/api/v1/namespaces/system/configmaps/stoker-audit-replica-1"


def anchor(sequence: int, *, chain: str = "c1", epoch: int = 1) -> Anchor:
    return Anchor(Head(chain, sequence, f"hash-{sequence}"), epoch)


@pytest.fixture
async def store() -> AsyncIterator[KubeStore]:
    async with KubeStore() as store:
        yield store


@pytest.fixture
async def anchors(store: KubeStore) -> AsyncIterator[Anchors]:
    async with open_session(Access(store.url)) as session:
        yield Anchors(KubeClient(session, store.url), "system", "Replica-1")


async def test_before_the_first_write_there_are_none(anchors: Anchors) -> None:
    assert await anchors.read() == {}


async def test_each_chain_of_a_replica_keeps_its_newest_anchor(anchors: Anchors, store: KubeStore) -> None:
    for written in (anchor(1), anchor(7), anchor(2, chain="c2", epoch=2), anchor(9, epoch=3)):
        await anchors.write(written)
    assert await anchors.read() == {"c1": anchor(9, epoch=3), "c2": anchor(2, chain="c2", epoch=2)}
    assert list(store.objects) == [PATH]


async def test_an_anchor_that_would_go_back_is_refused(anchors: Anchors) -> None:
    await anchors.write(anchor(7, epoch=2))
    with pytest.raises(AnchorRefusedError, match=r"stoker-audit-replica-1 holds record 7 .* epoch 2"):
        await anchors.write(anchor(6, epoch=3))
    assert await anchors.read() == {"c1": anchor(7, epoch=2)}


async def test_a_lease_that_was_made_anew_does_not_end_the_anchoring(anchors: Anchors) -> None:
    await anchors.write(anchor(7, epoch=5))
    await anchors.write(anchor(8, epoch=1))
    assert await anchors.read() == {"c1": anchor(8, epoch=1)}


async def test_who_wrote_meanwhile_is_not_overwritten(anchors: Anchors, store: KubeStore) -> None:
    await anchors.write(anchor(1))
    store.refuse_next("PUT", 409, "Conflict")
    with pytest.raises(KubeError, match="Conflict"):
        await anchors.write(anchor(2))
    known = store.objects[PATH]["metadata"]["resourceVersion"]
    await anchors.write(anchor(2))
    assert store.objects[PATH]["metadata"]["resourceVersion"] != known


async def test_what_is_not_understood_is_left_as_it_is(anchors: Anchors, store: KubeStore) -> None:
    store.store(PATH, {"metadata": {"name": "x"}, "data": {"c1": "?"}})
    with pytest.raises(ValueError, match="c1"):
        await anchors.write(anchor(1))
    assert store.objects[PATH]["data"] == {"c1": "?"}


async def test_another_refusal_is_no_absence(anchors: Anchors, store: KubeStore) -> None:
    store.refuse_next("GET", 403, "Forbidden")
    with pytest.raises(KubeError, match="Forbidden"):
        await anchors.read()
