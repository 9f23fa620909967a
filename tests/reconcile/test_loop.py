"""The loop: what it does with an object that it cannot read. Everything else of it runs against the real parts."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from aiohttp import web

from reconcile.test_effects import Acting, acting, tenant  # noqa: F401 -- the fixture
from stoker.core.attempts import Timing
from stoker.kube.client import Access, KubeClient, open_session
from stoker.kube.events import Events
from stoker.kube.lease import LeaseLostError
from stoker.kube.objects import Objects
from stoker.openstack.client import connect
from stoker.openstack.credentials import parse_credentials
from stoker.reconcile.directory import Directory
from stoker.reconcile.gather import Gatherer
from stoker.reconcile.loop import Reconciler
from stoker.reconcile.memory import VmCache
from stoker.reconcile.queue import WorkQueue
from stoker.reconcile.quota import QuotaService
from support.build import NOW, active
from support.kube_store import KubeStore


def stored() -> dict[str, Any]:
    """Return a VM that was edited, as the API server has it."""
    vm = active(generation=2)
    vm = vm.model_copy(update={"metadata": vm.metadata.model_copy(update={"creation_timestamp": NOW})})
    made: dict[str, Any] = json.loads(json.dumps(vm.to_wire()))
    return made


def gatherer(kube: KubeClient, cache: VmCache, queue: WorkQueue) -> Gatherer:
    """Return one that knows no Tenant."""
    directory = Directory(kube, "system", connect, parse_credentials, lambda _: None)  # type: ignore[arg-type, return-value]
    quota = QuotaService(kube, cache, queue, directory, lambda: None)
    return Gatherer(kube, Objects(kube, "holder"), cache, directory, "cluster", Timing(), quota)


async def test_a_vm_of_another_schema_is_left_alone_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    cache, queue = VmCache(), WorkQueue()
    metadata = {"name": "web-1", "namespace": "team-a", "uid": "u-1", "resourceVersion": "7"}
    key = cache.store({"metadata": metadata, "spec": {"image": "cirros", "hovercraft": "hunter22"}})
    async with KubeStore() as store, open_session(Access(store.url)) as session:
        events = Events(KubeClient(session, store.url), "holder")
        nobody = None  # no pass is run, so neither world, effect nor write is needed
        reconciler = Reconciler(cache, queue, nobody, nobody, nobody, events, nobody)  # type: ignore[arg-type]
        await reconciler.run(key)
        await reconciler.run(key)
    posted = [body for path, body in store.objects.items() if path.startswith("/api/v1/namespaces/team-a/events/")]
    assert [(event["type"], event["reason"], event["involvedObject"]["uid"]) for event in posted] == [
        ("Warning", "NotUnderstood", "u-1")
    ]
    assert "spec.hovercraft: Extra inputs are not permitted" in posted[0]["message"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.ERROR]
    assert "hunter22" not in f"{posted}{[vars(record) for record in caplog.records]}"


async def test_a_status_is_not_written_after_the_lease(acting: Acting) -> None:  # noqa: F811
    """What a process knew before it slept must not replace what the next leader found."""
    kube, queue = acting.kube, WorkQueue()
    reading, events = gatherer(kube, acting.cache, queue), Events(kube, "holder")
    reconciler = Reconciler(acting.cache, queue, reading, acting.effects, acting.objects, events, acting.check)
    key = acting.cache.store(stored())
    acting.cache.memory(active()).operations = ()
    asked = len(acting.store.requests)
    acting.lost = True
    with pytest.raises(LeaseLostError):
        await reconciler.run(key)
    assert len(acting.store.requests) == asked
    acting.lost = False
    await reconciler.run(key)
    assert [method for method, _ in acting.store.requests[asked:]] == ["PATCH"]


async def test_a_vm_is_looked_at_again_when_what_it_needs_is_not_found() -> None:
    """A record that somebody removed is answered 404 as well, and no event of the VM follows."""
    cache, queue = VmCache(), WorkQueue()
    key = cache.store(stored())
    async with KubeStore() as store, open_session(Access(store.url)) as session:
        kube = KubeClient(session, store.url)
        await Reconciler(cache, queue, gatherer(kube, cache, queue), None, None, None, None).run(key)  # type: ignore[arg-type]  # it ends before
        assert store.requests
        assert await asyncio.wait_for(queue.get(), 5) == key


async def test_a_server_that_says_for_how_long_is_not_asked_sooner() -> None:
    cache, queue = VmCache(), WorkQueue()
    key = cache.store(stored())
    async with KubeStore() as store, open_session(Access(store.url)) as session:
        kube = KubeClient(session, store.url)
        store.answer = web.Response(status=429, text="Too many requests", headers={"Retry-After": "7"})
        before = asyncio.get_running_loop().time()
        await Reconciler(cache, queue, gatherer(kube, cache, queue), None, None, None, None).run(key)  # type: ignore[arg-type]  # it ends before
        assert queue._timers[key].when() - before >= 7
