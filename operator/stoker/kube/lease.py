"""Leader election by one `Lease`: its transitions are the epoch of every claim.

Time is this process's monotonic clock only: the lease is ours until `renewed + duration` from the *start* of the last
successful renewal, whatever any wall clock says; and it is another's until its record has not changed for its
duration, as seen here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from stoker.kube.client import KubeClient, KubeError

log = logging.getLogger(__name__)

T = TypeVar("T")

DURATION = 15.0
"""How long a lease holds after its last renewal, seconds (the usual value in Kubernetes)."""

RENEW = 5.0
"""Pause between renewals, seconds."""

RETRY = 1.0
"""Pause between tries to get the lease, or to reach the API server, seconds."""

MARGIN = 3.0
"""No effect starts within this many seconds of the lease's end."""


class LeaseLostError(Exception):
    """The lease no longer allows an effect: another process may lead."""


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the API server answers, and return what it says. Raises KubeError when it refuses.

    A process that ended for an outage would be started again after pauses of up to five minutes, and so come back late.
    """
    said = ""
    while True:
        try:
            return await ask()
        except KubeError as error:
            if not error.passes:
                raise
            if str(error) != said:
                log.warning("waiting for the API server: %s", error)
            said, pause = str(error), max(RETRY, error.retry_after)
        await asyncio.sleep(pause)


class Leader:
    """One candidate; `epoch` is meaningful while `valid()`."""

    def __init__(
        self, kube: KubeClient, namespace: str, name: str, holder: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kube = kube
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._name = name
        self.holder = holder
        self.epoch = 0
        self._clock = clock
        self._until = 0.0
        self._seen: tuple[str, float] = ("", 0.0)

    def valid(self) -> bool:
        """Tell whether an effect may start now."""
        return self._clock() < self._until - MARGIN

    def check(self) -> None:
        """Raise LeaseLostError unless an effect may start now."""
        if not self.valid():
            raise LeaseLostError(f"the lease {self._name} ran out")

    async def acquire(self) -> None:
        """Wait until the lease is ours, also through an outage of the API server."""
        waiting = False
        while not await patiently(self._won):
            if not waiting:
                log.info("waiting for the lease %s", self._name)
            waiting = True
            await asyncio.sleep(RETRY)
        log.info("leading as %s in epoch %d", self.holder, self.epoch)

    async def _won(self) -> bool:
        try:
            return await self._try()
        except KubeError as error:
            if error.status == 409:  # another candidate was first
                return False
            raise

    async def keep(self) -> None:
        """Renew the lease until it is lost, then return.

        A write that is refused proves no loss, not even a conflict: somebody may have labelled the lease.
        """
        pause = RENEW
        while self._clock() < self._until:
            await asyncio.sleep(pause)
            pause = RENEW
            try:
                if not await self._try():
                    return
            except KubeError as error:
                log.warning("lease not renewed: %s", error)
                pause = RETRY

    async def release(self) -> None:
        """Give the lease up, so that the next leader need not wait for its end."""
        self._until = 0.0
        try:
            lease = await self._kube.get(self._path)
            spec = lease.get("spec") or {}
            if spec.get("holderIdentity") == self.holder:
                await self._kube.put(self._path, {**lease, "spec": {**spec, "holderIdentity": ""}})
        except KubeError as error:
            log.warning("lease not released: %s", error)

    async def _try(self) -> bool:
        """Create, renew or take over the lease, guarded by its version; False when it is another's.

        Raises KubeError, with status 409 when somebody else wrote it meanwhile.
        """
        started = self._clock()
        try:
            lease = await self._kube.get(self._path)
        except KubeError as error:
            if error.status != 404:
                raise
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name},
                "spec": self._spec(1),
            }
            await self._kube.post(self._collection, body)
            return self._led(started, 1)
        spec = lease.get("spec") or {}
        other = spec.get("holderIdentity") not in ("", None, self.holder)
        if other and not self._expired(
            lease["metadata"]["resourceVersion"], float(spec.get("leaseDurationSeconds") or DURATION)
        ):
            return False
        mine = spec.get("holderIdentity") == self.holder
        epoch = int(spec.get("leaseTransitions") or 0) + (0 if mine else 1)
        body = {**lease, "spec": {**spec, **self._spec(epoch, renew=mine)}}
        await self._kube.put(self._path, body)
        return self._led(started, epoch)

    def _expired(self, version: str, duration: float) -> bool:
        """Tell whether another's lease has not changed for its duration, as seen by our clock."""
        if self._seen[0] != version:
            self._seen = (version, self._clock())
        return self._clock() > self._seen[1] + duration

    def _led(self, started: float, epoch: int) -> bool:
        self._until, self.epoch = started + DURATION, epoch
        return True

    def _spec(self, epoch: int, *, renew: bool = False) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": int(DURATION),
            "renewTime": now,
            "leaseTransitions": epoch,
        }
        return spec if renew else {**spec, "acquireTime": now}
