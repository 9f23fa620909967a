"""The sweep's decisions: which stacks are orphans, and which operations have had their time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from stoker.api.operation import VirtualMachineOperation
from stoker.api.tenant import Orphan
from stoker.core.identity import tag_value
from stoker.core.stack import Stack
from stoker.core.world import is_open

REPORTED = 100
"""Most orphans listed in a Tenant's status; the count says how many there are."""


@dataclass(frozen=True, slots=True)
class SweepWorld:
    """What one sweep of a tenant saw. Stacks were listed *before* objects were read, so a new VM is never missed."""

    stacks: tuple[Stack, ...]
    vm_ids: frozenset[str]
    """Ids of all live VirtualMachines of the cluster."""

    operations: tuple[VirtualMachineOperation, ...]
    now: datetime
    grace: timedelta
    ttl: timedelta
    seen_before: frozenset[str]
    """Ids of the stacks that the sweep before found without an object."""

    reported: tuple[Orphan, ...]
    """The orphans in the Tenant's status."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What follows."""

    ownerless: frozenset[str]
    """Stacks without an object now: the next sweep's `seen_before`."""

    orphans: tuple[Orphan, ...]
    """Seen twice and past the grace period, the oldest report first."""

    expired: tuple[VirtualMachineOperation, ...]
    """Ended operations past their time."""

    abandoned: tuple[VirtualMachineOperation, ...]
    """Open operations whose VM is gone: somebody took our finalizer off by hand."""


def sweep(world: SweepWorld) -> Sweep:
    """Compare stacks and objects."""
    retained = {o.status.stack_id for o in world.operations if o.status.retained}
    ownerless = [
        stack
        for stack in world.stacks
        if tag_value(stack.tags, "stoker-vm") not in world.vm_ids and stack.id not in retained and not stack.deleting
    ]
    since = {orphan.stack_id: orphan.since for orphan in world.reported}
    orphans = [
        Orphan(stack_id=stack.id, stack_name=stack.name, since=since.get(stack.id, world.now))
        for stack in ownerless
        if stack.id in world.seen_before and world.now - (stack.created or world.now) >= world.grace
    ]
    present = {stack.id for stack in world.stacks}
    return Sweep(
        ownerless=frozenset(stack.id for stack in ownerless),
        orphans=tuple(sorted(orphans, key=lambda orphan: (orphan.since, orphan.stack_id))),
        expired=tuple(_expired(world, present)),
        abandoned=tuple(o for o in world.operations if is_open(o) and o.spec.vm_id not in world.vm_ids),
    )


def _expired(world: SweepWorld, present: set[str]) -> Iterable[VirtualMachineOperation]:
    """Ended operations past the TTL.

    That of a retained stack stays while the stack does; one with an idempotency key while its VM lives, or is in any
    other record.
    """
    young = {o.spec.vm_id for o in world.operations if not _is_old(o, world)} | world.vm_ids
    for operation in world.operations:
        if not _is_old(operation, world) or (operation.spec.idempotency_key and operation.spec.vm_id in young):
            continue
        if not (operation.status.retained and operation.status.stack_id in present):
            yield operation


def _is_old(operation: VirtualMachineOperation, world: SweepWorld) -> bool:
    ended = operation.status.completed_at
    return not is_open(operation) and ended is not None and world.now - ended >= world.ttl
