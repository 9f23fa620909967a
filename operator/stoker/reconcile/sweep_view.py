"""What a sweep reads, live and in the order that its conclusions need; and the last look before a deletion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stoker.api.operation import VirtualMachineOperation
from stoker.api.tenant import Tenant
from stoker.core.identity import ID_ANNOTATION, cluster_tags
from stoker.core.orphans import Doomed, Spared, may_go
from stoker.core.stack import Listing
from stoker.kube.client import KubeClient, KubeError, path
from stoker.kube.marks import Marks
from stoker.kube.objects import OPERATIONS, VMS
from stoker.reconcile.memory import identity_of
from stoker.reconcile.queue import Key
from stoker.reconcile.tenants import TenantRuntime


@dataclass(frozen=True, slots=True)
class Seen:
    """One sweep's observations."""

    tenant: Tenant
    operations: tuple[VirtualMachineOperation, ...]
    listing: Listing
    vms: dict[Key, dict[str, Any]]
    version: int
    """Resource version of the list of VMs: what is newer was not in it."""

    marks: tuple[VirtualMachineOperation, ...]

    @property
    def vm_ids(self) -> frozenset[str]:
        return ids_of(self.vms.values())

    @property
    def held(self) -> frozenset[str]:
        return held_by(self.vms.values())

    @property
    def recorded(self) -> dict[str, str]:
        """VM's id → the stack that its status tells of, for the tenant's VMs."""
        namespaces = self.tenant.spec.namespaces
        stacks = {
            identity_of(raw): ((raw.get("status") or {}).get("stack") or {}).get("id")
            for (namespace, _), raw in self.vms.items()
            if namespace in namespaces
        }
        return {vm_id: str(stack) for vm_id, stack in stacks.items() if stack}


class SweepView:
    """Reads for the sweeper."""

    def __init__(self, kube: KubeClient, marks: Marks, cluster: str) -> None:
        self._kube, self._marks, self.cluster = kube, marks, cluster

    async def look(self, runtime: TenantRuntime) -> Seen:
        """Read operations, stacks, objects and marks, each complete or raising CloudError or KubeError."""
        tenant = await self._tenant(runtime)
        operations = await self._operations(tenant)
        listing = await runtime.call("list", lambda project: project.heat.list(cluster_tags(self.cluster)))
        vms, version = await self._kube.list(path(VMS))
        return Seen(
            tenant=tenant,
            operations=operations,
            listing=listing,
            vms={(vm["metadata"]["namespace"], vm["metadata"]["name"]): vm for vm in vms},
            version=int(version),
            marks=await self._marks.of(tenant.spec.project_id),
        )

    async def still(self, runtime: TenantRuntime, doomed: Doomed) -> bool:
        """Look again, at that stack and at everything that may speak for it. Raises CloudError and KubeError."""
        name, stack_id = doomed.stack.name, doomed.stack.id
        probe = await runtime.call("probe", lambda project: project.heat.probe(name, stack_id))
        vms, _ = await self._kube.list(path(VMS))
        tenant = await self._tenant(runtime)
        records = (*await self._operations(tenant), *await self._marks.of(tenant.spec.project_id))
        return may_go(
            doomed,
            probe.stack,
            cluster=self.cluster,
            policy=tenant.spec.orphan_policy,
            vm_ids=ids_of(vms),
            held=held_by(vms),
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


def ids_of(vms: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Return every id that the objects go by, or might: a restored one has another UID, an edited one a lost id."""
    found: set[str] = set()
    for raw in vms:
        metadata = raw["metadata"]
        found |= {identity_of(raw), str(metadata["uid"])}
        found |= {str((metadata.get("annotations") or {}).get(ID_ANNOTATION) or metadata["uid"])}
    return frozenset(found)


def held_by(vms: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Return the ids of the stacks that the objects' statuses tell of."""
    stacks = ((raw.get("status") or {}).get("stack") or {} for raw in vms)
    return frozenset(str(stack["id"]) for stack in stacks if stack.get("id"))
