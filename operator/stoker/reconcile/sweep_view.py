"""What a sweep reads, live and in the order that its conclusions need; and the last look before a deletion."""

from __future__ import annotations

from dataclasses import dataclass

from stoker.api.operation import VirtualMachineOperation
from stoker.api.tenant import Tenant
from stoker.core.identity import cluster_tags
from stoker.core.orphans import Doomed, Spared, may_go
from stoker.core.stack import Listing
from stoker.kube.client import KubeClient, KubeError, path
from stoker.kube.marks import Marks
from stoker.kube.objects import OPERATIONS
from stoker.reconcile.population import Population, Populations
from stoker.reconcile.tenants import TenantRuntime


@dataclass(frozen=True, slots=True)
class Seen:
    """One sweep's observations."""

    tenant: Tenant
    operations: tuple[VirtualMachineOperation, ...]
    listing: Listing
    population: Population
    marks: tuple[VirtualMachineOperation, ...]

    @property
    def recorded(self) -> dict[str, str]:
        """VM's id → the stack that its status tells of, for the tenant's VMs."""
        found: dict[str, str] = {}
        for namespace in self.tenant.spec.namespaces:
            found |= self.population.recorded.get(namespace, {})
        return found


class SweepView:
    """Reads for the sweeper."""

    def __init__(self, kube: KubeClient, populations: Populations, marks: Marks, cluster: str) -> None:
        self._kube, self._populations, self._marks, self.cluster = kube, populations, marks, cluster

    async def look(self, runtime: TenantRuntime) -> Seen:
        """Read operations, stacks, objects and marks, each complete or raising CloudError or KubeError."""
        tenant = await self._tenant(runtime)
        operations = await self._operations(tenant)
        listing = await runtime.call("list", lambda project: project.heat.list(cluster_tags(self.cluster)))
        population = await self._populations.read()
        return Seen(tenant, operations, listing, population, await self._marks.of(tenant.spec.project_id))

    async def still(self, runtime: TenantRuntime, doomed: Doomed) -> bool:
        """Look again, at that stack and at everything that may speak for it. Raises CloudError and KubeError."""
        name, stack_id = doomed.stack.name, doomed.stack.id
        probe = await runtime.call("probe", lambda project: project.heat.probe(name, stack_id))
        population = await self._populations.read()
        tenant = await self._tenant(runtime)
        records = (*await self._operations(tenant), *await self._marks.of(tenant.spec.project_id))
        return may_go(
            doomed,
            probe.stack,
            cluster=self.cluster,
            policy=tenant.spec.orphan_policy,
            vm_ids=population.ids,
            held=population.held,
            spared=Spared.by(records),
        )

    async def _tenant(self, runtime: TenantRuntime) -> Tenant:
        """Read the Tenant; another one of its name means another API server, or another life of this one."""
        known = runtime.tenant.metadata
        tenant = Tenant.model_validate(await self._kube.get(path("tenants", None, known.name)))
        if tenant.metadata.uid != known.uid:
            raise KubeError(404, "NotFound", f"the Tenant {known.name} is another one")
        return tenant

    async def _operations(self, tenant: Tenant) -> tuple[VirtualMachineOperation, ...]:
        found: list[VirtualMachineOperation] = []
        for namespace in tenant.spec.namespaces:
            items, _ = await self._kube.list(path(OPERATIONS, namespace))
            found += [VirtualMachineOperation.model_validate(item) for item in items]
        return tuple(found)
