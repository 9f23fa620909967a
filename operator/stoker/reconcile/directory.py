"""The directory: Tenants, Clouds and templates as watched, and the running project behind each tenant.

Each tenant is brought up to date on every change and each half minute, side by side: a slow cloud delays nobody else.
How it is connected is in `connection`, what its objects say in `reports`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from stoker import metrics
from stoker.api.cloud import Cloud
from stoker.api.errors import ErrorCode
from stoker.api.ratelimit import CLOUD_LIMIT, TENANT_LIMIT
from stoker.api.template import VirtualMachineTemplate
from stoker.api.tenant import Tenant
from stoker.core import tenancy
from stoker.core.admission import tenant_of
from stoker.core.faults import Fault
from stoker.core.pace import InFlight
from stoker.core.tenancy import Seen
from stoker.kube.client import KubeClient, KubeError, path
from stoker.kube.objects import VMS
from stoker.openstack.base import Project
from stoker.reconcile.clouds import CloudRuntime
from stoker.reconcile.connection import Connect, Connector, Parse, look
from stoker.reconcile.reports import Reports
from stoker.reconcile.tenants import TenantRuntime

log = logging.getLogger(__name__)

Watched = Tenant | Cloud | VirtualMachineTemplate

REFRESH = 30.0
"""Pause between two looks at every tenant's Secret, seconds: the operator may get Secrets, not watch them."""

PATIENCE = 5.0
"""How long a round of looks is waited for, seconds; what takes longer goes on beside the next round."""


class Directory:
    """What is known of tenants. One event loop; each tenant has a lock for connecting."""

    def __init__(
        self,
        kube: KubeClient,
        namespace: str,
        connect: Connect,
        parse: Parse,
        start: Callable[[Tenant], TenantRuntime],
        holder: str = "stoker",
        calls: int = 8,
    ) -> None:
        self._kube, self._start, self._calls = kube, start, calls
        self._connector, self._reports = Connector(kube, namespace, connect, parse), Reports(kube, holder)
        self.tenants: dict[str, Tenant] = {}
        self.clouds: dict[str, Cloud] = {}
        self.templates: dict[str, VirtualMachineTemplate] = {}
        self.runtimes: dict[str, TenantRuntime] = {}
        self._shared: dict[str, CloudRuntime] = {}
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self.ready = asyncio.Event()
        """Set after the first refresh: before it, "no tenant" proves nothing."""

    def changed(self) -> None:
        """Ask for a refresh soon."""
        self._changed.set()

    def saw(self, plural: str, name: str, item: Watched | None) -> bool:
        """Take note of an object, or that it is gone; True when that is news for tenants or VMs."""
        stores: dict[str, dict[str, Any]] = {
            "tenants": self.tenants,
            "clouds": self.clouds,
            "virtualmachinetemplates": self.templates,
        }
        store = stores[plural]
        known = store.pop(name, None)
        if item is not None:
            store[name] = item
        if item is not None and known is not None and _says_the_same(known, item):
            return False
        self.changed()
        return plural != "clouds"

    def vm_gone(self) -> None:
        """Take note that a VM is gone: a Tenant that is being deleted may have waited for it."""
        if any(tenant.metadata.deletion_timestamp for tenant in self.tenants.values()):
            self.changed()

    def runtime_of(self, namespace: str) -> TenantRuntime | Fault:
        """Return the running tenant of a namespace, or why there is none."""
        tenant = tenant_of(namespace, self.tenants.values())
        if isinstance(tenant, Fault):
            return tenant
        runtime = self.runtimes.get(tenant.metadata.name)
        return runtime or Fault(ErrorCode.TENANT_NOT_READY, f"the Tenant {tenant.metadata.name} is not connected yet")

    def lane(self, namespace: str) -> str:
        """Return whose turn the work of a namespace takes: its tenant's, else its own."""
        tenant = tenant_of(namespace, self.tenants.values())
        return f"namespace {namespace}" if isinstance(tenant, Fault) else tenant.metadata.name

    async def run(self) -> None:
        """Refresh on every change and each half minute, for ever."""
        try:
            while True:
                self._changed.clear()
                await self.refresh()
                self.ready.set()
                try:
                    await asyncio.wait_for(self._changed.wait(), PATIENCE if self._looks else REFRESH)
                except TimeoutError:
                    continue
        finally:
            for task in self._looks.values():
                task.cancel()
            await asyncio.gather(*self._looks.values(), return_exceptions=True)

    async def refresh(self) -> None:
        """Bring tenants and clouds up to date; who is slow is not waited for longer than `PATIENCE`."""
        for name in [name for name in self.runtimes if name not in self.tenants]:
            await self._forget(name)
        for name in self.tenants:
            self._begin(f"tenant {name}", partial(self._refresh_tenant, name))
        if self._looks:
            await asyncio.wait(self._looks.values(), timeout=PATIENCE)
        for name in [name for name, task in self._looks.items() if task.done()]:
            _tell(name, self._looks.pop(name))
        for cloud in list(self.clouds.values()):
            name = cloud.metadata.name
            runtimes = [r for r in self.runtimes.values() if r.tenant.spec.cloud == name]
            await self._reports.cloud(cloud, self._cloud(name), runtimes)

    def _begin(self, name: str, look: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._looks:
            self._looks[name] = asyncio.create_task(look(), name=name)

    async def _forget(self, name: str) -> None:
        runtime = self.runtimes.pop(name)
        if look := self._looks.pop(f"tenant {name}", None):
            look.cancel()
            await asyncio.gather(look, return_exceptions=True)
        runtime.cloud.tenants.pop(name, None)
        metrics.forget_tenant(name)
        await runtime.stop()

    async def _refresh_tenant(self, name: str) -> None:
        """One tenant's round: finalizer, connection, conditions; a look at its rights now and then; its own end."""
        tenant = self.tenants[name]
        blocking = await self._blocking(tenant)
        if not await self._reports.finalizers(tenant, blocking):
            return
        runtime = self._runtime(tenant)
        cloud = self.clouds.get(tenant.spec.cloud)
        await self._connector.refresh(runtime, cloud)
        if runtime.project:
            runtime.cloud.tenants[name] = runtime.nudge
        elif runtime.fault is None:
            return  # the API server did not tell the Secret: nothing is known
        await look(runtime)
        known = self.tenants.get(name)
        if known is None:
            return  # it went meanwhile
        seen = Seen(
            conflicts=tenancy.conflicts(known, self.tenants.values()),
            connected=runtime.fault or runtime.attempt.fault,
            preflight=runtime.preflight,
            trusts=runtime.trusts,
            blocking=blocking,
        )
        written = await self._reports.tenant(known, runtime, seen)
        if self.tenants.get(name) is known:
            self.tenants[name] = written  # its echo may come after the next look

    def _runtime(self, tenant: Tenant) -> TenantRuntime:
        """Return the tenant's runtime, made at first sight, with what its spec says now."""
        name = tenant.metadata.name
        runtime = self.runtimes.get(name)
        if runtime is None:
            runtime = self.runtimes[name] = self._start(tenant)
            runtime.renew = partial(self._renew, name)
        if runtime.cloud.name != tenant.spec.cloud:
            runtime.cloud.tenants.pop(name, None)
            runtime.cloud = self._cloud(tenant.spec.cloud)
        runtime.tenant = tenant
        runtime.limits.adjust(tenant.spec.rate_limit or TENANT_LIMIT)
        self._cloud(tenant.spec.cloud)
        return runtime

    def _cloud(self, name: str) -> CloudRuntime:
        """Return what the tenants of a cloud share, with what its spec says now."""
        shared = self._shared.setdefault(name, CloudRuntime(name, self.changed, limit=InFlight(self._calls)))
        known = self.clouds.get(name)
        shared.bucket.adjust((known and known.spec.rate_limit) or CLOUD_LIMIT)
        return shared

    async def _renew(self, name: str, project: Project, refused: Fault) -> None:
        runtime, tenant = self.runtimes.get(name), self.tenants.get(name)
        if runtime and tenant:
            await self._connector.renew(runtime, self.clouds.get(tenant.spec.cloud), project, refused)
            self.changed()

    async def _blocking(self, tenant: Tenant) -> tuple[str, ...] | None:
        """Return the VMs that hold a Tenant which is being deleted, read live; None while none is asked for."""
        if tenant.metadata.deletion_timestamp is None:
            return None
        try:
            found, _ = await self._kube.list(path(VMS))
        except KubeError:
            return None
        mine = [vm["metadata"] for vm in found if tenancy.holds(tenant, vm, self.tenants.values())]
        return tuple(sorted(f"{metadata['namespace']}/{metadata['name']}" for metadata in mine))


def _tell(name: str, look: asyncio.Task[None]) -> None:
    """Log a look's defect: it is one tenant's trouble, and the others go on. The next round looks again."""
    if not look.cancelled() and (error := look.exception()):
        metrics.ERRORS.inc()
        log.error("a look failed in an unexpected way", extra={"look": name}, exc_info=error)


def _says_the_same(known: Watched, item: Watched) -> bool:
    """Tell whether nothing but status and bookkeeping changed."""
    going = known.metadata.deletion_timestamp, item.metadata.deletion_timestamp
    return bool(known.spec == item.spec) and going[0] == going[1]
