"""Nova: the project's servers, flavors and key pairs, to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stoker.core.classify import redacted
from stoker.core.faults import one_line
from stoker.openstack.collection import collection, limits
from stoker.openstack.rest import Rest

MICROVERSION = {"OpenStack-API-Version": "compute 2.61"}
"""Flavors with their extra specs (2.61), key pairs in pages (2.35). Nova of Queens (2018) has it."""

LIMITS = {
    "instances": ("maxTotalInstances", "totalInstancesUsed"),
    "cores": ("maxTotalCores", "totalCoresUsed"),
    "MiB of RAM": ("maxTotalRAMSize", "totalRAMUsed"),
}

POWER_STATES = {0: "NoState", 1: "Running", 3: "Paused", 4: "Stopped", 6: "Crashed", 7: "Suspended"}


@dataclass(frozen=True, slots=True)
class Server:
    """One server."""

    id: str
    name: str
    status: str
    """Nova's word: ACTIVE, SHUTOFF, ERROR and so on."""

    power: str
    """Running, Stopped and so on: what the hypervisor says."""

    task: str = ""
    """What Nova is doing to it, or nothing."""

    fault: str = ""
    """Why it is in ERROR."""


@dataclass(frozen=True, slots=True)
class Flavor:
    """One flavor."""

    id: str
    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    extra: tuple[tuple[str, str], ...] | None = ()
    """Extra specs in order; None where the cloud shows them to no tenant."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """One key pair of the credential's user."""

    name: str
    fingerprint: str = ""


class ComputeClient:
    """Reads of the compute service."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def servers(self) -> tuple[Server, ...]:
        """List the project's servers."""
        return collection(self._rest, "/servers/detail", "servers", _server, headers=MICROVERSION)

    def flavors(self) -> tuple[Flavor, ...]:
        """List the flavors that the project may use."""
        return collection(self._rest, "/flavors/detail", "flavors", _flavor, headers=MICROVERSION)

    def key_pairs(self) -> tuple[KeyPair, ...]:
        """List the user's key pairs: Nova keeps them by user, not by project."""
        return collection(self._rest, "/os-keypairs", "keypairs", _key_pair, marker="name", headers=MICROVERSION)

    def limits(self) -> dict[str, tuple[int, int]]:
        """Return the most and the used of each resource; -1 is no limit."""
        return limits(self._rest, "/limits", ("limits", "absolute"), LIMITS, MICROVERSION)


def _server(entry: dict[str, Any]) -> Server:
    return Server(
        str(entry["id"]),
        str(entry.get("name") or ""),
        str(entry["status"]),
        POWER_STATES.get(int(entry.get("OS-EXT-STS:power_state") or 0), "NoState"),
        str(entry.get("OS-EXT-STS:task_state") or ""),
        one_line(redacted(str((entry.get("fault") or {}).get("message") or ""))),
    )


def _flavor(entry: dict[str, Any]) -> Flavor:
    shown = entry.get("extra_specs")
    extra = None if shown is None else tuple(sorted((str(key), str(value)) for key, value in shown.items()))
    sizes = int(entry["vcpus"]), int(entry["ram"]), int(entry["disk"])
    return Flavor(str(entry["id"]), str(entry["name"]), *sizes, extra)


def _key_pair(entry: dict[str, Any]) -> KeyPair:
    return KeyPair(str(entry["name"]), str(entry.get("fingerprint") or ""))
