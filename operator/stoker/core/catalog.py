"""The catalog: what a project's cloud offers, as it was last read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


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
class Catalog:
    """What a project can use."""

    as_of: float
    """Monotonic seconds when the newest of its reads began."""

    flavors: Mapping[str, FlavorSize] = field(default_factory=lambda: MappingProxyType({}))
    """By name, and by id, as Heat takes either."""
