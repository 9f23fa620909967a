"""The directory: Tenants, Clouds and templates as watched, and the running project behind each tenant.

A tenant is connected again when its spec, its Cloud or its Secret changes, so a rotated credential needs no restart;
calls under way finish with the old one. A Secret that does not work stops the tenant: an admin who takes a credential
away means it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from stoker.api.cloud import Cloud, CloudStatus
from stoker.api.conditions import ConditionStatus, ConditionType, merge
from stoker.api.errors import ErrorCode
from stoker.api.template import VirtualMachineTemplate
from stoker.api.tenant import Tenant, TenantStatus
from stoker.core.actions import Outlook
from stoker.core.admission import tenant_of
from stoker.core.common import fault_outlook
from stoker.core.faults import Fault
from stoker.kube.client import KubeClient, KubeError, merge_patch, path
from stoker.openstack.base import CloudError, Credentials, Endpoint, Project
from stoker.reconcile.tenants import TenantRuntime

log = logging.getLogger(__name__)

Connect = Callable[[Endpoint, Credentials], Project]
Parse = Callable[[dict[str, bytes]], Credentials]

REFRESH = 30.0
"""Pause between two looks at every tenant's Secret, seconds: the operator may get Secrets, not watch them."""


class Directory:
    """What is known of tenants. One event loop, no locks but one for connecting."""

    def __init__(
        self,
        kube: KubeClient,
        namespace: str,
        connect: Connect,
        parse: Parse,
        start: Callable[[Tenant], TenantRuntime],
    ) -> None:
        self._kube, self._namespace, self._connect, self._parse, self._start = kube, namespace, connect, parse, start
        self.tenants: dict[str, Tenant] = {}
        self.clouds: dict[str, Cloud] = {}
        self.templates: dict[str, VirtualMachineTemplate] = {}
        self.runtimes: dict[str, TenantRuntime] = {}
        self._connecting = asyncio.Lock()
        self._changed = asyncio.Event()
        self.ready = asyncio.Event()
        """Set after the first refresh: before it, "no tenant" proves nothing."""

    def changed(self) -> None:
        """Ask for a refresh soon."""
        self._changed.set()

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
        while True:
            await self.refresh()
            self.ready.set()
            try:
                await asyncio.wait_for(self._changed.wait(), REFRESH)
            except TimeoutError:
                continue
            finally:
                self._changed.clear()

    async def refresh(self) -> None:
        """Bring every tenant's connection up to date, side by side: one slow cloud delays no other tenant."""
        async with self._connecting:
            for name in [name for name in self.runtimes if name not in self.tenants]:
                await self.runtimes.pop(name).stop()
            await asyncio.gather(*(self._refresh_one(tenant) for tenant in list(self.tenants.values())))
            for cloud in list(self.clouds.values()):
                await self._report_cloud(cloud)

    async def _refresh_one(self, tenant: Tenant) -> None:
        name = tenant.metadata.name
        runtime = self.runtimes.get(name)
        if runtime is None:
            runtime = self.runtimes[name] = self._start(tenant)
        runtime.tenant = tenant
        cloud = self.clouds.get(tenant.spec.cloud)
        try:
            if cloud is None:
                raise _no_cloud(tenant)
            data = await self._secret(tenant)
            basis = (tenant.spec, cloud.spec, tuple(sorted(data.items())))
            if basis != runtime.basis or runtime.fault:
                await self._connect_tenant(runtime, cloud, data)
                runtime.basis = basis
            fault = None
        except CloudError as error:
            fault = error.fault
        if fault != runtime.fault or runtime.project is None:
            runtime.fault = fault
            runtime.wake_all(name)
        await self._report(tenant, fault)

    async def _secret(self, tenant: Tenant) -> dict[str, bytes]:
        name = tenant.spec.credentials_secret
        try:
            return await self._kube.secret(self._namespace, name)
        except KubeError as error:
            what = "does not exist" if error.status == 404 else f"cannot be read ({error.reason})"
            raise CloudError(
                Fault(ErrorCode.CREDENTIALS_INVALID, f"the Secret {self._namespace}/{name} {what}")
            ) from error

    async def _connect_tenant(self, runtime: TenantRuntime, cloud: Cloud, data: dict[str, bytes]) -> None:
        """Connect and verify; the old connection serves until the new one is proven."""
        spec = cloud.spec
        endpoint = Endpoint(
            auth_url=spec.auth_url,
            region=spec.region,
            interface=spec.interface.value,
            project=runtime.tenant.spec.project_id,
            ca_bundle=spec.ca_bundle,
            allowed_hosts=spec.allowed_hosts,
        )
        project = self._connect(endpoint, self._parse(data))
        try:
            await asyncio.get_running_loop().run_in_executor(runtime.threads, project.verify)
        except CloudError:
            project.close()
            raise
        old, runtime.project, runtime.fault = runtime.project, project, None
        if old:
            old.close()
            runtime.browser.renew(other=runtime.basis[0].project_id != endpoint.project)
        else:
            runtime.start()
        log.info("tenant connected", extra={"tenant": runtime.tenant.metadata.name})

    async def _report(self, tenant: Tenant, fault: Fault | None) -> None:
        """Write the tenant's Ready condition when it differs."""
        verdict = "The credentials give a token for the pinned project."
        status = _status(tenant, fault, "Connected", verdict)
        known = self.tenants.get(tenant.metadata.name)
        if known is not None and status:
            await self._write("tenants", tenant.metadata.name, status)

    async def _report_cloud(self, cloud: Cloud) -> None:
        """Write the cloud's Ready condition: it is down when no tenant of it gets an answer."""
        runtimes = [r for r in self.runtimes.values() if r.tenant.spec.cloud == cloud.metadata.name]
        faults = [runtime.fault or runtime.poll_fault for runtime in runtimes]
        down = [fault for fault in faults if fault and fault.code in (ErrorCode.CLOUD_UNAVAILABLE, ErrorCode.TIMEOUT)]
        if runtimes and (len(down) == len(runtimes) or len(down) == 0):
            status = _status(cloud, down[0] if down else None, "Reachable", "Keystone and Heat answer.")
            if status:
                await self._write("clouds", cloud.metadata.name, status)

    async def _write(self, plural: str, name: str, patch: dict[str, Any]) -> None:
        try:
            await self._kube.merge(path(plural, None, name, "status"), {"status": patch})
        except KubeError as error:
            log.warning("status not written", extra={"object": f"{plural}/{name}", "error": str(error)})


def _no_cloud(tenant: Tenant) -> CloudError:
    return CloudError(Fault(ErrorCode.TENANT_NOT_READY, f"there is no Cloud {tenant.spec.cloud}"))


def _status(owner: Tenant | Cloud, fault: Fault | None, reason: str, verdict: str) -> dict[str, Any]:
    """Return the merge patch of the owner's status; empty when nothing changed."""
    old: TenantStatus | CloudStatus = owner.status
    if fault is None:
        wanted = {ConditionType.READY: (ConditionStatus.TRUE, reason, verdict)}
    else:
        by_itself = fault_outlook(fault) is Outlook.RETRYING
        waits = ConditionType.RECONCILING if by_itself else ConditionType.STALLED
        wanted = {
            ConditionType.READY: (ConditionStatus.FALSE, fault.code.value, fault.sentence),
            waits: (ConditionStatus.TRUE, fault.code.value, fault.sentence),
        }
    generation = owner.metadata.generation
    conditions = merge(old.conditions, wanted, generation=generation, now=datetime.now(UTC))
    new = old.model_copy(update={"observed_generation": generation, "conditions": conditions})
    return merge_patch(old.to_wire(), new.to_wire())
