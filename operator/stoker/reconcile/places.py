"""Places: a tenant's calls for VMs that are in flight, as many as its cloud can take of each tenant."""

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
    """One tenant's. Everything happens in one event loop."""

    taken: int = 0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    @asynccontextmanager
    async def one(self, call: str, limit: InFlight) -> AsyncIterator[Place]:
        """Hold a place while the call of that name is under way; the cloud's `limit` learns from how it went."""
        place = Place()
        if call.partition("-")[0] in PACED:
            yield place
            return
        await self._take(limit)
        try:
            yield place
        except CloudError as error:
            if place.began and error.fault.outage:
                limit.failed(place.began, time.monotonic())
            raise
        else:
            limit.answered(call, place.began, time.monotonic(), full=self.taken >= limit.places)
        finally:
            self._leave(limit)

    def let_all(self) -> None:
        """Let go all that wait: the tenant ends, and each of them is refused."""
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
                self.taken += 1
        self._waiting.clear()

    async def _take(self, limit: InFlight) -> None:
        if self.taken < limit.places and not self._waiting:
            self.taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave(limit)  # the place was given in the same moment
            raise

    def _leave(self, limit: InFlight) -> None:
        """Give a place back, and give out what is free."""
        self.taken -= 1
        while self._waiting and self.taken < limit.places:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self.taken += 1
