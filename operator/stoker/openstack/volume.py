"""Cinder: volume types, and how much of volumes the project may have."""

from __future__ import annotations

from typing import Any

from stoker.openstack.collection import collection, numbers
from stoker.openstack.rest import Rest


class VolumeClient:
    """Reads of the block storage service."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def types(self, page: int | None = None) -> tuple[tuple[str, str], ...]:
        """List the volume types that the project may use: id and name."""
        return collection(self._rest, "/types", "volume_types", _type, page=page)

    def limits(self) -> dict[str, int]:
        """Return the project's limits and what is used of them, by Cinder's names; -1 is none."""
        return numbers(self._rest, "read the volume limits", "/limits", ("limits", "absolute"))


def _type(entry: dict[str, Any]) -> tuple[str, str]:
    return str(entry["id"]), str(entry["name"])
