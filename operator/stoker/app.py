"""The composition root: settings → clients → reconciler → kopf; start, lead, stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import kopf
import prometheus_client
from pydantic import ValidationError

from stoker import __version__, handlers, metrics
from stoker.api.base import what_is_wrong
from stoker.api.tenant import Tenant
from stoker.core.attempts import Timing
from stoker.health import State, serving
from stoker.kube.anchors import Anchors
from stoker.kube.client import Access, KubeClient, KubeError, open_session, path
from stoker.kube.events import Events
from stoker.kube.lease import Leader, LeaseLostError, patiently
from stoker.kube.marks import Marks
from stoker.kube.objects import Objects
from stoker.openstack.client import connect
from stoker.openstack.credentials import parse_credentials
from stoker.reconcile import census
from stoker.reconcile.connection import Connect
from stoker.reconcile.directory import Directory
from stoker.reconcile.effects import Effects
from stoker.reconcile.gather import Gatherer
from stoker.reconcile.loop import Reconciler
from stoker.reconcile.memory import VmCache
from stoker.reconcile.queue import Priority, WorkQueue
from stoker.reconcile.quota import QuotaService
from stoker.reconcile.sweeper import make_sweeper
from stoker.reconcile.tenants import TenantRuntime
from stoker.reconcile.trail import Trail, open_trail
from stoker.settings import Settings

log = logging.getLogger(__name__)


class Operator:
    """One process's operator, from its election to its end."""

    def __init__(
        self, settings: Settings, access: Access, kube: KubeClient, cluster: str, leader: Leader, connector: Connect,
        trail: Trail,
    ) -> None:  # fmt: skip
        self.settings, self.access = settings, access
        self._kube, self._cluster, self._leader, self._trail = kube, cluster, leader, trail
        parse, start = parse_credentials, self._start_tenant
        self.directory = Directory(
            kube, settings.namespace, connector, parse, start, leader.holder, settings.tenant_calls
        )
        self.queue, self._cache = WorkQueue(self.directory.lane), VmCache()
        objects = Objects(kube, leader.holder)
        timing = Timing(settings.create_deadline_seconds, settings.stuck_seconds)
        self._quota = QuotaService(kube, self._cache, self.queue, self.directory, leader.check)
        gatherer = Gatherer(kube, objects, self._cache, self.directory, cluster, timing, self._quota)
        minutes, marks = settings.stack_timeout_minutes, Marks(kube, settings.namespace, leader.holder)
        effects = Effects(objects, self._cache, leader.check, lambda: leader.epoch, minutes, trail, marks)
        events = Events(kube, leader.holder)
        self._reconciler = Reconciler(self._cache, self.queue, gatherer, effects, objects, events, leader.check)
        self._sweeper = make_sweeper(
            kube, objects, marks, self._cache, self.queue, trail, cluster=cluster, holder=leader.holder,
            grace=settings.orphan_grace_seconds, ttl=settings.operation_ttl_seconds,
        )  # fmt: skip

    def saw_vm(self, raw: dict[str, object], *, deleted: bool, priority: Priority) -> None:
        """Take note of a VirtualMachine; only news wakes it, not the echo of our own write."""
        metadata = raw["metadata"]
        assert isinstance(metadata, dict)
        key = (str(metadata["namespace"]), str(metadata["name"]))
        if deleted:
            if self._cache.bury(raw):
                self.queue.forget(key)
            self.directory.vm_gone()
            return
        known = self._cache.objects.get(key)
        self._cache.store(raw)
        if self._cache.objects.get(key) is not known:
            self.queue.add(key, priority)

    def saw(self, plural: str, raw: dict[str, Any], *, deleted: bool) -> None:
        """Take note of a Tenant, Cloud or template; a change of spec wakes whom it concerns.

        One that does not fit this version's schema is left as it was last known, and stops nothing else.
        """
        name = raw["metadata"]["name"]
        try:
            item = None if deleted else handlers.WATCHED[plural].model_validate(raw)
        except ValidationError as error:
            log.error(  # noqa: TRY400 -- the traceback would tell of pydantic, not of the object
                "not understood, and left as it was last known",
                extra={"object": f"{plural}/{name}", "error": what_is_wrong(error)},
            )
            return
        if plural == "tenants":
            self._quota.ask(name)
        if self.directory.saw(plural, name, item):
            self._wake_namespaces(None)

    async def sweep(self, tenant: str) -> None:
        """Sweep one tenant, if it is connected."""
        runtime = self.directory.runtimes.get(tenant)
        if runtime and runtime.project and not runtime.fault:
            await self._sweeper.sweep(runtime, self.directory.runtimes.keys())

    async def run(self, stop: asyncio.Event, working: Callable[[], None]) -> None:
        """Work until told to stop or the lease is lost; `working` is called once everything runs.

        The lease is given up once no task of ours runs any more: a call under way is its claim's, and kopf ends later.
        """
        for plural in handlers.WATCHED:
            for raw in (await self._kube.list(path(plural)))[0]:
                self.saw(plural, raw, deleted=False)
        watch = asyncio.create_task(self._watch(stop), name="kopf")
        jobs = [
            asyncio.create_task(self.directory.run(), name="directory"),
            asyncio.create_task(self._leader.keep(), name="lease"),
            asyncio.create_task(census.keep(self._cache, self.queue, self.directory), name="census"),
            asyncio.create_task(self._trail.keep(), name="audit"),
        ]
        await self.directory.ready.wait()
        jobs += [asyncio.create_task(self._reconciler.work(), name=f"worker-{n}") for n in range(self.settings.workers)]
        working()
        ending = asyncio.create_task(stop.wait(), name="stop")
        done, _ = await asyncio.wait([*jobs, watch, ending], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping", extra={"because": ", ".join(sorted(task.get_name() for task in done))})
        stop.set()
        for task in (*jobs, ending):
            task.cancel()
        outcomes = await asyncio.gather(*jobs, ending, return_exceptions=True)
        await self._quota.stop()
        for runtime in self.directory.runtimes.values():
            await runtime.stop()
        await self._leader.release()
        outcomes += await asyncio.gather(watch, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        if any(task.get_name() == "lease" for task in done):
            raise LeaseLostError("the lease was lost")

    async def _watch(self, stop: asyncio.Event) -> None:
        await kopf.operator(
            registry=handlers.registry(self),
            settings=handlers.settings(),
            standalone=True,
            clusterwide=True,
            stop_flag=stop,
        )

    def _start_tenant(self, tenant: Tenant) -> TenantRuntime:
        return TenantRuntime(
            tenant=tenant,
            cluster=self._cluster,
            poll_seconds=self.settings.poll_seconds,
            rest_seconds=self.settings.rest_seconds,
            threads=ThreadPoolExecutor(self.settings.tenant_calls, thread_name_prefix=tenant.metadata.name),
            may_act=self._leader.check,
            wake=self._wake_id,
            wake_all=self._wake_tenant,
        )

    def _wake_id(self, vm_id: str) -> None:
        for key in self._cache.by_id.get(vm_id, ()):
            self.queue.add(key, Priority.LISTING)

    def _wake_tenant(self, name: str) -> None:
        tenant = self.directory.tenants.get(name)
        self._wake_namespaces(set(tenant.spec.namespaces) if tenant else None)

    def _wake_namespaces(self, namespaces: set[str] | None) -> None:
        for key in list(self._cache.objects):
            if namespaces is None or key[0] in namespaces:
                self.queue.add(key, Priority.RESYNC)


async def run(
    settings: Settings, access: Access, stop: asyncio.Event, *, ready: Callable[[], None] = lambda: None,
    working: Callable[[], None] = lambda: None, cluster: str = "",
) -> None:  # fmt: skip
    """Be a candidate (`ready` when it leads, `working` when all runs); `cluster` is its identity, for tests of two."""
    where = settings.bind_address, settings.health_port
    async with serving(*where) as health, open_session(access) as session:
        kube = KubeClient(session, access.server, user_agent=f"stoker/{__version__}")
        leader = Leader(kube, settings.namespace, settings.lease_name, settings.holder)

        async def lead() -> str:
            system = await patiently(lambda: kube.get("/api/v1/namespaces/kube-system"))
            health.state = State.STANDBY
            await leader.acquire()
            return str(cluster or system["metadata"]["uid"])

        leading = asyncio.create_task(lead())
        waiting = {leading, asyncio.create_task(stop.wait())}
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        for task in done:
            task.result()
        if stop.is_set():
            return
        cluster = leading.result()

        connector = partial(
            connect, timeout=settings.call_timeout_seconds, create_timeout=settings.create_timeout_seconds
        )
        metrics.LEADER.set(1)
        health.state = State.LEADING
        anchors = Anchors(kube, settings.namespace, settings.replica)
        trail = await open_trail(settings.audit_dir, settings.audit_file_mib, anchors, leader)
        try:
            operator = Operator(settings, access, kube, cluster, leader, connector, trail)
            ready()
            await operator.run(stop, working)
        finally:
            metrics.LEADER.set(0)
            health.state = State.STOPPING
            await leader.release()
            await trail.close()


def main(settings: Settings, access: Access) -> int:
    """Run until a signal (0), or until the lease or the API server is lost (1)."""
    if settings.metrics_port:
        prometheus_client.start_http_server(
            settings.metrics_port, addr=settings.bind_address, registry=metrics.REGISTRY
        )

    async def until_signalled() -> None:
        stop = asyncio.Event()

        def listen() -> None:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)

        listen()  # and again: kopf takes the signals when it starts, and then waits five seconds for our tasks to end
        await run(settings, access, stop, working=listen)

    try:
        asyncio.run(until_signalled())
    except (LeaseLostError, KubeError) as error:
        log.error("stopped: %s", error)  # noqa: TRY400 -- expected, and its message is all there is to say
        return 1
    return 0
