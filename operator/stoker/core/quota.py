"""Quota: what a VM takes, what a tenant's VMs take together, and who gets what is left.

Counted is what is reserved on a VM, and of one with a stack and without a reservation what its spec asks for. Who asks
for more than is reserved is admitted oldest first, each as far as there is room: a younger one that fits does not wait
for an older one that does not. How admissions are stored so that two processes cannot give one place away twice is in
`reconcile.reserving`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from stoker.api.errors import ErrorCode
from stoker.api.quota import BATCH, Amounts, Quota
from stoker.api.virtualmachine import VirtualMachine, VirtualMachineSpec
from stoker.core.catalog import FlavorSize
from stoker.core.faults import Fault
from stoker.core.identity import FINALIZER

UNITS = {
    "vms": "VMs",
    "vcpus": "vCPUs",
    "ram_mib": "MiB of RAM",
    "gpus": "GPUs",
    "volumes_gib": "GiB of volumes",
    "floating_ips": "floating IPs",
}
"""Resource, as a field of Quota and Amounts → its unit, for people."""

Flavors = Mapping[str, FlavorSize]
"""The flavors of the tenant's cloud by name; empty while they are not known."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """What the VM's spec asks for is reserved."""

    amounts: Amounts
    once_applied: Amounts
    """What stays reserved once the stack is made from this spec: an edit that asks for less gives the rest back."""


@dataclass(frozen=True, slots=True)
class Denied:
    """There is no room, or it cannot be told."""

    fault: Fault
    lacking: frozenset[str] = frozenset()
    """The resources without room."""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Nobody has looked yet."""


Verdict = Reserved | Denied | Unjudged
"""What the quota says of one VM. Without a quota there is none."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """One VM as the quota sees it."""

    uid: str
    id: str
    namespace: str
    name: str
    version: str
    """The resource version that all of this is of: a reservation is stored on no other."""

    generation: int
    created: datetime | None
    flavor: str
    holds: Amounts | None
    """What is reserved on it."""

    asks: Amounts
    """What its spec takes."""

    built: bool
    """True when it has a stack."""

    applied: bool
    """True when that stack is complete and made from this very spec."""

    asking: bool
    """True when it may be given a reservation: it has our finalizer, and is not going."""

    @property
    def age(self) -> tuple[str, str, str]:
        """The order of admission: the API server's times have whole seconds, so names decide within one."""
        return (self.created.isoformat() if self.created else "", self.namespace, self.name)

    @property
    def counts(self) -> Amounts:
        """What of the quota it takes now."""
        if self.holds is None:
            return self.asks if self.built else Amounts()
        return filled(self.holds, self.asks) if self.built else self.holds

    def covered(self, limits: Quota) -> bool:
        """Tell whether all that is limited and asked for is reserved; a stack of this very spec asks for nothing."""
        held = self.holds
        if held is None or any(amount(held, resource) is None for resource in limited(limits)):
            return False
        return self.applied or all(
            (asked := amount(self.asks, resource)) is not None and asked <= some(held, resource)
            for resource in limited(limits)
        )

    def once_applied(self, limits: Quota) -> Amounts:
        """Return what stays reserved when the stack is made from the spec: never more of what is limited."""
        held, known = self.holds or Amounts(), filled(self.asks, self.holds or Amounts())
        bound = set(limited(limits))
        return Amounts(**{r: min(some(known, r), some(held, r)) if r in bound else amount(known, r) for r in UNITS})


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows for a tenant's VMs."""

    used: Amounts
    """What they take, with what is granted."""

    recorded: Mapping[str, Amounts]
    """UID → what is to be reserved for a VM that has it already: no admission, since it counts anyway."""

    granted: Mapping[str, Amounts]
    """UID → what is to be reserved for a VM that is admitted, the oldest first."""

    denied: Mapping[str, Denied]
    """UID → why not."""


def plan(tenant: str, limits: Quota, vms: Iterable[Claimant]) -> Plan:
    """Return who gets what of a tenant's quota."""
    vms = sorted(vms, key=lambda vm: vm.age)
    used = total(vm.counts for vm in vms)
    recorded: dict[str, Amounts] = {}
    granted: dict[str, Amounts] = {}
    denied: dict[str, Denied] = {}
    doubles = _doubles(vms)
    for vm in vms:
        if not vm.asking or vm.covered(limits) or vm.uid in doubles:
            continue
        wanted = largest(vm.counts, vm.asks)
        more = {resource: some(wanted, resource) - some(vm.counts, resource) for resource in UNITS}
        if (unknown := unsized(vm, limits)) is not None:
            denied[vm.uid] = Denied(unknown)
        elif lacking := {r for r in limited(limits) if more[r] and some(used, r) + more[r] > some(limits, r)}:
            denied[vm.uid] = Denied(_no_room(tenant, limits, used, more, lacking), frozenset(lacking))
        elif not vm.built or any(more[resource] for resource in limited(limits)):
            if len(granted) == BATCH:
                continue  # it is judged with the next batch
            granted[vm.uid] = wanted
            used = total((used, Amounts(**more)))
            continue
        if vm.built and vm.counts != vm.holds:
            recorded[vm.uid] = vm.counts
    return Plan(used, recorded, granted, denied)


def verdict(vm: Claimant, limits: Quota, judged: Denied | None) -> Verdict:
    """Return what the quota says of a VM; `judged` is the newest refusal of just this spec under just these limits."""
    if vm.covered(limits):
        assert vm.holds is not None
        return Reserved(vm.holds, vm.once_applied(limits))
    return judged or Unjudged()


def claimant(vm: VirtualMachine, vm_id: str, flavors: Flavors, *, seen: bool) -> Claimant:
    """Return the VM as the quota sees it; `seen` says that the newest listing has a stack of it. A released one has none."""
    metadata, status = vm.metadata, vm.status
    released = metadata.deletion_timestamp is not None and FINALIZER not in metadata.finalizers
    return Claimant(
        uid=metadata.uid,
        id=vm_id,
        namespace=metadata.namespace,
        name=metadata.name,
        version=metadata.resource_version,
        generation=metadata.generation,
        created=metadata.creation_timestamp,
        flavor=vm.spec.flavor,
        holds=None if released else status.reserved,
        asks=asked(vm.spec, flavors),
        built=not released and (seen or bool(status.stack and status.stack.id)),
        applied=status.applied_generation == metadata.generation,
        asking=FINALIZER in metadata.finalizers and metadata.deletion_timestamp is None,
    )


def unread(uid: str, vm_id: str, reserved: Amounts | None) -> Claimant:
    """Return a VM that does not fit this version's schema: what is reserved on it counts, and it gets no more."""
    return Claimant(
        uid=uid,
        id=vm_id,
        namespace="",
        name="",
        version="",
        generation=0,
        created=None,
        flavor="",
        holds=reserved,
        asks=Amounts(),
        built=False,
        applied=False,
        asking=False,
    )


def asked(spec: VirtualMachineSpec, flavors: Flavors) -> Amounts:
    """Return what a VM of that spec takes; what depends on a flavor of unknown size is not known."""
    size = flavors.get(spec.flavor)
    return Amounts(
        vms=1,
        vcpus=size.vcpus if size else None,
        ram_mib=size.ram_mib if size else None,
        gpus=max(size.gpus, spec.gpu_count) if size and size.gpus_known else None,
        volumes_gib=sum(volume.size_gib for volume in spec.volumes),
        floating_ips=int(spec.public_ip),
    )


def unsized(vm: Claimant, limits: Quota) -> Fault | None:
    """Return why it cannot be told whether a VM fits: its flavor's size is not known, and the quota limits it."""
    unknown = [UNITS[resource] for resource in limited(limits) if amount(vm.asks, resource) is None]
    if not unknown:
        return None
    message = f"the size of the flavor {vm.flavor} is not known, and the Tenant's quota limits {', '.join(unknown)}"
    return Fault(ErrorCode.FLAVOR_NOT_FOUND, message)


def limited(limits: Quota | None) -> list[str]:
    """Return the resources that a quota limits."""
    return [resource for resource in UNITS if limits and getattr(limits, resource) is not None]


def describe(amounts: Amounts) -> str:
    """Return amounts for people, without what is none of."""
    parts = [f"{unit}: {n}" for resource, unit in UNITS.items() if (n := some(amounts, resource))]
    return ", ".join(parts) or "nothing"


# ---- vectors


def amount(amounts: Amounts | Quota, resource: str) -> int | None:
    """Return how much of one resource, or None when that is not known or not limited."""
    value: int | None = getattr(amounts, resource)
    return value


def some(amounts: Amounts | Quota, resource: str) -> int:
    """Return how much of one resource; none of what is not known."""
    return amount(amounts, resource) or 0


def filled(amounts: Amounts, other: Amounts) -> Amounts:
    """Return the amounts, with the other's where they are not known."""
    return Amounts(**{r: amount(other, r) if (n := amount(amounts, r)) is None else n for r in UNITS})


def largest(one: Amounts, other: Amounts) -> Amounts:
    """Return the larger of each two; a known one of one."""
    return Amounts(**{r: max(known) if (known := _known(r, one, other)) else None for r in UNITS})


def total(amounts: Iterable[Amounts]) -> Amounts:
    """Return the sum; what is not known adds nothing."""
    every = list(amounts)
    return Amounts(**{resource: sum(some(one, resource) for one in every) for resource in UNITS})


# ---- parts


def _known(resource: str, *of: Amounts) -> list[int]:
    return [value for one in of if (value := amount(one, resource)) is not None]


def _doubles(vms: Iterable[Claimant]) -> set[str]:
    """Return the UIDs of those that share their id with an older one: a double touches nothing, so it takes no place."""
    oldest: dict[str, str] = {}
    for vm in vms:
        oldest.setdefault(vm.id, vm.uid)
    return {vm.uid for vm in vms if oldest[vm.id] != vm.uid}


def _no_room(tenant: str, limits: Quota, used: Amounts, more: Mapping[str, int], lacking: set[str]) -> Fault:
    parts = [
        f"{UNITS[r]}: {more[r]} more asked for, {some(used, r)} of {some(limits, r)} used"
        for r in UNITS
        if r in lacking
    ]
    return Fault(ErrorCode.QUOTA_EXCEEDED, f"no room in the quota of the Tenant {tenant}: {'; '.join(parts)}")
