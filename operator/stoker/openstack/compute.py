"""Nova: the project's servers and their power; flavors and key pairs, to read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stoker.api.errors import ErrorCode
from stoker.core.classify import redacted
from stoker.core.faults import Fault, one_line
from stoker.core.server import PowerAction, Server, Servers
from stoker.openstack.base import CloudError
from stoker.openstack.collection import collection, numbers
from stoker.openstack.rest import Rest

MICROVERSION = {"OpenStack-API-Version": "compute 2.61"}
"""Flavors with their extra specs (2.61), key pairs in pages (2.35). Nova of Queens (2018) has it."""

SERVERS = {"OpenStack-API-Version": "compute 2.69"}
"""Of a cell that is down, older versions leave the servers out of a listing, as if they were gone; this one (Nova of
Stein, 2019) lists them with the status UNKNOWN (read in Nova's API reference, "Handling Down Cells")."""

GONE = {"DELETED", "SOFT_DELETED"}
"""Statuses of a server that is deleted, and that Nova still shows: in a bin, or for the last moment of its deletion."""

POWER_STATES = {0: "NoState", 1: "Running", 3: "Paused", 4: "Stopped", 6: "Crashed", 7: "Suspended"}


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


REQUESTS: dict[PowerAction, dict[str, Any]] = {
    PowerAction.START: {"os-start": None},
    PowerAction.STOP: {"os-stop": None},
    PowerAction.REBOOT: {"reboot": {"type": "SOFT"}},
    PowerAction.RESET: {"reboot": {"type": "HARD"}},
}

_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class ComputeClient:
    """The compute service: reads, and a server's power."""

    def __init__(self, rest: Rest, clock: Callable[[], float] = time.monotonic) -> None:
        self._rest, self._clock = rest, clock

    def servers(self) -> Servers:
        """List the project's servers, all of them or none; what is deleted and still shown is left out."""
        as_of = self._clock()
        found = collection(self._rest, "/servers/detail", "servers", _server, headers=SERVERS)
        return Servers(as_of, {server.id: server for server in found if server.status not in GONE})

    def is_gone(self, server_id: str) -> bool:
        """Look by id: gone is a 404 that Nova itself calls itemNotFound, or a server that is kept in a bin."""
        operation = f"look at server {server_id}"
        reply = self._rest.call(operation, "GET", _where(server_id), headers=SERVERS, gone=True)
        status = (reply.body.get("server") or {}).get("status")
        return reply.gone or status in GONE

    def act(self, server_id: str, action: PowerAction) -> str:
        """Ask for the action, once, and return the request's id. Nova refuses one that does not fit the state (409)."""
        operation, path = f"{action} server {server_id}", f"{_where(server_id)}/action"
        reply = self._rest.call(operation, "POST", path, body=REQUESTS[action], headers=MICROVERSION)
        return reply.request_id or ""

    def flavors(self) -> tuple[Flavor, ...]:
        """List the flavors that the project may use."""
        return collection(self._rest, "/flavors/detail", "flavors", _flavor, headers=MICROVERSION)

    def key_pairs(self) -> tuple[KeyPair, ...]:
        """List the user's key pairs: Nova keeps them by user, not by project."""
        return collection(self._rest, "/os-keypairs", "keypairs", _key_pair, marker="name", headers=MICROVERSION)

    def limits(self) -> dict[str, int]:
        """Return the project's limits and what is used of them, by Nova's names; -1 is none."""
        return numbers(self._rest, "read the limits", "/limits", ("limits", "absolute"), MICROVERSION)


def _where(server_id: str) -> str:
    """Return the server's path; the id is checked: `..` would be another path."""
    if not _ID.fullmatch(server_id):
        raise CloudError(Fault(ErrorCode.UNKNOWN, f"{one_line(server_id, 80)} is not an id of Nova's"))
    return f"/servers/{server_id}"


def _server(entry: dict[str, Any]) -> Server:
    return Server(
        str(entry["id"]),
        str(entry.get("name") or ""),
        str(entry["status"]),
        POWER_STATES.get(int(entry.get("OS-EXT-STS:power_state") or 0), "NoState"),
        str(entry.get("OS-EXT-STS:task_state") or ""),
        one_line(redacted(str((entry.get("fault") or {}).get("message") or ""))),
        frozenset(str(place["addr"]) for network in (entry.get("addresses") or {}).values() for place in network),
        str((entry.get("flavor") or {}).get("original_name") or ""),
    )


def _flavor(entry: dict[str, Any]) -> Flavor:
    shown = entry.get("extra_specs")
    extra = None if shown is None else tuple(sorted((str(key), str(value)) for key, value in shown.items()))
    sizes = int(entry["vcpus"]), int(entry["ram"]), int(entry["disk"])
    return Flavor(str(entry["id"]), str(entry["name"]), *sizes, extra)


def _key_pair(entry: dict[str, Any]) -> KeyPair:
    return KeyPair(str(entry["name"]), str(entry.get("fingerprint") or ""))
