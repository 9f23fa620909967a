"""Cinder: volume types, and how much of volumes the project may have."""

from __future__ import annotations

from typing import Any

from stoker.openstack.collection import collection, limits
from stoker.openstack.rest import Rest

LIMITS = {
    "volumes": ("maxTotalVolumes", "totalVolumesUsed"),
    "GiB of volumes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
}


class VolumeClient:
    """Reads of the block storage service."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def types(self, page: int | None = None) -> tuple[tuple[str, str], ...]:
        """List the volume types that the project may use: id and name."""
        return collection(self._rest, "/types", "volume_types", _type, page=page)

    def limits(self) -> dict[str, tuple[int, int]]:
        """Return the most and the used of each resource; -1 is no limit."""
        return limits(self._rest, "/limits", ("limits", "absolute"), LIMITS)


def _type(entry: dict[str, Any]) -> tuple[str, str]:
    return str(entry["id"]), str(entry["name"])
