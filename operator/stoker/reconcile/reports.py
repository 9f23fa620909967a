"""What the objects of the platform admin say: conditions and status of Tenants and Clouds, their Events, metrics.

Written when it differs from what is stored; what it means was decided by `core.tenancy`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from stoker import metrics
from stoker.api.base import API_VERSION
from stoker.api.cloud import BreakerState, BreakerStatus, Cloud
from stoker.api.conditions import ConditionStatus, ConditionType, merge
from stoker.api.tenant import Tenant
from stoker.core import tenancy
from stoker.core.faults import Fault
from stoker.core.tenancy import Seen, TenantReason
from stoker.kube.client import KubeClient, KubeError, merge_patch, path
from stoker.kube.events import post
from stoker.reconcile.clouds import CloudRuntime
from stoker.reconcile.tenants import TenantRuntime

log = logging.getLogger(__name__)

CONFLICTS = 5
"""Writes of a Tenant's finalizer that are tried in a row while somebody else writes it."""


class Reports:
    """Writes them. `holder` is the process that says so in Events."""

    def __init__(self, kube: KubeClient, holder: str) -> None:
        self._kube, self._holder = kube, holder

    async def tenant(self, tenant: Tenant, runtime: TenantRuntime, seen: Seen) -> Tenant:
        """Write the Tenant's status if it differs, say what a person should act on, and return the Tenant as it is now."""
        generation = tenant.metadata.generation
        now = datetime.now(UTC)
        old = tenant.status
        conditions = merge(old.conditions, tenancy.conditions(seen), generation=generation, now=now)
        expires, warned = await self._expiry(tenant, runtime, now + timedelta(seconds=runtime.clock_ahead))
        new = old.model_copy(
            update={
                "observed_generation": generation,
                "conditions": conditions,
                "connection": runtime.connection or old.connection,
                "credentials_expire_at": expires,
                "expiry_warned_days": warned,
            }
        )
        patch = merge_patch(old.to_wire(), new.to_wire())
        written = tenant
        if patch and await self._write("tenants", tenant.metadata.name, patch):
            written = tenant.model_copy(update={"status": new})
        if seen.blocking and not any(c.type == ConditionType.DELETION_BLOCKED for c in old.conditions):
            message = tenancy.blocked_message(seen.blocking)
            await self._say("Tenant", tenant, TenantReason.VIRTUAL_MACHINES_EXIST, message)
        return written

    async def _expiry(
        self, tenant: Tenant, runtime: TenantRuntime, now: datetime
    ) -> tuple[datetime | None, int | None]:
        """Return when the credentials end and the last warning of it, said now if it is due; `now` is Keystone's clock.

        Said first and stored then: a crash in between repeats it once.
        """
        old = tenant.status
        known = runtime.preflight.expires if runtime.preflight else None
        if runtime.preflight is None or isinstance(known, Fault):
            return old.credentials_expire_at, old.expiry_warned_days
        expires = known.replace(microsecond=0) if known else None
        if expires is None:
            return None, None
        warned = old.expiry_warned_days if expires == old.credentials_expire_at else None
        due = tenancy.warning_due(expires, warned, now)
        if due is None:
            return expires, warned
        await self._say("Tenant", tenant, TenantReason.CREDENTIALS_EXPIRE, tenancy.expiry_message(expires, now))
        return expires, due

    async def cloud(self, cloud: Cloud, shared: CloudRuntime, runtimes: list[TenantRuntime]) -> None:
        """Write the Cloud's status: it is down when its breaker is open, or no tenant of it gets an answer.

        Of one that no tenant uses, and so nobody calls, only the spec is seen: else GitOps tools that apply Clouds
        before Tenants would wait for it, and never come to the Tenants.
        """
        faults = [runtime.attempt.fault or runtime.poll_fault for runtime in runtimes]
        down = [fault for fault in faults if fault and fault.outage]
        fault = shared.suspended or (down[0] if down and len(down) == len(runtimes) else None)
        old, generation = cloud.status, cloud.metadata.generation
        if (down and fault is None) or (not runtimes and old.observed_generation == generation):
            return
        wanted = _reachable(fault) if runtimes else {}
        conditions = merge(old.conditions, wanted, generation=generation, now=datetime.now(UTC))
        breaker = shared.status() or _closed_again(old.breaker)
        new = old.model_copy(update={"observed_generation": generation, "conditions": conditions, "breaker": breaker})
        patch = merge_patch(old.to_wire(), new.to_wire())
        if not patch:
            return
        await self._write("clouds", cloud.metadata.name, patch)
        await self._breaker_event(cloud, shared)

    async def _breaker_event(self, cloud: Cloud, shared: CloudRuntime) -> None:
        was = cloud.status.breaker.state if cloud.status.breaker else BreakerState.CLOSED
        is_closed = shared.breaker.state is BreakerState.CLOSED
        if (was is BreakerState.CLOSED) == is_closed:
            return
        if is_closed:
            await self._say("Cloud", cloud, TenantReason.BREAKER_CLOSED, "The cloud answers again.", warning=False)
        elif shared.suspended:
            await self._say("Cloud", cloud, TenantReason.BREAKER_OPENED, shared.suspended.sentence)

    async def finalizers(self, tenant: Tenant, blocking: tuple[str, ...] | None) -> bool:
        """Put our finalizer on, or take it off; True when it is as it should be.

        Guarded by the version that was just read: kopf writes the same list, and a new Tenant's status is written as
        soon. So it is tried again at once: a Tenant without its finalizer is not connected before the next look.
        """
        if tenancy.finalizers(tenant, blocking) is None:
            return True
        for left in reversed(range(CONFLICTS)):
            try:
                await self._hold(tenant, blocking)
            except KubeError as error:
                if error.status == 409 and left:
                    continue
                if error.status != 404:
                    log.warning("finalizer not written", extra={"tenant": tenant.metadata.name, "error": str(error)})
                return False
            break
        return True

    async def _hold(self, tenant: Tenant, blocking: tuple[str, ...] | None) -> None:
        where = path("tenants", None, tenant.metadata.name)
        live = Tenant.model_validate(await self._kube.get(where))
        wanted = tenancy.finalizers(live, blocking)
        if wanted is not None and live.metadata.uid == tenant.metadata.uid:
            version = live.metadata.resource_version
            await self._kube.merge(where, {"metadata": {"finalizers": wanted or None, "resourceVersion": version}})

    async def _say(
        self, kind: str, owner: Tenant | Cloud, reason: TenantReason, message: str, *, warning: bool = True
    ) -> None:
        metadata = owner.metadata
        involved = {"apiVersion": API_VERSION, "kind": kind, "name": metadata.name, "uid": metadata.uid}
        await post(self._kube, involved, "Warning" if warning else "Normal", reason, message, self._holder)

    async def _write(self, plural: str, name: str, patch: dict[str, Any]) -> bool:
        try:
            await self._kube.merge(path(plural, None, name, "status"), {"status": patch})
            metrics.observe_write(plural)
        except KubeError as error:
            if error.status != 404:
                log.warning("status not written", extra={"object": f"{plural}/{name}", "error": str(error)})
            return False
        return True


def _reachable(fault: Fault | None) -> dict[ConditionType, tuple[ConditionStatus, str, str]]:
    if fault is None:
        return {ConditionType.READY: (ConditionStatus.TRUE, TenantReason.REACHABLE, "Keystone and Heat answer.")}
    return {
        ConditionType.READY: (ConditionStatus.FALSE, fault.code.value, fault.sentence),
        ConditionType.RECONCILING: (ConditionStatus.TRUE, fault.code.value, fault.sentence),
    }


def _closed_again(old: BreakerStatus | None) -> BreakerStatus | None:
    """A process that never saw it open begins with a closed one, whatever another process left written."""
    if old is None or old.state is BreakerState.CLOSED:
        return old
    return BreakerStatus(state=BreakerState.CLOSED, since=datetime.now(UTC))
