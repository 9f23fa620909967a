"""The sweeper: once in a while, per tenant, stacks and objects are compared as a whole.

It mends what events cannot tell: a relist never reports a missed deletion (measured with kopf 1.45.2), and a stack
without an object has no event at all. What follows from the comparison is decided in `core.sweep`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Collection
from datetime import UTC, datetime, timedelta

from stoker import metrics
from stoker.api.operation import AttemptOutcome, OperationState, VirtualMachineOperation
from stoker.core.actions import Settle
from stoker.core.orphans import CONFIRM_ANNOTATION, Tally
from stoker.core.sweep import Sweep, SweepWorld, sweep
from stoker.kube.client import KubeClient, KubeError
from stoker.kube.marks import Marks, stack_name_of, tells_project
from stoker.kube.objects import Objects
from stoker.openstack.base import CloudError
from stoker.reconcile.memory import VmCache, key_of
from stoker.reconcile.orphans import OrphanDeletion
from stoker.reconcile.population import Populations
from stoker.reconcile.queue import Priority, WorkQueue
from stoker.reconcile.sweep_report import TenantReports
from stoker.reconcile.sweep_view import Seen, SweepView
from stoker.reconcile.tenants import TenantRuntime
from stoker.reconcile.trail import Trail

log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps tenants, one call each."""

    def __init__(
        self,
        view: SweepView,
        objects: Objects,
        marks: Marks,
        cache: VmCache,
        queue: WorkQueue,
        reports: TenantReports,
        deletion: OrphanDeletion,
        *,
        grace: float,
        ttl: float,
    ) -> None:
        self._view, self._objects, self._marks = view, objects, marks
        self._cache, self._queue, self._reports, self._deletion = cache, queue, reports, deletion
        self._grace, self._ttl = timedelta(seconds=grace), timedelta(seconds=ttl)
        self._ownerless: dict[str, frozenset[str]] = {}
        self._tallies: dict[str, Tally] = {}

    async def sweep(self, runtime: TenantRuntime, tenants: Collection[str]) -> None:
        """Compare one tenant's stacks with the live objects; a look that fails ends the sweep, and nothing is done.

        `tenants` names all that there are: what was seen of one that is gone is forgotten.
        """
        name = runtime.tenant.metadata.name
        for known in (self._tallies, self._ownerless):
            for gone in known.keys() - set(tenants):
                known.pop(gone)
        try:
            seen = await self._view.look(runtime)
        except (CloudError, KubeError) as error:
            metrics.SWEEPS.labels(name, "failed").inc()
            log.warning("sweep not done", extra={"tenant": name, "error": str(error)})
            return
        found = sweep(self._world(name, seen))
        self._ownerless[name], self._tallies[name] = found.ownerless, found.tally
        self._prune(seen)
        namespaces, by_id = seen.tenant.spec.namespaces, self._cache.by_id
        runtime.forget(lambda vm_id: any(namespace in namespaces for namespace, _ in by_id.get(vm_id, ())))
        runtime.observe(seen.listing)
        for vm_id in found.missing:
            runtime.wake(vm_id)
        await self._reports.report(seen.tenant, found)
        await self._clean(runtime, found)
        await self._deletion.delete(runtime, found.doomed)
        metrics.SWEEPS.labels(name, "done").inc()

    def _world(self, name: str, seen: Seen) -> SweepWorld:
        others = (tally for tenant, tally in self._tallies.items() if tenant != name)
        return SweepWorld(
            cluster=self._view.cluster,
            policy=seen.tenant.spec.orphan_policy,
            stacks=seen.listing.stacks,
            vm_ids=seen.population.ids,
            recorded=seen.recorded,
            held=seen.population.held,
            operations=seen.operations,
            marks=seen.marks,
            now=datetime.now(UTC).replace(microsecond=0),
            grace=self._grace,
            ttl=self._ttl,
            seen_before=self._ownerless.get(name, frozenset()),
            reported=seen.tenant.status.orphans,
            confirmed=seen.tenant.metadata.annotations.get(CONFIRM_ANNOTATION),
            brake=seen.tenant.status.orphan_brake,
            elsewhere=sum(others, Tally()),
        )

    def _prune(self, seen: Seen) -> None:
        """Forget objects that are gone, and look at those that were never seen or changed unseen."""
        population = seen.population
        for key, known in list(self._cache.objects.items()):
            if key not in population.keys and int(known["metadata"]["resourceVersion"]) <= population.version:
                self._cache.forget(key)
                self._queue.forget(key)
        for raw in population.news:
            before = self._cache.objects.get(key_of(raw))
            key = self._cache.store(raw)
            if self._cache.objects[key] is not before:
                self._queue.add(key, Priority.RESYNC)

    async def _clean(self, runtime: TenantRuntime, found: Sweep) -> None:
        for operation in found.abandoned:
            message = "The VM is gone; its finalizer was taken off by hand."
            settle = Settle(operation.metadata.name, OperationState.FAILED, AttemptOutcome.FAILED, message=message)
            await self._try(self._objects.settle(settle, operation, datetime.now(UTC)))
        for operation in found.expired:
            await self._try(self._objects.remove(operation))
        for mark in found.unneeded:
            if tells_project(mark) and await self._is_gone(runtime, mark):
                await self._try(self._marks.remove(mark))

    async def _is_gone(self, runtime: TenantRuntime, mark: VirtualMachineOperation) -> bool:
        """Tell whether Heat itself calls the marked stack gone: absence from one listing proves nothing."""
        name, stack_id = stack_name_of(mark), mark.status.stack_id or ""
        try:
            probe = await runtime.call("probe", lambda project: project.heat.probe(name, stack_id))
        except CloudError as error:
            log.warning("mark kept", extra={"mark": mark.metadata.name, "error": str(error)})
            return False
        return probe.stack is None

    async def _try(self, request: Awaitable[object]) -> None:
        try:
            await request
            metrics.observe_write("sweep")
        except KubeError as error:
            if error.status not in (404, 409):
                log.warning("sweep: write refused: %s", error)


def make_sweeper(
    kube: KubeClient,
    objects: Objects,
    marks: Marks,
    cache: VmCache,
    queue: WorkQueue,
    trail: Trail,
    *,
    cluster: str,
    holder: str,
    grace: float,
    ttl: float,
) -> Sweeper:
    """Put a sweeper together; grace period and time to live of operations are in seconds."""
    populations, reports = Populations(kube, cache.objects), TenantReports(kube, holder)
    view = SweepView(kube, populations, marks, cluster)
    deletion = OrphanDeletion(view, trail, reports)
    return Sweeper(view, objects, marks, cache, queue, reports, deletion, grace=grace, ttl=ttl)
