"""The QuotaService: what the quota says of each VM, and who runs a tenant's next batch when.

A batch runs when somebody asks for one: a VM that nobody judged yet, a VM that is gone, a reservation that became
smaller, a quota that changed. Requests that come while one runs, or shortly before, are one batch: nothing is polled,
and 200 VMs that are applied together take a few writes of their Tenant.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stoker import metrics
from stoker.api.quota import Quota
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.admission import tenant_of
from stoker.core.catalog import FlavorSize, Part
from stoker.core.faults import Fault
from stoker.core.quota import Denied, Unjudged, Verdict, claimant, limited, verdict
from stoker.kube.client import KubeError
from stoker.kube.lease import LeaseLostError
from stoker.reconcile.directory import Directory
from stoker.reconcile.memory import VmCache
from stoker.reconcile.queue import Priority, WorkQueue
from stoker.reconcile.reserving import Api, Batch, Reserving
from stoker.reconcile.tenants import TenantRuntime

log = logging.getLogger(__name__)

GATHERING = 0.1
"""How long requests are gathered before a batch, seconds."""

PAUSE = 0.5
"""Pause after a batch, seconds; ten times what it took, if that is more: a batch lists all VMs of the tenant."""

LONGEST_RETRY = 60.0
"""Longest pause after a batch that failed, seconds."""

NOTHING_KNOWN: Mapping[str, FlavorSize] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Judged:
    """A refusal, and what it was said of: it holds for nothing else."""

    generation: int
    limits: Quota
    flavors: Mapping[str, FlavorSize]
    denied: Denied

    def holds(self, generation: int, limits: Quota, flavors: Mapping[str, FlavorSize]) -> bool:
        return (self.generation, self.limits, self.flavors) == (generation, limits, flavors)


class QuotaService:
    """Judges VMs, and runs one batch of a tenant at a time. One event loop, no locks."""

    def __init__(
        self, api: Api, cache: VmCache, queue: WorkQueue, directory: Directory, may_act: Callable[[], None]
    ) -> None:
        self._cache, self._queue, self._directory = cache, queue, directory
        self._reserving = Reserving(api, may_act)
        cache.freed = self.freed
        self._judged: dict[str, dict[str, Judged]] = {}
        """Tenant → UID → why not."""

        self._asked: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def verdict(self, vm: VirtualMachine, vm_id: str, runtime: TenantRuntime) -> Verdict | None:
        """Return what the quota says of a VM, None without one; what nobody judged yet is judged soon."""
        tenant = self._directory.tenants.get(runtime.tenant.metadata.name, runtime.tenant)
        name, limits = tenant.metadata.name, tenant.spec.quota
        if limits is None or not limited(limits):
            return None
        flavors, snapshot = flavors_of(runtime), runtime.snapshot
        claim = claimant(vm, vm_id, flavors, seen=bool(snapshot and vm_id in snapshot.by_vm))
        judged = self._judged.get(name, {}).get(claim.uid)
        known = judged.denied if judged and judged.holds(claim.generation, limits, flavors) else None
        said = verdict(claim, limits, known)
        if isinstance(said, Unjudged) and claim.asking:
            self.ask(name)
        return said

    def freed(self, namespace: str) -> None:
        """Take note that a VM of the namespace is gone, or needs less than before."""
        tenant = tenant_of(namespace, self._directory.tenants.values())
        if not isinstance(tenant, Fault) and limited(tenant.spec.quota):
            self.ask(tenant.metadata.name)

    def ask(self, tenant: str) -> None:
        """Ask for a batch soon."""
        self._asked.setdefault(tenant, asyncio.Event()).set()
        if tenant not in self._tasks:
            self._tasks[tenant] = asyncio.create_task(self._serve(tenant), name=f"quota-{tenant}")

    async def stop(self) -> None:
        """End all batches where they are: whoever comes next finishes them."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _serve(self, tenant: str) -> None:
        """Run batches of one tenant as they are asked for, for ever."""
        asked, failures = self._asked[tenant], 0
        while True:
            await asked.wait()
            await asyncio.sleep(GATHERING)
            asked.clear()
            started = time.monotonic()
            try:
                more = await self._batch(tenant)
                failures = 0
            except LeaseLostError:
                return  # the lease's own task ends the process
            except Exception as error:  # noqa: BLE001 -- one tenant's trouble must not end its quota for good
                more, failures = True, failures + 1
                self._tell(tenant, error, failures)
            if more:
                asked.set()
            pause = max(PAUSE, 10 * (time.monotonic() - started))
            await asyncio.sleep(min(pause * 2.0 ** min(failures, 8), LONGEST_RETRY))

    def _tell(self, tenant: str, error: Exception, failures: int) -> None:
        """Log a failure; that somebody else wrote first is none."""
        if isinstance(error, KubeError) and error.status == 409 and failures <= 3:
            return
        trace = not isinstance(error, KubeError)
        log.warning("quota not settled", extra={"tenant": tenant, "error": str(error)}, exc_info=trace)

    async def _batch(self, tenant: str) -> bool:
        """Run a batch, wake whom it concerns, and tell whether another must follow."""
        runtime = self._directory.runtimes.get(tenant)
        if tenant not in self._directory.tenants:
            metrics.observe_quota(tenant, None, None)
            return False
        if runtime is None or (runtime.project and not runtime.fault and not runtime.browser.tried(Part.FLAVORS)):
            return True  # it is connected, or its flavors are read, in a moment
        flavors, snapshot = flavors_of(runtime), runtime.snapshot
        batch = await self._reserving.batch(tenant, flavors, frozenset(snapshot.by_vm if snapshot else ()))
        for raw in batch.stored:
            self._queue.add(self._cache.store(raw), Priority.USER)
        if batch.used is not None or batch.limits is None:
            self._remember(tenant, batch, flavors)
            metrics.observe_quota(tenant, batch.limits, batch.used)
        return batch.more

    def _remember(self, tenant: str, batch: Batch, flavors: Mapping[str, FlavorSize]) -> None:
        """Keep who was refused and why, and wake those for whom that is news.

        A refusal that differs in its numbers only is not: each VM that comes or goes would write to all that wait.
        """
        before = self._judged.get(tenant, {})
        now: dict[str, Judged] = {}
        for uid, denied in batch.denied.items():
            vm, old = batch.vms[uid], before.get(uid)
            assert batch.limits is not None
            same = old and old.holds(vm.generation, batch.limits, flavors) and old.denied.lacking == denied.lacking
            now[uid] = old if old and same else Judged(vm.generation, batch.limits, flavors, denied)
            if not same:
                self._queue.add((vm.namespace, vm.name), Priority.LISTING)
        self._judged[tenant] = now


def flavors_of(runtime: TenantRuntime) -> Mapping[str, FlavorSize]:
    """Return the sizes of the tenant's flavors, none while they are not known."""
    return runtime.catalog.flavors if runtime.catalog else NOTHING_KNOWN
