"""Deletes stacks without an object: one by one, each after a last look, recorded before and after."""

from __future__ import annotations

import logging

from stoker.audit.writer import AuditError
from stoker.core.orphans import Doomed
from stoker.kube.client import KubeError
from stoker.kube.lease import LeaseLostError
from stoker.openstack.base import CloudError
from stoker.reconcile.sweep_report import TenantReports
from stoker.reconcile.sweep_view import SweepView
from stoker.reconcile.tenants import TenantRuntime
from stoker.reconcile.trail import Trail

log = logging.getLogger(__name__)


class OrphanDeletion:
    """Deletes what the core chose."""

    def __init__(self, view: SweepView, trail: Trail, reports: TenantReports) -> None:
        self._view, self._trail, self._reports = view, trail, reports

    async def delete(self, runtime: TenantRuntime, doomed: tuple[Doomed, ...]) -> None:
        """Delete each; the first that fails ends it until the next sweep, whatever failed."""
        for one in doomed:
            try:
                if not await self._view.still(runtime, one):
                    continue
                await self._delete(runtime, one)
            except (CloudError, KubeError, AuditError, LeaseLostError) as error:
                where = {"tenant": runtime.tenant.metadata.name, "stack": one.stack.id}
                log.warning("orphan not deleted", extra={**where, "error": str(error)})
                return
            await self._reports.deleted(runtime.tenant, one)

    async def _delete(self, runtime: TenantRuntime, doomed: Doomed) -> None:
        name, stack_id = doomed.stack.name, doomed.stack.id
        async with self._trail.around(self._trail.orphan(doomed)) as said:
            said.request_id = await runtime.call(
                "delete", lambda project: project.heat.delete(name, stack_id), effect=said
            )
