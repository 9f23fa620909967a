"""The project's servers, listed once for all its VMs: rarely at rest, as often as the stacks while one is awaited.

Nova is not needed to make or to keep a VM: without its answer, power and drift are not known, and nothing else changes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault
from stoker.core.pace import pause_after
from stoker.core.server import LONGEST_STATE, ServerLook, Servers
from stoker.core.stack import Unknown
from stoker.openstack.base import CloudError

if TYPE_CHECKING:
    from stoker.reconcile.tenants import TenantRuntime

log = logging.getLogger(__name__)

STALE = 120.0
"""Age from which a listing is no longer believed, seconds."""


@dataclass(slots=True)
class ServerWatch:
    """The newest listing of a tenant's servers, and who is woken by a change of one."""

    runtime: TenantRuntime
    servers: Servers | None = None
    fault: Fault | None = None
    """Why the newest listing failed."""

    awaited: set[str] = field(default_factory=set)
    """Ids of VMs that wait for a look at their server."""

    owners: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """VM's id → its server's, and the power state that its status says, of all that were looked up."""

    _nudge: asyncio.Event = field(default_factory=asyncio.Event)

    def view(self, server_id: str, vm_id: str, power: str | None) -> ServerLook | Unknown | None:
        """Return a server in the newest listing, or why there is none to believe; None before the first ended.

        `power` is what the VM's status says of it.
        """
        self.owners[vm_id] = (server_id, power)
        servers = self.servers
        if servers and time.monotonic() - servers.as_of < STALE:
            return ServerLook(servers.as_of, server_id, servers.by_id.get(server_id))
        if self.fault or servers:
            return Unknown(self.fault or Fault(ErrorCode.CLOUD_UNAVAILABLE, "the last listing of servers is too old"))
        return None

    @property
    def known(self) -> set[str]:
        """Ids of the VMs that it knows of."""
        return {*self.awaited, *self.owners}

    def forget(self, vm_id: str) -> None:
        """Forget a VM that goes."""
        self.owners.pop(vm_id, None)
        self.awaited.discard(vm_id)

    def await_look(self, vm_id: str, *, awaited: bool) -> None:
        """Note whether a VM waits for a look at its server; then there is one soon, and each wakes the VM."""
        if not awaited:
            self.awaited.discard(vm_id)
        elif vm_id not in self.awaited:
            self.awaited.add(vm_id)
            self._nudge.set()

    async def run(self) -> None:
        """List, for ever."""
        while True:
            began = time.monotonic()
            await self.list()
            self._nudge.clear()
            if self.awaited:
                spent, runtime = time.monotonic() - began, self.runtime
                await asyncio.sleep(pause_after(spent, least=runtime.poll_seconds, most=runtime.rest_seconds))
                continue
            with suppress(TimeoutError):
                pause = self.runtime.rest_seconds * random.uniform(0.9, 1.1)  # noqa: S311
                await asyncio.wait_for(self._nudge.wait(), pause)

    async def list(self) -> None:
        """List the project's servers once, and wake whom it concerns."""
        try:
            found = await self.runtime.call("servers", lambda project: project.compute.servers())
        except CloudError as error:
            if self.fault is None or self.fault.code is not error.fault.code:
                name = self.runtime.tenant.metadata.name
                log.warning("listing servers failed", extra={"tenant": name, "error": error.fault.sentence})
            self.fault = error.fault
            concerned: set[str] = set()
        else:
            old, self.servers, self.fault = self.servers, found, None
            concerned = self._concerned(old, found)
        for vm_id in concerned | self.awaited:
            self.runtime.wake(vm_id)

    def _concerned(self, old: Servers | None, new: Servers) -> set[str]:
        """Return the VMs whose server is another than before, or not there: it may have come and gone between two looks.

        And those whose status says another power state: a process that died did not write it, or saw it too early.
        """
        if old is None:
            return set(self.owners)
        before, after = old.by_id, new.by_id
        return {
            vm
            for vm, (one, power) in self.owners.items()
            if one not in after or before.get(one) != after[one] or after[one].state[:LONGEST_STATE] != power
        }
