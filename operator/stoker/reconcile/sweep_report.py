"""What a sweep says: the Tenant's status, Events and metrics."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from stoker import metrics
from stoker.api.base import API_VERSION
from stoker.api.tenant import Tenant, TenantStatus
from stoker.core.orphans import Doomed
from stoker.core.sweep import REPORTED, Sweep
from stoker.core.tenancy import TenantReason
from stoker.kube.client import KubeClient, KubeError, merge_patch, path
from stoker.kube.events import post

log = logging.getLogger(__name__)


class TenantReports:
    """Writes about a tenant's orphans."""

    def __init__(self, kube: KubeClient, holder: str) -> None:
        self._kube, self._holder = kube, holder

    async def report(self, tenant: Tenant, found: Sweep) -> None:
        """Write the status if it differs, and an Event for each orphan and brake that is new in it."""
        name, old = tenant.metadata.name, tenant.status
        news: dict[str, Any] = {
            "orphans": found.orphans[:REPORTED],
            "orphan_count": len(found.orphans),
            "orphan_brake": found.brake,
        }
        if not merge_patch(old.to_wire(), old.model_copy(update=news).to_wire()):
            return
        new: TenantStatus = old.model_copy(update={**news, "last_sweep_time": datetime.now(UTC)})
        patch = merge_patch(old.to_wire(), new.to_wire())
        try:
            await self._kube.merge(path("tenants", None, name, "status"), {"status": patch})
            metrics.observe_write("sweep")
        except KubeError as error:
            log.warning("sweep: status not written", extra={"tenant": name, "error": str(error)})
            return  # what is not reported is not deleted either, and is said by the next sweep
        known = {orphan.stack_id for orphan in old.orphans}
        for orphan in found.orphans[:REPORTED]:
            if orphan.stack_id not in known:
                what = f"Stack {orphan.stack_name} ({orphan.stack_id})"
                await self._say(
                    tenant, TenantReason.ORPHAN_FOUND, f"{what} carries our tags and belongs to no VirtualMachine."
                )
        if found.brake and old.orphan_brake is None:
            await self._say(tenant, TenantReason.BRAKE_ENGAGED, found.brake.message)

    async def deleted(self, tenant: Tenant, doomed: Doomed) -> None:
        """Say that Heat was asked to delete a stack, and took it."""
        metrics.ORPHANS_DELETED.labels(tenant.metadata.name, doomed.why.value).inc()
        stack = doomed.stack
        log.info(
            "orphan deleted", extra={"tenant": tenant.metadata.name, "stack": stack.id, "reason": doomed.why.value}
        )
        message = f"Deleting stack {stack.name} ({stack.id}), which belongs to no VirtualMachine: {doomed.why.value}."
        await self._say(tenant, TenantReason.ORPHAN_DELETED, message)

    async def _say(self, tenant: Tenant, reason: TenantReason, message: str) -> None:
        metadata = tenant.metadata
        involved = {"apiVersion": API_VERSION, "kind": "Tenant", "name": metadata.name, "uid": metadata.uid}
        await post(self._kube, involved, "Warning", reason.value, message, self._holder)
