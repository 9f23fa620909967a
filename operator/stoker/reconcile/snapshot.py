"""One listing of a project, by VM."""

from __future__ import annotations

from dataclasses import dataclass

from stoker.core.identity import tag_value
from stoker.core.stack import Listing, Stack


@dataclass(slots=True)
class Snapshot:
    """One listing of a project, indexed by the VM's id."""

    listing: Listing
    by_vm: dict[str, tuple[Stack, ...]]

    @classmethod
    def of(cls, listing: Listing) -> Snapshot:
        by_vm: dict[str, list[Stack]] = {}
        for stack in listing.stacks:
            if vm_id := tag_value(stack.tags, "stoker-vm"):
                by_vm.setdefault(vm_id, []).append(stack)
        return cls(listing, {vm_id: tuple(stacks) for vm_id, stacks in by_vm.items()})
