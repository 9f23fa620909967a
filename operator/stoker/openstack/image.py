"""Glance: the images that the project can see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stoker.openstack.collection import collection
from stoker.openstack.rest import Rest


@dataclass(frozen=True, slots=True)
class Image:
    """One image. Names are not unique."""

    id: str
    name: str
    status: str
    min_disk_gib: int = 0
    min_ram_mib: int = 0
    size: int = 0
    """Of its data, bytes."""

    @property
    def disk_gib(self) -> int:
        """Return the least disk that takes it, as Nova checks it: what is asked for, and no less than its data."""
        return max(self.min_disk_gib, -(-self.size // 2**30))


class ImageClient:
    """Reads of the image service."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def images(self) -> tuple[Image, ...]:
        """List the images."""
        return collection(self._rest, "/images", "images", _image)


def _image(entry: dict[str, Any]) -> Image:
    least = int(entry.get("min_disk") or 0), int(entry.get("min_ram") or 0), int(entry.get("size") or 0)
    return Image(str(entry["id"]), str(entry.get("name") or ""), str(entry["status"]), *least)
