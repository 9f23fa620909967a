"""Places: what a cloud has in flight of its tenants' calls for VMs, given out among the tenants in turn."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from stoker.core.pace import InFlight
from stoker.openstack.base import CloudError

PACED = ("list", "servers", "verify", "preflight", "catalog")
"""Calls that need no place: a tenant makes few of them, at a pace of their own, and all of its VMs wait for them."""


@dataclass(slots=True)
class Place:
    """One call's."""

    began: float = 0.0
    """When the call was sent, monotonic seconds; 0 before."""


@dataclass(slots=True)
class Places:
    """One cloud's. Everything happens in one event loop."""

    limit: InFlight = field(default_factory=InFlight)
    taken: int = 0
    _waiting: dict[str, deque[asyncio.Future[None]]] = field(default_factory=dict)
    """Tenant → its calls that wait; whose turn it is comes first."""

    @asynccontextmanager
    async def one(self, tenant: str, call: str) -> AsyncIterator[Place]:
        """Hold a place while the call of that name is under way, and learn from how it went."""
        place = Place()
        if call.partition("-")[0] in PACED:
            yield place
            return
        await self._take(tenant)
        try:
            yield place
        except CloudError as error:
            if place.began and error.fault.outage:
                self.limit.failed(place.began, time.monotonic())
            raise
        else:
            self.limit.answered(call, place.began, time.monotonic(), full=self.taken >= self.limit.places)
        finally:
            self._leave()

    async def _take(self, tenant: str) -> None:
        if self.taken < self.limit.places and not self._waiting:
            self.taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave()  # the place was given in the same moment
            raise

    def _leave(self) -> None:
        """Give a place back, and give out what is free: a tenant that got one is the last to get another."""
        self.taken -= 1
        while self._waiting and self.taken < self.limit.places:
            tenant = next(iter(self._waiting))
            turns = self._waiting.pop(tenant)
            turn = turns.popleft()
            if turns:
                self._waiting[tenant] = turns
            if not turn.done():
                turn.set_result(None)
                self.taken += 1
