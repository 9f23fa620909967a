"""Neutron: the networks that the project can see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stoker.openstack.collection import collection, numbers
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

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest, self._project = rest, project

    def networks(self) -> tuple[Network, ...]:
        """List the networks."""
        return collection(self._rest, "/networks", "networks", _network)

    def limits(self) -> dict[str, int]:
        """Return the `limit` of floating IPs, -1 for none, and what is `used`. Needs the extension quota_details."""
        where = f"/quotas/{self._project}/details"
        return numbers(self._rest, "read the network limits", where, ("quota", "floatingip"))


def _network(entry: dict[str, Any]) -> Network:
    flags = bool(entry.get("router:external")), bool(entry.get("shared"))
    return Network(str(entry["id"]), str(entry.get("name") or ""), *flags)
