"""The catalog service: keeps what a tenant's cloud offers, read at connect, rarely after that, and when a VM asks.

A part that cannot be read is not known, and stops nothing. What VMs that are being made will take is promised to them
here, until the cloud's own numbers have it: else all that wait for room would be let in when a little is made.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from stoker.api.template import VirtualMachineTemplate
from stoker.api.tenant import Tenant
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.catalog import Catalog, Part
from stoker.core.faults import Fault
from stoker.core.findings import LIMITS, Findings, Wish, examine
from stoker.openstack.base import CloudError, Project
from stoker.reconcile.memory import Asked

log = logging.getLogger(__name__)

REST = 900.0
"""Pause between two reads of a part that nobody asks for, seconds."""

RETRY = 60.0
"""Pause after a read that failed, seconds; doubled each time, up to REST."""

PACE = 10.0
"""Shortest pause between two reads of a part, seconds, whoever asks."""

AT_ONCE = 3
"""Reads at a time: the tenant's other threads are for its VMs."""

SETTLING = 30.0
"""How long the cloud's numbers may lack what was begun, seconds."""

Read = Callable[[str, Callable[[Project], Any]], Awaitable[Any]]
"""`TenantRuntime.call`."""


class Browser:
    """Keeps one tenant's catalog."""

    def __init__(self, tenant: str, read: Read, wake: Callable[[str], None]) -> None:
        self._tenant, self._read, self._wake = tenant, read, wake
        self.catalog: Catalog | None = None
        self.promises = Promises()
        self._project, self._since = "", 0.0
        self._due = dict.fromkeys(Part, 0.0)
        self._failures: Counter[Part] = Counter()
        self._last = dict.fromkeys(Part, float("-inf"))
        self._waiting: dict[Part, set[str]] = {part: set() for part in Part}
        self._nudge = asyncio.Event()

    def want(self, parts: Iterable[Part], vm_id: str) -> None:
        """Read parts soon, and wake the VM then."""
        for part in parts:
            self._waiting[part].add(vm_id)
            self._due[part] = min(self._due[part], self._last[part] + PACE)
            self._nudge.set()

    def tried(self, part: Part) -> bool:
        """Tell whether a part was read, or could not be."""
        return self.catalog is not None and part in self.catalog.read

    def findings(
        self, vm: VirtualMachine, vm_id: str, tenant: Tenant, template: VirtualMachineTemplate | Fault, asked: Asked
    ) -> Findings:
        """Return what the catalog and the Tenant's grants have against a VM."""
        found = None if isinstance(template, Fault) else template
        wish = Wish(
            spec=vm.spec,
            tenant=tenant.metadata.name,
            grants=tenant.spec,
            template=found.reference if found else "",
            text=found.spec.template if found else "",
            creates=asked.creates,
            promised=self.promises.besides(vm_id),
            since=max(asked.since, self._since),
            clock=time.monotonic(),
        )
        return examine(wish, self.catalog or Catalog())

    def renew(self, project: str) -> None:
        """Read everything anew: the connection is a new one, and what was read with another refuses nobody."""
        if project != self._project:
            self.catalog, self.promises = None, Promises()
        elif self.catalog:
            self.catalog = self.catalog.tried()
        self._project, self._since = project, time.monotonic()
        self._due = dict.fromkeys(Part, 0.0)
        self._nudge.set()

    async def browse_for_ever(self) -> None:
        """Read what is due, for ever."""
        limit = asyncio.Semaphore(AT_ONCE)
        while True:
            self._nudge.clear()
            now = time.monotonic()
            await asyncio.gather(*(self._one(part, limit) for part in Part if self._due[part] <= now))
            with suppress(TimeoutError):
                # Not wait_for: a cancellation that meets the nudge would be lost (CPython 3.11).
                async with asyncio.timeout(max(min(self._due.values()) - time.monotonic(), 0.05)):
                    await self._nudge.wait()

    async def _one(self, part: Part, limit: asyncio.Semaphore) -> None:
        async with limit:
            began = self._last[part] = time.monotonic()
            self._due[part] = began + REST * random.uniform(0.9, 1.1)  # noqa: S311 -- spreads the tenants
            waiting, self._waiting[part] = self._waiting[part], set()
            try:
                content = await self._read(f"catalog-{part.value}", lambda project: project.browse(part))
            except CloudError as error:
                self._failed(part, error)
            else:
                self._failures[part] = 0
                self.catalog = (self.catalog or Catalog()).with_part(part, content, began)
                if part in LIMITS:
                    self.promises.forget(began - SETTLING)
        for vm_id in waiting:
            self._wake(vm_id)

    def _failed(self, part: Part, error: CloudError) -> None:
        known = self.catalog or Catalog()
        if known.knows(part) or part not in known.read:
            said = {"tenant": self._tenant, "part": part.value, "error": error.fault.sentence}
            log.warning("a part of the catalog is not known", extra=said)
        pause = min(REST, RETRY * 2.0 ** min(self._failures[part], 8))
        self._due[part] = min(self._due[part], time.monotonic() + pause)
        self._failures[part] += 1
        self.catalog = known.without(part)


class Promises:
    """What VMs that are being made will take, by VM, in the order of promising."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[float, Mapping[str, int]]] = {}
        self._total: Counter[str] = Counter()

    def make(self, vm_id: str, need: Mapping[str, int], now: float) -> None:
        """Promise what a VM needs, once."""
        self._drop(vm_id)
        self._made[vm_id] = (now, need)
        self._total.update(need)

    def besides(self, vm_id: str) -> dict[str, int]:
        """Return what is promised to others."""
        mine = self._made[vm_id][1] if vm_id in self._made else {}
        return {what: amount - mine.get(what, 0) for what, amount in self._total.items()}

    def forget(self, before: float) -> None:
        """Forget what was promised before a moment: the cloud's numbers have it, or it came to nothing."""
        for vm_id in [vm_id for vm_id, (when, _) in self._made.items() if when < before]:
            self._drop(vm_id)

    def _drop(self, vm_id: str) -> None:
        if vm_id in self._made:
            self._total.subtract(self._made.pop(vm_id)[1])
