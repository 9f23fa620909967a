"""The sweeper: once in a while, per tenant, stacks and objects are compared as a whole.

It mends what events cannot tell: a relist never reports a missed deletion (measured with kopf 1.45.2), and a stack
without an object has no event at all. It reports orphans; it deletes none.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from stoker import metrics
from stoker.api.base import API_VERSION
from stoker.api.operation import AttemptOutcome, OperationState, VirtualMachineOperation
from stoker.api.tenant import TenantStatus
from stoker.core.actions import Settle
from stoker.core.identity import cluster_tags
from stoker.core.sweep import REPORTED, Sweep, SweepWorld, sweep
from stoker.kube.client import KubeClient, KubeError, merge_patch, path
from stoker.kube.events import post
from stoker.kube.objects import OPERATIONS, VMS, Objects
from stoker.openstack.base import CloudError
from stoker.reconcile.memory import VmCache, identity_of
from stoker.reconcile.queue import Key, Priority, WorkQueue
from stoker.reconcile.tenants import TenantRuntime

log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps tenants, one call each."""

    def __init__(
        self,
        kube: KubeClient,
        objects: Objects,
        cache: VmCache,
        queue: WorkQueue,
        *,
        cluster: str,
        holder: str,
        grace: float,
        ttl: float,
    ) -> None:
        self._kube, self._objects, self._cache, self._queue = kube, objects, cache, queue
        self._cluster, self._holder = cluster, holder
        self._grace, self._ttl = timedelta(seconds=grace), timedelta(seconds=ttl)
        self._ownerless: dict[str, frozenset[str]] = {}

    async def sweep(self, runtime: TenantRuntime) -> None:
        """Compare one tenant's stacks with the live objects; a failed listing ends the sweep without a word on orphans."""
        tenant = runtime.tenant
        name = tenant.metadata.name
        try:
            listing = await runtime.call("list", lambda project: project.heat.list(cluster_tags(self._cluster)))
            vms, _ = await self._kube.list(path(VMS))
            operations = [
                VirtualMachineOperation.model_validate(item)
                for namespace in tenant.spec.namespaces
                for item in (await self._kube.list(path(OPERATIONS, namespace)))[0]
            ]
        except (CloudError, KubeError) as error:
            log.warning("sweep not done", extra={"tenant": name, "error": str(error)})
            return
        self._prune({(vm["metadata"]["namespace"], vm["metadata"]["name"]): vm for vm in vms})
        found = sweep(
            SweepWorld(
                stacks=listing.stacks,
                vm_ids=frozenset(identity_of(vm) for vm in vms),
                operations=tuple(operations),
                now=datetime.now(UTC).replace(microsecond=0),
                grace=self._grace,
                ttl=self._ttl,
                seen_before=self._ownerless.get(name, frozenset()),
                reported=tenant.status.orphans,
            )
        )
        self._ownerless[name] = found.ownerless
        await self._clean(found)
        await self._report(runtime, found)

    def _prune(self, live: dict[Key, dict[str, Any]]) -> None:
        """Forget objects that are gone, and look at those that were never seen or changed unseen."""
        for key in [key for key in self._cache.objects if key not in live]:
            self._cache.forget(key)
            self._queue.forget(key)
        for key, raw in live.items():
            known = self._cache.objects.get(key)
            if known is None or known["metadata"]["resourceVersion"] != raw["metadata"]["resourceVersion"]:
                self._cache.store(raw)
                self._queue.add(key, Priority.RESYNC)

    async def _clean(self, found: Sweep) -> None:
        for operation in found.abandoned:
            message = "The VM is gone; its finalizer was taken off by hand."
            settle = Settle(operation.metadata.name, OperationState.FAILED, AttemptOutcome.FAILED, message=message)
            await self._try(self._objects.settle(settle, operation, datetime.now(UTC)))
        for operation in found.expired:
            await self._try(self._kube.delete(path(OPERATIONS, operation.metadata.namespace, operation.metadata.name)))

    async def _try(self, request: Any) -> None:
        try:
            await request
            metrics.observe_write("sweep")
        except KubeError as error:
            if error.status not in (404, 409):
                log.warning("sweep: write refused: %s", error)

    async def _report(self, runtime: TenantRuntime, found: Sweep) -> None:
        tenant = runtime.tenant
        metrics.ORPHANS.labels(tenant.metadata.name).set(len(found.orphans))
        old = tenant.status
        new: TenantStatus = old.model_copy(
            update={
                "orphans": found.orphans[:REPORTED],
                "orphan_count": len(found.orphans),
                "last_sweep_time": old.last_sweep_time,
            }
        )
        if not merge_patch(old.to_wire(), new.to_wire()):
            return
        new = new.model_copy(update={"last_sweep_time": datetime.now(UTC)})
        patch = merge_patch(old.to_wire(), new.to_wire())
        await self._try(self._kube.merge(path("tenants", None, tenant.metadata.name, "status"), {"status": patch}))
        known = {orphan.stack_id for orphan in old.orphans}
        for orphan in found.orphans:
            if orphan.stack_id not in known:
                involved = {
                    "apiVersion": API_VERSION,
                    "kind": "Tenant",
                    "name": tenant.metadata.name,
                    "uid": tenant.metadata.uid,
                }
                message = (
                    f"Stack {orphan.stack_name} ({orphan.stack_id}) carries our tags and belongs to no VirtualMachine."
                )
                await post(self._kube, involved, "Warning", "OrphanFound", message, self._holder)
