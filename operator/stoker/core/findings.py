"""Findings: what is wrong with what a VM asks for, known before anything is asked of Heat.

A finding needs a catalog that is newer than the VM's wish: the name may be new, room may have been made. What is not
known, or too old, refuses nobody: Heat decides then. So a wrong finding heals by itself within a minute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from stoker.api.errors import ErrorCode
from stoker.api.tenant import NetworkProfile, TenantSpec
from stoker.api.virtualmachine import VirtualMachineSpec
from stoker.core.catalog import Catalog, ImageNeeds, Part
from stoker.core.faults import Fault, one_line
from stoker.core.names import EVERYTHING, allowed, offer, template_allowed

AGAIN = 45.0
"""Age from which a part that refuses a VM is read again, seconds."""

LAPSE = 120.0
"""Age from which it refuses nobody, seconds: it could not be read again."""

PATIENCE = 60.0
"""How long a VM waits for a part to be read again, seconds."""

FIRST_PATIENCE = 10.0
"""How long it waits for the first read of a tenant's catalog, seconds."""

LIMITS = frozenset({Part.COMPUTE_LIMITS, Part.NETWORK_LIMITS, Part.VOLUME_LIMITS})

RESOURCES = {
    "instances": Part.COMPUTE_LIMITS,
    "cores": Part.COMPUTE_LIMITS,
    "MiB of RAM": Part.COMPUTE_LIMITS,
    "floating IPs": Part.NETWORK_LIMITS,
    "volumes": Part.VOLUME_LIMITS,
    "GiB of volumes": Part.VOLUME_LIMITS,
}
"""What the cloud's own quota counts, in the words of messages → the part that has its limit."""

OUTDATED: dict[ErrorCode, frozenset[Part]] = {
    ErrorCode.FLAVOR_NOT_FOUND: frozenset({Part.FLAVORS}),
    ErrorCode.IMAGE_NOT_FOUND: frozenset({Part.IMAGES}),
    ErrorCode.NETWORK_NOT_FOUND: frozenset({Part.NETWORKS}),
    ErrorCode.KEY_PAIR_NOT_FOUND: frozenset({Part.KEY_PAIRS}),
    ErrorCode.VOLUME_TYPE_NOT_FOUND: frozenset({Part.VOLUME_TYPES}),
    ErrorCode.CLOUD_QUOTA_EXCEEDED: LIMITS,
}
"""An error of OpenStack's → what the catalog had not known."""

_ID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found."""

    faults: tuple[Fault, ...] = ()
    waits: bool = False
    """True while a part is to be read before anything can be said."""

    wanted: frozenset[Part] = frozenset()
    """Parts to be read again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a VM asks for, of whom, and since when this process knows."""

    spec: VirtualMachineSpec
    tenant: str
    grants: TenantSpec
    template: str
    """family@vN, or nothing when there is none."""

    text: str
    """HOT of it."""

    creates: bool
    """True when a server is to be made: only then the cloud's quota counts."""

    promised: Mapping[str, int]
    """What other VMs will take that the limits may not have yet, by the words of `RESOURCES`."""

    since: float
    clock: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that is wrong if those parts of the catalog are right."""

    fault: Fault
    parts: tuple[Part, ...] = ()


def examine(wish: Wish, catalog: Catalog) -> Findings:
    """Return everything that is wrong, or what is to be read before that can be said."""
    waited, first = wish.clock - wish.since, _parts_of(wish) - catalog.read.keys()
    found = [doubt for check in CHECKS for doubt in check(wish, catalog)]
    known = [doubt for doubt in found if all(catalog.knows(part) for part in doubt.parts)]
    old = [doubt for doubt in known if not _newer_than(wish, catalog, doubt)]
    stand = [doubt.fault for doubt in known if doubt not in old and not _lapsed(wish, catalog, doubt)]
    wanted = {part for doubt in known for part in doubt.parts if _to_read(wish, catalog, part)}
    waits = (bool(old) and waited < PATIENCE) or (bool(first) and waited < FIRST_PATIENCE)
    return Findings(tuple(stand), waits, frozenset(wanted | first))


def need_of(spec: VirtualMachineSpec, catalog: Catalog) -> dict[str, int]:
    """Return what a new VM takes of the cloud's quota, by the words of `RESOURCES`; of an unknown flavor, nothing."""
    need = {"instances": 1}
    if size := catalog.flavors.get(spec.flavor):
        need |= {"cores": size.vcpus, "MiB of RAM": size.ram_mib}
    if spec.public_ip:
        need["floating IPs"] = 1
    if spec.volumes:
        need |= {"volumes": len(spec.volumes), "GiB of volumes": sum(volume.size_gib for volume in spec.volumes)}
    return need


# ---- how old a part may be


def _parts_of(wish: Wish) -> set[Part]:
    """Return the parts that may have something against the wish."""
    parts = {Part.FLAVORS, Part.IMAGES, Part.NETWORKS}
    if wish.spec.key_name:
        parts.add(Part.KEY_PAIRS)
    if wish.spec.volumes:
        parts.add(Part.VOLUME_TYPES)
    return parts | {RESOURCES[what] for what in need_of(wish.spec, Catalog()) if wish.creates}


def _newer_than(wish: Wish, catalog: Catalog, doubt: Doubt) -> bool:
    return all(catalog.began(part) > wish.since for part in doubt.parts)


def _lapsed(wish: Wish, catalog: Catalog, doubt: Doubt) -> bool:
    return any(wish.clock - catalog.began(part) > LAPSE for part in doubt.parts)


def _to_read(wish: Wish, catalog: Catalog, part: Part) -> bool:
    began = catalog.began(part)
    return began <= wish.since or wish.clock - began > AGAIN


# ---- the checks


def _template(wish: Wish, _catalog: Catalog) -> Iterator[Doubt]:
    """Forbidden is what the Tenant does not allow; whether there is such a template is found elsewhere."""
    grants = wish.grants.allowed_templates or EVERYTHING
    if wish.template and not template_allowed(wish.template, grants):
        yield _forbidden(wish, "template", wish.template, grants)


def _flavor(wish: Wish, catalog: Catalog) -> Iterator[Doubt]:
    given, grants = wish.spec.flavor, wish.grants.allowed_flavors or EVERYTHING
    size = catalog.flavors.get(given)
    if not allowed(size.name if size else given, grants):
        yield _forbidden(wish, "flavor", given, _names([catalog.flavors.values()], grants) or grants)
    elif size is None:
        message = f"there is no flavor {given}{offer(given, _names([catalog.flavors.values()], grants))}"
        yield Doubt(Fault(ErrorCode.FLAVOR_NOT_FOUND, message), (Part.FLAVORS,))
    elif size.gpus_known and wish.spec.gpu_count > size.gpus:
        message = f"gpuCount is {wish.spec.gpu_count}, and the flavor {given} gives {size.gpus}"
        yield Doubt(Fault(ErrorCode.FLAVOR_TOO_SMALL, message), (Part.FLAVORS,))


def _image(wish: Wish, catalog: Catalog) -> Iterator[Doubt]:
    """An id that is not listed may be that of a hidden or a community image: Heat decides."""
    given, grants = wish.spec.image, wish.grants.allowed_images or EVERYTHING
    found = catalog.images.get(given, ())
    active = [image for image in found if image.active]
    if not allowed(found[0].name if found else given, grants):
        yield _forbidden(wish, "image", given, _names(catalog.images.values(), grants) or grants)
    elif found and not active:
        yield Doubt(Fault(ErrorCode.IMAGE_NOT_FOUND, f"the image {given} is there, and not active"), (Part.IMAGES,))
    elif not found and not _ID.fullmatch(given):
        message = f"there is no image {given}{offer(given, _names(catalog.images.values(), grants))}"
        yield Doubt(Fault(ErrorCode.IMAGE_NOT_FOUND, message), (Part.IMAGES,))
    elif len(active) > 1:
        yield Doubt(_ambiguous("images", given, len(active)), (Part.IMAGES,))
    elif active:
        yield from _fit(wish, catalog, active[0])


def _fit(wish: Wish, catalog: Catalog, image: ImageNeeds) -> Iterator[Doubt]:
    """A server that boots from a volume has no use for the flavor's disk."""
    size = catalog.flavors.get(wish.spec.flavor)
    if size is None:
        return
    short = []
    if image.disk_gib > size.disk_gib > 0 and "block_device_mapping" not in wish.text:
        short.append(f"{image.disk_gib} GiB of disk, and the flavor {size.name} has {size.disk_gib}")
    if image.ram_mib > size.ram_mib:
        short.append(f"{image.ram_mib} MiB of RAM, and the flavor {size.name} has {size.ram_mib}")
    if short:
        message = f"the image {wish.spec.image} needs {'; it needs '.join(short)}"
        yield Doubt(Fault(ErrorCode.FLAVOR_TOO_SMALL, message), (Part.IMAGES, Part.FLAVORS))


def _networks(wish: Wish, catalog: Catalog) -> Iterator[Doubt]:
    profile = next((one for one in wish.grants.network_profiles if one.name == wish.spec.network_profile), None)
    if profile is not None:
        yield from network_doubts(profile, catalog, public=wish.spec.public_ip)


def network_doubts(profile: NetworkProfile, catalog: Catalog, *, public: bool) -> Iterator[Doubt]:
    """Return what a network profile names and the cloud does not have; its external network only if it is used."""
    for given, external in ((profile.network, False), (profile.external_network if public else None, True)):
        if given is None:
            continue
        found = catalog.networks.get(given, ())
        where = f"the network profile {profile.name} names the network {given}"
        if not found:
            message = f"{where}, which the project does not see{offer(given, _names(catalog.networks.values()))}"
            yield Doubt(Fault(ErrorCode.NETWORK_NOT_FOUND, message), (Part.NETWORKS,))
        elif len(found) > 1:
            yield Doubt(_ambiguous("networks", given, len(found)), (Part.NETWORKS,))
        elif external and not found[0].external:
            fault = Fault(ErrorCode.NETWORK_NOT_FOUND, f"{where} for floating IPs, and it is not external")
            yield Doubt(fault, (Part.NETWORKS,))


def _key_pair(wish: Wish, catalog: Catalog) -> Iterator[Doubt]:
    given = wish.spec.key_name
    if given and given not in catalog.key_pairs:
        message = f"there is no key pair {given}{offer(given, catalog.key_pairs)}"
        yield Doubt(Fault(ErrorCode.KEY_PAIR_NOT_FOUND, message), (Part.KEY_PAIRS,))


def _volume_types(wish: Wish, catalog: Catalog) -> Iterator[Doubt]:
    for given in sorted({volume.type for volume in wish.spec.volumes if volume.type} - catalog.volume_types.keys()):
        message = f"there is no volume type {given}{offer(given, _names(catalog.volume_types.values()))}"
        yield Doubt(Fault(ErrorCode.VOLUME_TYPE_NOT_FOUND, message), (Part.VOLUME_TYPES,))


def _room(wish: Wish, catalog: Catalog) -> Iterator[Doubt]:
    """The cloud's own quota, where it can be read."""
    limits = {**catalog.compute_limits, **catalog.network_limits, **catalog.volume_limits}
    for what, needed in need_of(wish.spec, catalog).items() if wish.creates else ():
        limit, promised = limits.get(what), wish.promised.get(what, 0)
        if limit is None or limit.used + promised + needed <= limit.most:
            continue
        others = f", {promised} more go to VMs that are being made" if promised else ""
        message = f"the project has used {limit.used} of its {limit.most} {what}{others}, and the VM needs {needed}"
        yield Doubt(Fault(ErrorCode.CLOUD_QUOTA_EXCEEDED, message), (RESOURCES[what],))


CHECKS = (_template, _flavor, _image, _networks, _key_pair, _volume_types, _room)


def _names(things: Iterable[Iterable[_Named]], grants: Iterable[str] = EVERYTHING) -> set[str]:
    """Return the names of what is there and allowed."""
    return {one.name for group in things for one in group if one.name and allowed(one.name, grants)}


def _forbidden(wish: Wish, kind: str, name: str, known: Iterable[str]) -> Doubt:
    message = f"the Tenant {wish.tenant} does not allow the {kind} {name}{offer(name, known)}"
    return Doubt(Fault(ErrorCode.NOT_ALLOWED, one_line(message)))


def _ambiguous(kind: str, name: str, count: int) -> Fault:
    return Fault(ErrorCode.NAME_AMBIGUOUS, f"there are {count} {kind} of the name {name}")
