"""The catalog: what a project's cloud offers, as it was last read. What a VM may use of it is decided in `findings`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

_GPU_RESOURCE = re.compile(r"resources\w*:(VGPU|PGPU|CUSTOM_\w*GPU\w*)")
"""Placement's classes for GPUs, also in a numbered group of resources (`resources1:VGPU`)."""

_ALIAS = "pci_passthrough:alias"
"""Whole devices, "name:count" and commas between. Cards other than GPUs come through ports, so all of them count."""


@dataclass(frozen=True, slots=True)
class FlavorSize:
    """What a server of a flavor takes."""

    vcpus: int
    ram_mib: int
    gpus: int = 0
    disk_gib: int = 0
    """Of the root disk; 0 takes the image's own size."""

    name: str = ""
    gpus_known: bool = True
    """False where the cloud shows no extra specs to its users."""


class Part(StrEnum):
    """The parts of a catalog, each read by one request: names of `Catalog`'s fields."""

    FLAVORS = "flavors"


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a project can use. A part that was never read, or could not be read lately, is not known."""

    as_of: float
    """Monotonic seconds when the newest of its reads began."""

    flavors: Mapping[str, FlavorSize] = field(default_factory=lambda: MappingProxyType({}))
    """By name, and by id, as Heat takes either."""

    read: Mapping[Part, float] = field(default_factory=lambda: MappingProxyType({}))
    """Part → monotonic seconds when its newest read began; without those that are not known."""

    def with_part(self, part: Part, content: Any, began: float) -> Catalog:
        """Return the catalog with a part as it was just read."""
        kept = {known.value: getattr(self, known.value) for known in Part if known is not part}
        return Catalog(began, **kept, **{part.value: content}, read={**self.read, part: began})

    def without(self, part: Part) -> Catalog:
        """Return the catalog after a read that failed: the part is not known, its last content stays for those who count."""
        kept = {known.value: getattr(self, known.value) for known in Part}
        return Catalog(
            self.as_of, **kept, read={known: began for known, began in self.read.items() if known is not part}
        )


def gpus_of(extra: Mapping[str, str]) -> int:
    """Return how many GPUs a flavor's extra specs give. What cannot be read as a count counts as none."""
    amounts = [value for key, value in extra.items() if _GPU_RESOURCE.fullmatch(key)]
    amounts += [device.partition(":")[2] or "1" for device in extra.get(_ALIAS, "").split(",") if device.strip()]
    return sum(int(amount) for amount in amounts if amount.strip().isdecimal())
