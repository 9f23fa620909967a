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


class ImageClient:
    """Reads of the image service."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def images(self) -> tuple[Image, ...]:
        """List the images."""
        return collection(self._rest, "/images", "images", _image)


def _image(entry: dict[str, Any]) -> Image:
    least = int(entry.get("min_disk") or 0), int(entry.get("min_ram") or 0)
    return Image(str(entry["id"]), str(entry.get("name") or ""), str(entry["status"]), *least)
