"""The loop: what it does with an object that it cannot read. Everything else of it runs against the real parts."""

from __future__ import annotations

import logging

import pytest

from stoker.kube.client import Access, KubeClient, open_session
from stoker.kube.events import Events
from stoker.reconcile.loop import Reconciler
from stoker.reconcile.memory import VmCache
from stoker.reconcile.queue import WorkQueue
from support.kube_store import KubeStore


async def test_a_vm_of_another_schema_is_left_alone_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    cache, queue = VmCache(), WorkQueue()
    metadata = {"name": "web-1", "namespace": "team-a", "uid": "u-1", "resourceVersion": "7"}
    key = cache.store({"metadata": metadata, "spec": {"image": "cirros", "hovercraft": "hunter22"}})
    async with KubeStore() as store, open_session(Access(store.url)) as session:
        events = Events(KubeClient(session, store.url), "holder")
        nobody = None  # no pass is run, so neither world, effect nor write is needed
        reconciler = Reconciler(cache, queue, nobody, nobody, nobody, events)  # type: ignore[arg-type]
        await reconciler.run(key)
        await reconciler.run(key)
    posted = [body for path, body in store.objects.items() if path.startswith("/api/v1/namespaces/team-a/events/")]
    assert [(event["type"], event["reason"], event["involvedObject"]["uid"]) for event in posted] == [
        ("Warning", "NotUnderstood", "u-1")
    ]
    assert "spec.hovercraft: Extra inputs are not permitted" in posted[0]["message"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.ERROR]
    assert "hunter22" not in f"{posted}{[vars(record) for record in caplog.records]}"
