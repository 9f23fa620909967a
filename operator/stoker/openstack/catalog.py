"""The parts of a catalog, each from the service that has it: one request, and pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from stoker.core.catalog import FlavorSize, Part, gpus_of
from stoker.openstack.compute import ComputeClient, Flavor


class Services(Protocol):
    """The services of a project that a catalog is read from."""

    @property
    def compute(self) -> ComputeClient: ...


def _flavors(services: Services) -> Mapping[str, FlavorSize]:
    """By id and by name; Nova looks for an id first, so a name that is another's id stands back."""
    found = services.compute.flavors()
    sizes = {flavor.id: _size(flavor) for flavor in found}
    return {**{size.name: size for size in sizes.values()}, **sizes}


def _size(flavor: Flavor) -> FlavorSize:
    return FlavorSize(
        flavor.vcpus,
        flavor.ram_mib,
        gpus_of(dict(flavor.extra or ())),
        flavor.disk_gib,
        flavor.name,
        flavor.extra is not None,
    )


CONTENTS: dict[Part, Callable[[Services], Any]] = {
    Part.FLAVORS: _flavors,
}
