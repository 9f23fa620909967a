"""The parts of a catalog, each from the service that has it: one request, and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from stoker.core.catalog import FlavorSize, ImageNeeds, Limit, Named, NetworkKind, Part, Thing, VolumeType, gpus_of
from stoker.openstack.compute import ComputeClient, Flavor
from stoker.openstack.image import ImageClient
from stoker.openstack.network import NetworkClient
from stoker.openstack.volume import VolumeClient

COMPUTE = {
    "instances": ("maxTotalInstances", "totalInstancesUsed"),
    "cores": ("maxTotalCores", "totalCoresUsed"),
    "MiB of RAM": ("maxTotalRAMSize", "totalRAMUsed"),
}
NETWORK = {"floating IPs": ("limit", "used")}
VOLUME = {
    "volumes": ("maxTotalVolumes", "totalVolumesUsed"),
    "GiB of volumes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
}


class Services(Protocol):
    """The services of a project that a catalog is read from."""

    @property
    def compute(self) -> ComputeClient: ...

    @property
    def image(self) -> ImageClient: ...

    @property
    def network(self) -> NetworkClient: ...

    @property
    def volume(self) -> VolumeClient: ...


def _flavors(services: Services) -> Mapping[str, FlavorSize]:
    """By id and by name; Heat looks for an id first, so a name that is another's id stands back."""
    found = services.compute.flavors()
    sizes = {flavor.id: _size(flavor) for flavor in found}
    return {**{size.name: size for size in sizes.values()}, **sizes}


def _size(flavor: Flavor) -> FlavorSize:
    gpus = gpus_of(dict(flavor.extra or ()))
    shown = flavor.extra is not None
    return FlavorSize(flavor.vcpus, flavor.ram_mib, gpus, flavor.disk_gib, flavor.name, gpus_known=shown)


def _images(services: Services) -> Named[ImageNeeds]:
    found = services.image.images()
    needs = {i.id: ImageNeeds(i.name, i.id, i.status == "active", i.disk_gib, i.min_ram_mib) for i in found}
    return _named((need.name, key, need) for key, need in needs.items())


def _networks(services: Services) -> Named[NetworkKind]:
    return _named(
        (one.name, one.id, NetworkKind(one.name, one.id, one.external)) for one in services.network.networks()
    )


def _volume_types(services: Services) -> Named[VolumeType]:
    return _named((name, key, VolumeType(name)) for key, name in services.volume.types())


def _named(things: Iterable[tuple[str, str, Thing]]) -> Named[Thing]:
    """Return things, each given with its name and its id, by both; an id goes before another's name."""
    by_name: dict[str, tuple[Thing, ...]] = {}
    by_id: dict[str, tuple[Thing, ...]] = {}
    for name, key, thing in things:
        by_name[name] = (*by_name.get(name, ()), thing)
        by_id[key] = (thing,)
    by_name.pop("", None)
    return {**by_name, **by_id}


def _limits(found: Mapping[str, int], names: Mapping[str, tuple[str, str]]) -> Mapping[str, Limit]:
    """Return the limits that there are, of each word by the names of its most and its used."""
    pairs = {word: (found.get(most, -1), found.get(used, 0)) for word, (most, used) in names.items()}
    return {word: Limit(most, used) for word, (most, used) in pairs.items() if most >= 0}


CONTENTS: dict[Part, Callable[[Services], Any]] = {
    Part.FLAVORS: _flavors,
    Part.IMAGES: _images,
    Part.NETWORKS: _networks,
    Part.KEY_PAIRS: lambda services: frozenset(pair.name for pair in services.compute.key_pairs()),
    Part.VOLUME_TYPES: _volume_types,
    Part.COMPUTE_LIMITS: lambda services: _limits(services.compute.limits(), COMPUTE),
    Part.NETWORK_LIMITS: lambda services: _limits(services.network.limits(), NETWORK),
    Part.VOLUME_LIMITS: lambda services: _limits(services.volume.limits(), VOLUME),
}
