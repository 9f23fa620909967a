"""Slots: which of a template's volume resources each of the VM's volumes is.

Heat has no loop over resources, so a template has a fixed number of them. Were they given out by position, the removal
of the first volume would turn the second into it: Heat would rename and resize the wrong disk, and delete the other.
So a volume keeps its slot for life, and a slot that was freed is used again only by a later update.
"""

from __future__ import annotations

from collections.abc import Sequence

VOLUME_SLOTS = 8

Slots = tuple[str, ...]
"""Names of volumes by slot, "" for a free one; those at the end are left out."""


def placed(names: Sequence[str], *known: Slots) -> Slots | None:
    """Return the slots for these volumes, or None when there are not enough that were free.

    `known` are the assignments that a stack may hold in part, the newest first: the one it was asked for last, and the
    one of its last complete update.
    """
    owners: dict[int, str] = {}
    slots: dict[str, int] = {}
    for assigned in known:
        for slot, name in enumerate(assigned):
            if name and owners.setdefault(slot, name) == name and name in names:
                slots.setdefault(name, slot)
    free = (slot for slot in range(VOLUME_SLOTS) if slot not in owners)
    for name in names:
        if name not in slots:
            if (unused := next(free, None)) is None:
                return None
            slots[name] = unused
    by_slot = {slot: name for name, slot in slots.items()}
    return tuple(by_slot.get(slot, "") for slot in range(max(by_slot, default=-1) + 1))
