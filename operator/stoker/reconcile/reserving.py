"""Reserving: one batch of a tenant's quota, as requests that two processes may make at once and that may stop anywhere.

The order of the requests is the safety; what each process believes beforehand is not needed for it:

1. The Tenant is read, then all its VMs. So what the list shows includes every batch that ended before the read.
2. What an unfinished batch granted is stored on its VMs first, whoever began it.
3. The next batch is stored in the Tenant's status, guarded by the version of step 1. If anybody's batch came between,
   this is refused, and all begins anew.
4. Only then are reservations stored on VMs, each guarded by the version listed in step 1; then the batch is ended.

A reservation that a slow process stores late is refused: whoever ended its batch had stored it, or had seen the VM go.
Nothing is ever released here: a VM that is gone is in no list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pydantic import ValidationError

from stoker import metrics
from stoker.api.quota import BATCH, Admission, Amounts, Grant, Quota
from stoker.api.tenant import Tenant
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.quota import Claimant, Denied, Flavors, claimant, largest, limited, plan, unread
from stoker.kube.client import KubeError, merge_patch, path
from stoker.kube.objects import VMS
from stoker.reconcile.memory import identity_of

WRITES = 8
"""Reservations stored at a time: a batch must not take all connections to the API server."""

PARSED = 200
"""VMs read in one go; then others have their turn in the event loop."""


class Api(Protocol):
    """The requests of `KubeClient` that a batch makes."""

    async def get(self, path: str) -> dict[str, Any]: ...
    async def list(self, path: str, **query: str) -> tuple[list[dict[str, Any]], str]: ...
    async def merge(self, path: str, body: Any) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch came to."""

    limits: Quota | None
    used: Amounts | None = None
    denied: Mapping[str, Denied] = field(default_factory=dict)
    """UID → why not."""

    vms: Mapping[str, Claimant] = field(default_factory=dict)
    stored: tuple[dict[str, Any], ...] = ()
    """The VMs whose reservation was stored, as the API server returned them."""

    more: bool = False
    """True when another batch must follow."""


class Reserving:
    """Makes the requests. `may_act` raises when the lease no longer allows a write."""

    def __init__(self, api: Api, may_act: Callable[[], None]) -> None:
        self._api, self._may_act = api, may_act

    async def batch(self, name: str, flavors: Flavors, seen: frozenset[str]) -> Batch:
        """Finish what is unfinished, admit who fits, and store it.

        `seen` has the ids of the VMs with a stack in the newest listing. Raises KubeError: then all is to begin anew,
        and nothing is lost. Conflicts of single VMs are no error; `more` says that there were some.
        """
        tenant = Tenant.model_validate(await self._api.get(path("tenants", None, name)))
        limits, pending = tenant.spec.quota, tenant.status.admission.pending if tenant.status.admission else ()
        if not limited(limits) and not pending:
            return await self._without(tenant)
        vms = await self._list(tenant, flavors, seen)
        finished = await self._store(vms, {one.uid: one.reserved for one in pending if not _over(vms.get(one.uid))})
        if finished.more:
            return Batch(limits, stored=finished.stored, more=True)
        if limits is None or not limited(limits):
            return await self._without(tenant)
        decided = plan(name, limits, vms.values())
        tenant = await self._admit(tenant, decided.granted, decided.used)
        recorded = await self._store(vms, decided.recorded)
        granted = await self._store(vms, decided.granted)
        if decided.granted and not granted.more:
            await self._admit(tenant, {}, decided.used)
        return Batch(
            limits,
            decided.used,
            decided.denied,
            vms,
            stored=(*finished.stored, *recorded.stored, *granted.stored),
            more=recorded.more or granted.more or len(decided.granted) == BATCH,
        )

    async def _list(self, tenant: Tenant, flavors: Flavors, seen: frozenset[str]) -> dict[str, Claimant]:
        """Return the tenant's VMs by UID. One that this version's schema does not fit counts as far as it is understood."""
        found: dict[str, Claimant] = {}
        for namespace in tenant.spec.namespaces:
            items, _ = await self._api.list(path(VMS, namespace))
            for number, raw in enumerate(items):
                if number % PARSED == PARSED - 1:
                    await asyncio.sleep(0)
                vm = _claimant(raw, flavors, seen)
                found[vm.uid] = vm
        return found

    async def _admit(self, tenant: Tenant, granted: Mapping[str, Amounts], used: Amounts | None) -> Tenant:
        """Store a batch and what is used with it, guarded; nothing when that is stored already."""
        old = tenant.status
        pending = tuple(Grant(uid=uid, reserved=amounts) for uid, amounts in granted.items())
        known = old.admission or Admission()
        number = known.sequence + 1 if pending else known.sequence
        admission = Admission(sequence=number, pending=pending) if old.admission or pending else None
        new = old.model_copy(update={"admission": admission, "used": used})
        patch = merge_patch(old.to_wire(), new.to_wire())
        if not patch:
            return tenant
        self._may_act()
        guard = {"resourceVersion": tenant.metadata.resource_version}
        where = path("tenants", None, tenant.metadata.name, "status")
        written = await self._api.merge(where, {"metadata": guard, "status": patch})
        metrics.observe_write("admission")
        return Tenant.model_validate(written)

    async def _without(self, tenant: Tenant) -> Batch:
        """Take what is used off a Tenant whose quota was taken away. What is on the VMs stays, and counts for the next one."""
        await self._admit(tenant, {}, None)
        return Batch(None)

    async def _store(self, vms: dict[str, Claimant], wanted: Mapping[str, Amounts]) -> Batch:
        """Store reservations on VMs that are not going, as far as they are not there yet; `vms` learns of it."""
        places = asyncio.Semaphore(WRITES)

        async def store(vm: Claimant, amounts: Amounts) -> dict[str, Any] | None:
            async with places:
                self._may_act()
                try:
                    return await self._reserve(vm, amounts)
                except KubeError as error:
                    if error.status not in (404, 409):
                        raise
                    return None

        due = [
            (vms[uid], largest(vms[uid].holds or Amounts(), amounts))
            for uid, amounts in wanted.items()
            if uid in vms and vms[uid].asking
        ]
        due = [(vm, amounts) for vm, amounts in due if amounts != vm.holds]
        answers = await asyncio.gather(*(store(vm, amounts) for vm, amounts in due))
        stored = [answer for answer in answers if answer is not None]
        for (vm, amounts), answer in zip(due, answers, strict=True):
            if answer is not None:
                version = answer["metadata"]["resourceVersion"]
                vms[vm.uid] = replace(vm, holds=amounts, version=version)
        return Batch(None, stored=tuple(stored), more=len(stored) < len(due))

    async def _reserve(self, vm: Claimant, amounts: Amounts) -> dict[str, Any]:
        guard = {"uid": vm.uid, "resourceVersion": vm.version}
        patch = merge_patch(vm.holds.to_wire() if vm.holds else {}, amounts.to_wire())
        where = path(VMS, vm.namespace, vm.name, "status")
        written = await self._api.merge(where, {"metadata": guard, "status": {"reserved": patch}})
        metrics.observe_write("reservation")
        return written


def _claimant(raw: dict[str, Any], flavors: Flavors, seen: frozenset[str]) -> Claimant:
    vm_id = identity_of(raw)
    try:
        return claimant(VirtualMachine.model_validate(raw), vm_id, flavors, seen=vm_id in seen)
    except ValidationError:
        metadata, reserved = raw["metadata"], (raw.get("status") or {}).get("reserved")
        return unread(metadata["uid"], vm_id, Amounts.model_validate(reserved) if reserved else None)


def _over(vm: Claimant | None) -> bool:
    """Tell whether a pending reservation came to nothing: the edit was taken back, or has given its rest back since."""
    return vm is not None and vm.applied and vm.holds is not None
