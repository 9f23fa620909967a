"""The work queue: keyed, coalescing, delayed, fair.

One worker at a time for each key; a key added while it is worked on runs once more. Tenants take turns within a
priority, so that one tenant's burst does not delay another's; a user's create or delete goes before what a listing
woke, and that before a resync.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from enum import IntEnum


class Priority(IntEnum):
    """Who asked for the pass."""

    USER = 0
    LISTING = 1
    RESYNC = 2


Key = tuple[str, str]
"""Namespace and name."""


class WorkQueue:
    """Keys that want a pass. Not thread-safe: everything happens in one event loop.

    `lane` gives the tenant of a namespace: it is tenants that take turns, however many namespaces each has.
    """

    def __init__(self, lane: Callable[[str], str] = str) -> None:
        self._lane = lane
        self._lanes: dict[Priority, dict[str, deque[Key]]] = {priority: {} for priority in Priority}
        self._queued: dict[Key, Priority] = {}
        self._working: dict[Key, Priority | None] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._since: dict[Key, float] = {}
        self._filled = asyncio.Event()

    def add(self, key: Key, priority: Priority = Priority.USER) -> None:
        """Ask for a pass now."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._working:
            before = self._working[key]
            self._working[key] = priority if before is None else min(before, priority)
            return
        if key in self._queued and self._queued[key] <= priority:
            return
        self._queued[key] = priority
        self._since.setdefault(key, time.monotonic())
        self._lanes[priority].setdefault(self._lane(key[0]), deque()).append(key)
        self._filled.set()

    def add_after(self, key: Key, seconds: float, priority: Priority = Priority.LISTING) -> None:
        """Ask for a pass later, unless one is due sooner."""
        if key in self._queued:
            return
        due = asyncio.get_running_loop().time() + seconds
        if (timer := self._timers.get(key)) and timer.when() <= due:
            return
        if timer:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_at(due, self._due, key, priority)

    def _due(self, key: Key, priority: Priority) -> None:
        self._timers.pop(key, None)
        self.add(key, priority)

    async def get(self) -> Key:
        """Wait for the next key and mark it as worked on; `done` must follow."""
        while (key := self._pop()) is None:
            self._filled.clear()
            await self._filled.wait()
        self._working[key] = None
        return key

    def _pop(self) -> Key | None:
        for priority, lanes in self._lanes.items():
            while lanes:
                lane = next(iter(lanes))
                keys = lanes.pop(lane)
                key = keys.popleft()
                if keys:
                    lanes[lane] = keys  # at the end again: the others come first
                if self._queued.get(key) == priority:
                    del self._queued[key]
                    self._since.pop(key, None)
                    return key
        return None

    def done(self, key: Key) -> None:
        """End the work on a key; it runs again if it was added meanwhile."""
        again = self._working.pop(key)
        if again is not None:
            self.add(key, again)

    def forget(self, key: Key) -> None:
        """Drop a delayed pass of a key that is gone."""
        if timer := self._timers.pop(key, None):
            timer.cancel()

    @property
    def depth(self) -> int:
        """Keys waiting now."""
        return len(self._queued)

    @property
    def oldest_seconds(self) -> float:
        """Seconds that the key waiting longest has waited."""
        return time.monotonic() - min(self._since.values()) if self._since else 0.0
