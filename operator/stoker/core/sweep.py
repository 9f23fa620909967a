"""The sweep's decisions: stacks without an object, objects without a stack, operations that have had their time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from stoker.api.operation import VirtualMachineOperation
from stoker.api.tenant import Orphan, OrphanBrake, OrphanPolicy
from stoker.core.identity import cluster_tags, tag_value
from stoker.core.orphans import CONFIRM_ANNOTATION, Doomed, Spared, Tally, Why, brake, came_late, is_confirmed, pace
from stoker.core.stack import Stack
from stoker.core.world import is_open

REPORTED = 100
"""Most orphans listed in a Tenant's status; the count says how many there are."""


@dataclass(frozen=True, slots=True)
class SweepWorld:
    """What one sweep of a tenant saw.

    Read in this order, so that nothing alive is taken for lost: operations, stacks, objects, marks. An operation is
    younger than its VM, a stack too, and a mark is older than the end of its VM.
    """

    cluster: str
    stacks: tuple[Stack, ...]
    vm_ids: AbstractSet[str]
    """Every id that a live VirtualMachine of the cluster goes by, or might."""

    operations: tuple[VirtualMachineOperation, ...]
    now: datetime
    grace: timedelta
    ttl: timedelta
    seen_before: frozenset[str]
    """Ids of the stacks that the sweep before found without an object."""

    reported: tuple[Orphan, ...]
    """The orphans in the Tenant's status."""

    policy: OrphanPolicy = OrphanPolicy.REPORT
    marks: tuple[VirtualMachineOperation, ...] = ()
    """Records of stacks that were left behind on purpose, from the operator's own namespace."""

    recorded: Mapping[str, str] = field(default_factory=dict)
    """VM's id → id of the stack that its status tells of, for the tenant's VMs."""

    held: AbstractSet[str] = frozenset()
    """Ids of the stacks that any live VirtualMachine's status tells of."""

    confirmed: str | None = None
    """The Tenant's annotation `stoker.dev/confirm-orphans`."""

    brake: OrphanBrake | None = None
    """The brake in the Tenant's status."""

    elsewhere: Tally = field(default_factory=Tally)
    """The newest sweeps of the other tenants."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What follows."""

    ownerless: frozenset[str]
    """Stacks without an object now: the next sweep's `seen_before`."""

    orphans: tuple[Orphan, ...]
    """Seen twice, or reported by a process before, and past the grace period; the oldest report first."""

    doomed: tuple[Doomed, ...]
    """To be deleted in this sweep, each after a last look."""

    brake: OrphanBrake | None
    """Why orphans are held although the policy is Delete, and what a person can do."""

    tally: Tally
    missing: frozenset[str]
    """Ids of VMs whose recorded stack was not listed."""

    expired: tuple[VirtualMachineOperation, ...]
    """Ended operations past their time."""

    unneeded: tuple[VirtualMachineOperation, ...]
    """Marks past their time whose stack was not listed: they go once the stack is proven gone."""

    abandoned: tuple[VirtualMachineOperation, ...]
    """Open operations whose VM is gone: somebody took our finalizer off by hand."""


def sweep(world: SweepWorld) -> Sweep:
    """Compare stacks and objects."""
    spared = Spared.by((*world.operations, *world.marks))
    alive = [s for s in world.stacks if not s.deleting and s.tags.issuperset(cluster_tags(world.cluster))]
    lost = [s for s in alive if tag_value(s.tags, "stoker-vm") not in world.vm_ids and s.id not in world.held]
    ownerless = [stack for stack in lost if not spared.covers(stack)]
    late = frozenset(stack.id for stack in ownerless if came_late(stack, world.cluster, world.operations))
    since = {orphan.stack_id: orphan.since for orphan in world.reported}
    confirmed = {s.id for s in ownerless if is_confirmed(since.get(s.id), world.confirmed, world.now)}
    orphans = [
        Orphan(stack_id=stack.id, stack_name=stack.name, since=since.get(stack.id, world.now))
        for stack in ownerless
        if stack.id in world.seen_before | since.keys() and world.now - (stack.created or world.now) >= world.grace
    ]
    orphans.sort(key=lambda orphan: (orphan.since, orphan.stack_id))
    tally = Tally(len(alive), sum(stack.id not in late | confirmed for stack in ownerless))
    halted = brake(tally, tally + world.elsewhere)
    due = [Doomed(stack, Why.LATE_CREATE) for stack in ownerless if stack.id in late & world.seen_before]
    due += _due(world, ownerless, since, late, confirmed if halted else None)
    present = {stack.id for stack in world.stacks}
    kept = present | {str(tag_value(stack.tags, "stoker-vm")) for stack in world.stacks}
    return Sweep(
        ownerless=frozenset(stack.id for stack in ownerless),
        orphans=tuple(orphans),
        doomed=tuple(due[: pace(tally.stacks)]),
        brake=_said(world, halted, [orphan for orphan in orphans if orphan.stack_id not in late | confirmed]),
        tally=tally,
        missing=frozenset(vm_id for vm_id, stack_id in world.recorded.items() if stack_id not in present),
        expired=tuple(_past(world, world.operations, kept)),
        unneeded=tuple(mark for mark in _past(world, world.marks, kept) if mark.status.stack_id),
        abandoned=tuple(o for o in world.operations if is_open(o) and o.spec.vm_id not in world.vm_ids),
    )


def _due(
    world: SweepWorld,
    ownerless: list[Stack],
    since: Mapping[str, datetime],
    late: frozenset[str],
    only: set[str] | None,
) -> list[Doomed]:
    """Return the orphans that may be deleted: reported for a grace period already, and still without an object."""
    if world.policy is not OrphanPolicy.DELETE:
        return []
    return [
        Doomed(stack, Why.ORPHAN)
        for stack in ownerless
        if stack.id in world.seen_before
        and stack.id not in late
        and stack.id in since
        and world.now - since[stack.id] >= world.grace
        and tag_value(stack.tags, "stoker-vm")
        and (only is None or stack.id in only)
    ]


def _said(world: SweepWorld, halted: str | None, held: list[Orphan]) -> OrphanBrake | None:
    """Return what is said while orphans are held that would otherwise go."""
    if halted is None or not held or world.policy is not OrphanPolicy.DELETE:
        return None
    until = max(orphan.since for orphan in held[:REPORTED])
    message = (
        f"{halted}. None of them is deleted. Find out where the VirtualMachines are; if the stacks in status.orphans "
        f"shall go, annotate the Tenant: {CONFIRM_ANNOTATION}={until:%Y-%m-%dT%H:%M:%SZ}"
    )
    return OrphanBrake(since=world.brake.since if world.brake else world.now, message=message)


def _past(
    world: SweepWorld, records: Iterable[VirtualMachineOperation], present: set[str]
) -> Iterable[VirtualMachineOperation]:
    """Ended operations past the TTL.

    That of a retained stack stays while the stack does, of an abandoned VM while any stack of it does; one with an
    idempotency key while its VM lives, or is in any other record. `present` has the ids of stacks, and of their VMs.
    """
    young = {o.spec.vm_id for o in world.operations if not _is_old(o, world)}
    for record in records:
        vm_id = record.spec.vm_id
        if not _is_old(record, world) or (record.spec.idempotency_key and (vm_id in young or vm_id in world.vm_ids)):
            continue
        left = {record.status.stack_id, record.spec.vm_id if record.status.abandoned else None}
        if not (record.status.retained and present & left):
            yield record


def _is_old(operation: VirtualMachineOperation, world: SweepWorld) -> bool:
    ended = operation.status.completed_at
    return ended is not None and world.now - ended >= world.ttl
