"""Tenants at run time: the project behind each, its poller, and what its newest listing showed.

Observation is per project, not per VM: one listing feeds all of a tenant's VMs, about once a second while something
moves and every 45 s at rest.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from stoker import metrics
from stoker.api.errors import ErrorCode
from stoker.api.ratelimit import TENANT_LIMIT
from stoker.api.tenant import Tenant
from stoker.core.catalog import Catalog
from stoker.core.faults import Fault
from stoker.core.identity import cluster_tags
from stoker.core.limits import TenantLimits
from stoker.core.pace import pause_after
from stoker.core.server import Servers
from stoker.core.stack import Listing, Unknown
from stoker.core.tenancy import Preflight, Verdict, trusts_after
from stoker.openstack.base import CloudError, Project
from stoker.reconcile.browsing import Browser
from stoker.reconcile.calls import foreseen, is_stopping
from stoker.reconcile.clouds import CloudRuntime
from stoker.reconcile.places import Places
from stoker.reconcile.server_watch import ServerWatch
from stoker.reconcile.snapshot import Snapshot
from stoker.reconcile.trail import Said

log = logging.getLogger(__name__)

STALE = 120.0
"""Age from which a listing is no longer believed, seconds: after it, Ready is Unknown rather than old."""

Result = TypeVar("Result")


@dataclass(slots=True)
class Attempt:
    """The newest try to connect."""

    basis: tuple[Any, ...] = ()
    """What it was made from: a change means another at once."""

    failures: int = 0
    fault: Fault | None = None
    due: float = 0.0
    """Monotonic seconds when another is due, after a failure."""


async def _no_renewal(_project: Project, _fault: Fault) -> None:
    """Nobody renews a runtime that no directory keeps."""


@dataclass(slots=True)
class TenantRuntime:
    """One tenant while this process leads."""

    tenant: Tenant
    cluster: str
    poll_seconds: float
    rest_seconds: float
    threads: ThreadPoolExecutor
    """This tenant's own: a slow cloud uses up its own threads and nobody else's."""

    may_act: Callable[[], None]
    """Raises when the lease no longer allows an effect."""

    wake: Callable[[str], None]
    """Wakes the VM with that id."""

    wake_all: Callable[[str], None]
    """Wakes all VMs of the tenant of that name."""

    project: Project | None = None
    fault: Fault | None = None
    """Why the tenant cannot be used: its credentials were refused. No call is made until they are renewed."""

    attempt: Attempt = field(default_factory=Attempt)
    preflight: Preflight | None = None
    """What the newest look at the tenant showed; None before one with the present credentials."""

    preflight_due: float = 0.0
    clock_ahead: float = 0.0
    """How far Keystone's clock is ahead of ours, seconds."""

    connection: str = ""
    """Fingerprint of what the project was connected with; empty before."""

    trusts: Verdict | None = None
    """What creates by this connection told of trusts."""

    cloud: CloudRuntime = field(default_factory=CloudRuntime)
    places: Places = field(default_factory=Places)
    limits: TenantLimits = field(default_factory=lambda: TenantLimits.of(TENANT_LIMIT))
    renew: Callable[[Project, Fault], Awaitable[None]] = _no_renewal
    """Looks at the Secret again, since OpenStack refused the credentials that this project has."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the tenant is connected."""

    snapshot: Snapshot | None = None
    poll_fault: Fault | None = None
    watch: ServerWatch = field(init=False)
    """Lists the project's servers."""

    browser: Browser = field(init=False)
    """Reads what the project can use."""

    moving: set[str] = field(default_factory=set)
    """Ids of VMs with something under way."""

    _ended: bool = False
    _nudge: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: tuple[asyncio.Task[None], ...] = ()

    def __post_init__(self) -> None:
        self.watch = ServerWatch(self)
        self.browser = Browser(self.tenant.metadata.name, self.call, self.wake)

    @property
    def catalog(self) -> Catalog | None:
        """What the project can use; None before anything of it was read."""
        return self.browser.catalog

    @property
    def servers(self) -> Servers | None:
        """The newest listing of the project's servers."""
        return self.watch.servers

    def start(self) -> None:
        name = self.tenant.metadata.name
        self._tasks = (
            asyncio.create_task(self._poll_for_ever(), name=f"poll-{name}"),
            asyncio.create_task(self.watch.run(), name=f"servers-{name}"),
            asyncio.create_task(self.browser.browse_for_ever(), name=f"catalog-{name}"),
        )

    async def stop(self) -> None:
        """End its tasks and threads. A call under way ends as it would; one that waits for a thread is never sent."""
        self._ended = True
        self.places.let_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.project:
            self.project.close()
        self.threads.shutdown(wait=False, cancel_futures=True)

    def nudge(self) -> None:
        """Have the poller look at once."""
        self._nudge.set()

    def move(self, vm_id: str, *, moving: bool) -> None:
        """Note whether something is under way for a VM; the poller speeds up and each listing wakes it."""
        if not moving:
            self.moving.discard(vm_id)
        elif vm_id not in self.moving:
            self.moving.add(vm_id)
            self._nudge.set()

    def forget(self, is_here: Callable[[str], bool]) -> None:
        """Forget the VMs that are not the tenant's, or not at all: no pass of theirs says that nothing moves any more."""
        for vm_id in [one for one in {*self.moving, *self.watch.known} if not is_here(one)]:
            self.moving.discard(vm_id)
            self.watch.forget(vm_id)

    def view(self, vm_id: str) -> Listing | Unknown | None:
        """Return the VM's part of the newest listing, or why there is none to believe; None before the first ended."""
        if self.fault:
            return Unknown(self.fault)
        snapshot = self.snapshot
        if snapshot and time.monotonic() - snapshot.listing.as_of < STALE:
            return Listing(snapshot.listing.as_of, snapshot.by_vm.get(vm_id, ()))
        if self.poll_fault or snapshot:
            return Unknown(self.poll_fault or Fault(ErrorCode.CLOUD_UNAVAILABLE, "the last listing is too old"))
        return None

    async def call(self, name: str, function: Callable[[Project], Result], *, effect: Said | None = None) -> Result:
        """Run a blocking call on the project; a refusal of the credentials has the Secret read, and the call repeated.

        That is safe for every call: what is refused for its credentials has done nothing. Without other credentials the
        tenant is stopped, so that one refusal does not become thousands.
        """
        project = self.project
        if project is None or self.fault:
            raise CloudError(self.fault or Fault(ErrorCode.TENANT_NOT_READY, "the tenant is not connected"))
        try:
            return await self.run(name, project, function, effect=effect)
        except CloudError as error:
            if error.fault.code is not ErrorCode.UNAUTHORIZED:
                raise
            await self.renew(project, error.fault)
            renewed = self.project
            if renewed is None or renewed is project or self.fault:
                raise
        return await self.run(name, renewed, function, effect=effect)

    async def run(
        self, name: str, project: Project, function: Callable[[Project], Result], *, effect: Said | None = None
    ) -> Result:
        """Run a blocking call in a thread: bounded in number, timed, and only while the cloud is called at all.

        What changes something is an effect: it runs only while we may act, and only `Trail.around` gives what it takes.
        """
        async with self.places.one(name, self.cloud.limit) as place:

            def run() -> Result:
                if effect is not None:
                    self.may_act()  # here, since waiting for a place or a thread may have outlasted the lease
                place.began = time.monotonic()
                return foreseen(name, function, project)

            return await self._run(name, run)

    async def _run(self, name: str, run: Callable[[], Result]) -> Result:
        if self._ended:
            raise self._gone()
        trial, started, code = self.cloud.enter(), time.monotonic(), "ok"
        try:
            result = await asyncio.get_running_loop().run_in_executor(self.threads, run)
        except CloudError as error:
            code = error.fault.code.value
            self.cloud.failed(self.tenant.metadata.name, error.fault, trial=trial)
            self._learn(name, error.fault)
            raise
        except BaseException as error:
            self.cloud.unsure()
            if self._ended and isinstance(error, asyncio.CancelledError) and not is_stopping():
                raise self._gone() from None  # its threads' end cancelled it, and nobody its caller
            raise
        else:
            self.cloud.answered()
            self._learn(name, None)
            return result
        finally:
            metrics.observe_call(name, code, time.monotonic() - started)

    def _gone(self) -> CloudError:
        return CloudError(Fault(ErrorCode.TENANT_NOT_READY, f"the Tenant {self.tenant.metadata.name} is gone"))

    def _learn(self, name: str, fault: Fault | None) -> None:
        """Remember what a create tells of trusts: nothing else does."""
        told = trusts_after(fault) if name == "create" else None
        if told is None:
            return
        before, self.trusts = self.trusts, told
        if before is None or before.reason != told.reason:
            self.cloud.changed()

    async def _poll_for_ever(self) -> None:
        while True:
            spent = await self.poll()
            self._nudge.clear()
            suspended = self.cloud.wait
            if self.moving and not suspended and not self.fault:
                await asyncio.sleep(pause_after(spent, least=self.poll_seconds, most=self.rest_seconds))
                continue
            pause = max(suspended, 0.1) if suspended else self.rest_seconds * random.uniform(0.9, 1.1)  # noqa: S311
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudge.wait(), pause)

    async def poll(self) -> float:
        """List the project once, wake whom it concerns, and return the seconds it took."""
        name, started = self.tenant.metadata.name, time.monotonic()
        try:
            listing = await self.call("list", lambda project: project.heat.list(cluster_tags(self.cluster)))
        except CloudError as error:
            if self.poll_fault is None or self.poll_fault.code is not error.fault.code:
                log.warning("listing failed", extra={"tenant": name, "error": error.fault.sentence})
            was_known = isinstance(self.view(""), Listing)
            self.poll_fault = error.fault
            if self.snapshot is None or (was_known and not isinstance(self.view(""), Listing)):
                self.wake_all(name)
            return time.monotonic() - started
        self.observe(listing)
        return time.monotonic() - started

    def observe(self, listing: Listing) -> None:
        """Take a complete listing for the newest, unless a newer one is known, and wake whom it concerns."""
        if self.snapshot and self.snapshot.listing.as_of > listing.as_of:
            return
        before, self.snapshot, self.poll_fault = self.snapshot, Snapshot.of(listing), None
        old = before.by_vm if before else {}
        changed = {vm_id for vm_id in {*old, *self.snapshot.by_vm} if old.get(vm_id) != self.snapshot.by_vm.get(vm_id)}
        if before is None:
            self.wake_all(self.tenant.metadata.name)
        for vm_id in changed | self.moving:
            self.wake(vm_id)
