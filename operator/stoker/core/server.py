"""What Nova says of a server, as values: one entry of a listing, one listing, and one VM's part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from stoker.api.virtualmachine import PowerState


class PowerAction(StrEnum):
    """What Nova can be asked to do to a server's power."""

    START = "start"
    STOP = "stop"
    REBOOT = "reboot"
    RESET = "reset"
    """A hard reboot: as from a power cut. Nova takes it also for a server in ERROR, and the disk stays."""


_STATES: dict[str, str] = {"ACTIVE": PowerState.RUNNING, "SHUTOFF": PowerState.STOPPED}
"""What counts is Nova's own word, which its actions go by; the hypervisor's may be ahead of it for minutes."""

LONGEST_STATE = 32
"""Characters of a power state that a status has room for."""

UNSEEN = "UNKNOWN"
"""The status of a server whose cell does not answer."""


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

    addresses: frozenset[str] = frozenset()
    """Fixed and floating."""

    flavor: str = ""
    """Name of its flavor."""

    @property
    def broken(self) -> bool:
        """Of no use as it is."""
        return self.status == "ERROR"

    @property
    def state(self) -> str:
        """Running, Stopped, or another word for what it is."""
        return _STATES.get(self.status) or (self.status.title() if self.power == "NoState" else self.power)


@dataclass(frozen=True, slots=True)
class Servers:
    """All servers of a project, from one request (and its pages)."""

    as_of: float
    """Monotonic seconds when the request *started*: what it shows is not older."""

    by_id: Mapping[str, Server]


@dataclass(frozen=True, slots=True)
class ServerLook:
    """A VM's part of a listing."""

    as_of: float
    server_id: str
    server: Server | None
    """None when a complete listing lacks it."""
