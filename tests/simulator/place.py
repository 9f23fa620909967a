"""Where resources are made, and how one that could not be made is worded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.state import Cloud, Flavor, Project


class ResourceError(Exception):
    """A resource could not be made; worded as in a stack's reason."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, text)
        self.kind, self.text = kind, text

    def reason(self, resource: str) -> str:
        return f"{self.kind}: resources.{resource}: {self.text}"


@dataclass(frozen=True)
class Place:
    """Where a resource is made."""

    cloud: Cloud
    project: Project


def flavor_of(cloud: Cloud, wanted: Any) -> Flavor | None:
    """Return the flavor of that name or id."""
    return next((flavor for flavor in cloud.flavors.values() if wanted in (flavor.id, flavor.name)), None)
