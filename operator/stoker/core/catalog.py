"""The catalog: what a project's cloud offers, as it was last read. What that means for a VM is decided in `findings`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

Thing = TypeVar("Thing")
Named = Mapping[str, tuple[Thing, ...]]
"""What is there by name, and by id: Heat takes either. Names are not unique."""

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


@dataclass(frozen=True, slots=True)
class ImageNeeds:
    """What an image asks of a flavor."""

    name: str
    id: str = ""
    active: bool = True
    disk_gib: int = 0
    ram_mib: int = 0


@dataclass(frozen=True, slots=True)
class NetworkKind:
    """A network, and whether floating IPs come from it."""

    name: str
    id: str = ""
    external: bool = False


@dataclass(frozen=True, slots=True)
class VolumeType:
    """A volume type."""

    name: str


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of something the project may have, and has."""

    most: int
    used: int


class Part(StrEnum):
    """The parts of a catalog, each read by one request: names of `Catalog`'s fields."""

    FLAVORS = "flavors"
    IMAGES = "images"
    NETWORKS = "networks"
    KEY_PAIRS = "key_pairs"
    VOLUME_TYPES = "volume_types"
    COMPUTE_LIMITS = "compute_limits"
    NETWORK_LIMITS = "network_limits"
    VOLUME_LIMITS = "volume_limits"


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a project can use."""

    as_of: float = 0.0
    """Monotonic seconds when the newest of its reads began."""

    flavors: Mapping[str, FlavorSize] = field(default_factory=dict)
    """By name, and by id."""

    images: Named[ImageNeeds] = field(default_factory=dict)
    networks: Named[NetworkKind] = field(default_factory=dict)
    key_pairs: frozenset[str] = frozenset()
    volume_types: Named[VolumeType] = field(default_factory=dict)
    compute_limits: Mapping[str, Limit] = field(default_factory=dict)
    """By the words of `findings.RESOURCES`, as the other two; without those that are unlimited."""

    network_limits: Mapping[str, Limit] = field(default_factory=dict)
    volume_limits: Mapping[str, Limit] = field(default_factory=dict)
    read: Mapping[Part, float | None] = field(default_factory=dict)
    """Part → monotonic seconds when its newest read began; None when that failed; absent before it ended."""

    @property
    def summary(self) -> str:
        """How much of what there is, for people; limits are told only where they cannot be read."""
        names = {
            Part.FLAVORS: {size.name for size in self.flavors.values()},
            Part.IMAGES: {one.id for named in self.images.values() for one in named},
            Part.NETWORKS: {one.id for named in self.networks.values() for one in named},
            Part.KEY_PAIRS: self.key_pairs,
            Part.VOLUME_TYPES: {one.name for named in self.volume_types.values() for one in named},
        }
        words = {part: part.value.replace("_", " ") for part in Part}
        counts = [f"{words[part]}: {len(found)}" for part, found in names.items() if self.knows(part)]
        unknown = [words[part] for part in Part if not self.knows(part)]
        return ", ".join(counts) + (f"; not readable: {', '.join(unknown)}" if unknown else "")

    def knows(self, part: Part) -> bool:
        return self.read.get(part) is not None

    def began(self, part: Part) -> float:
        """Return when the newest read of a part that is known began."""
        return self.read[part] or 0.0

    def with_part(self, part: Part, content: Any, began: float) -> Catalog:
        """Return the catalog with a part as it was just read."""
        changes: dict[str, Any] = {part.value: content}
        return replace(self, as_of=began, read={**self.read, part: began}, **changes)

    def without(self, part: Part) -> Catalog:
        """Return the catalog after a failed read: the part is not known; who counts may use what it was."""
        return replace(self, read={**self.read, part: None})

    def tried(self) -> Catalog:
        """Return the catalog without its failures: what could not be read is tried again."""
        return replace(self, read={part: began for part, began in self.read.items() if began is not None})


def gpus_of(extra: Mapping[str, str]) -> int:
    """Return how many GPUs a flavor's extra specs give. What cannot be read as a count counts as none."""
    amounts = [value for key, value in extra.items() if _GPU_RESOURCE.fullmatch(key)]
    amounts += [device.partition(":")[2] or "1" for device in extra.get(_ALIAS, "").split(",") if device.strip()]
    return sum(int(amount) for amount in amounts if amount.strip().isdecimal())
