"""Which stacks without an object are deleted, and when none is: the proofs, the pace and the brake.

A stack is left alone while anything may speak for it: a live object, a record that it was retained, or a number of
orphans that looks like the loss of objects rather than of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stoker.api.base import GROUP
from stoker.api.operation import OperationState, OperationType, VirtualMachineOperation
from stoker.api.tenant import OrphanPolicy
from stoker.core.identity import Identity, cluster_tags, tag_value
from stoker.core.stack import Stack

CONFIRM_ANNOTATION = f"{GROUP}/confirm-orphans"
"""On a Tenant: a time. The orphans that were reported up to it may go, however many they are."""

SHARE = 10
"""A sweep deletes at most the SHARE-th part of a tenant's stacks, and at least one."""


class Why(StrEnum):
    """Why the sweeper deletes a stack; the reason in the audit, the event and the metric."""

    ORPHAN = "Orphan"
    """It has no object, and the Tenant's orphanPolicy is Delete."""

    LATE_CREATE = "LateCreate"
    """Its own create landed after its VM was deleted."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """A stack that is to be deleted."""

    stack: Stack
    why: Why

    @property
    def vm_id(self) -> str:
        return tag_value(self.stack.tags, "stoker-vm") or ""

    @property
    def operation(self) -> str:
        """The operation that made it, or changed it last."""
        return tag_value(self.stack.tags, "stoker-op") or ""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many stacks there are, and how many of them lack an object without an explanation."""

    stacks: int = 0
    unexplained: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.stacks + other.stacks, self.unexplained + other.unexplained)


@dataclass(frozen=True, slots=True)
class Spared:
    """What was left behind on purpose: stacks by id; and abandoned VMs, with whatever stacks they have."""

    stacks: frozenset[str] = frozenset()
    vms: frozenset[str] = frozenset()

    @classmethod
    def by(cls, records: Iterable[VirtualMachineOperation]) -> Spared:
        """Read the records of what was retained."""
        kept = [record for record in records if record.status.retained]
        return cls(
            frozenset(record.status.stack_id for record in kept if record.status.stack_id),
            frozenset(record.spec.vm_id for record in kept if record.status.abandoned),
        )

    def covers(self, stack: Stack) -> bool:
        return stack.id in self.stacks or tag_value(stack.tags, "stoker-vm") in self.vms


def pace(stacks: int) -> int:
    """Return how many of a tenant's stacks one sweep may delete."""
    return max(1, stacks // SHARE)


def brake(mine: Tally, everywhere: Tally) -> str | None:
    """Return why no orphan is deleted unasked, or None: too many at once look like lost objects, not lost stacks."""
    if mine.unexplained > pace(mine.stacks):
        return (
            f"{mine.unexplained} of the tenant's {mine.stacks} stacks have no VirtualMachine, and unasked Stoker lets at "
            f"most {pace(mine.stacks)} go"
        )
    if everywhere.unexplained > max(1, everywhere.stacks // 2):
        return (
            f"{everywhere.unexplained} of this cluster's {everywhere.stacks} stacks have no VirtualMachine: the API "
            "server may have lost objects"
        )
    return None


def came_late(stack: Stack, cluster: str, records: Iterable[VirtualMachineOperation]) -> bool:
    """Tell whether the stack's own create is proven to have landed after its VM was deleted.

    The proof: the stack names a create operation of that VM, and the VM's deletion was claimed no earlier than that
    create and has succeeded, which needs that no stack of the VM was left; so this one came later. All tags are those of
    that VM. A VM that was restored since has a create younger than that deletion, and is proven nothing.
    """
    name, vm_id = tag_value(stack.tags, "stoker-op"), tag_value(stack.tags, "stoker-vm")
    of_vm = [record for record in records if record.spec.vm_id == vm_id]
    create = next((record for record in of_vm if record.metadata.name == name), None)
    if create is None or create.spec.type is not OperationType.CREATE:
        return False
    where = create.metadata.namespace
    owner = Identity(cluster, stack.project, create.spec.vm_id, where, create.spec.vm_name)
    return owner.owns(stack.tags, stack.project) and any(
        record.spec.type is OperationType.DELETE
        and record.metadata.namespace == where
        and record.status.state is OperationState.SUCCEEDED
        and not record.status.retained
        and _claimed(create) <= _claimed(record)
        for record in of_vm
    )


def _claimed(record: VirtualMachineOperation) -> float:
    """Return when the API server stored the operation; all are of its one clock."""
    made = record.metadata.creation_timestamp
    return made.timestamp() if made else 0.0


def is_confirmed(since: datetime | None, annotation: str | None, now: datetime) -> bool:
    """Tell whether a person confirmed an orphan that is reported since then. A time to come confirms nothing."""
    until = confirmed_until(annotation)
    return since is not None and until is not None and since <= until <= now


def confirmed_until(annotation: str | None) -> datetime | None:
    """Return the annotation's time; None when there is none, or it is none, or lacks its zone."""
    try:
        until = datetime.fromisoformat(annotation or "")
    except ValueError:
        return None
    return until if until.tzinfo else None


def may_go(
    doomed: Doomed,
    stack: Stack | None,
    *,
    cluster: str,
    policy: OrphanPolicy,
    vm_ids: AbstractSet[str],
    held: AbstractSet[str],
    spared: Spared,
) -> bool:
    """Tell whether the last look before the deletion agrees: nothing may have changed since the sweep's."""
    if doomed.why is Why.ORPHAN and policy is not OrphanPolicy.DELETE:
        return False
    if stack is None or stack.deleting or spared.covers(stack):
        return False
    if doomed.vm_id in vm_ids or stack.id in held:
        return False
    return stack.tags.issuperset({*cluster_tags(cluster), f"stoker-vm={doomed.vm_id}"})
