"""Neutron: the networks that the project can see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stoker.openstack.collection import collection
from stoker.openstack.rest import Rest


@dataclass(frozen=True, slots=True)
class Network:
    """One network. Names are not unique."""

    id: str
    name: str
    external: bool
    """Floating IPs come from it."""

    shared: bool = False


class NetworkClient:
    """Reads of the network service."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def networks(self) -> tuple[Network, ...]:
        """List the networks."""
        return collection(self._rest, "/networks", "networks", _network)


def _network(entry: dict[str, Any]) -> Network:
    flags = bool(entry.get("router:external")), bool(entry.get("shared"))
    return Network(str(entry["id"]), str(entry.get("name") or ""), *flags)
