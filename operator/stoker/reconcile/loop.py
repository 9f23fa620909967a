"""The whole operator on one page: gather, decide, perform, report.

A pass gathers one VM's world, asks the core what to do, does that one thing, and looks again. Everything that matters
was decided by the core; everything here is a call.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from stoker import metrics
from stoker.api.base import what_is_wrong
from stoker.api.operation import OperationType
from stoker.api.virtualmachine import VirtualMachine
from stoker.audit.writer import AuditError
from stoker.core.actions import Claim, Nothing, Release
from stoker.core.catalog import Catalog
from stoker.core.common import call_failed
from stoker.core.decide import decide
from stoker.core.decision import Decision, Reason
from stoker.core.findings import need_of
from stoker.core.status import derive, passes_soon
from stoker.core.waiting import soon_over
from stoker.core.world import World
from stoker.kube.client import KubeError
from stoker.kube.events import Events
from stoker.kube.lease import LeaseLostError
from stoker.kube.objects import Objects
from stoker.openstack.base import CloudError
from stoker.reconcile.browsing import Browser
from stoker.reconcile.effects import Effects
from stoker.reconcile.gather import Gatherer
from stoker.reconcile.memory import VmCache, VmMemory
from stoker.reconcile.queue import Key, Priority, WorkQueue
from stoker.reconcile.tenants import TenantRuntime
from stoker.reconcile.turns import held_back

log = logging.getLogger(__name__)

PASSES = 8
"""Passes in one go; a VM that wants more waits its turn again."""

FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0
"""Back-off after an unexpected error, seconds."""

NOT_UNDERSTOOD = "the object does not fit this version's schema, and is left alone"

ACTS = {
    Reason.DUPLICATE_STACKS,
    Reason.RETAINED,
    Reason.ABANDONED,
    Reason.CLEANING_UP,
    Reason.UPDATING,
    Reason.REPAIRING,
    Reason.STUCK,
}
"""Reasons of actions that a person would want to know of; others are told when the status says them."""


class Reconciler:
    """Runs passes for the keys of the queue. `may_act` raises when the lease no longer allows a write."""

    def __init__(
        self, cache: VmCache, queue: WorkQueue, gatherer: Gatherer, effects: Effects, objects: Objects, events: Events,
        may_act: Callable[[], None],
    ) -> None:  # fmt: skip
        self._cache, self._queue, self._gatherer = cache, queue, gatherer
        self._effects, self._objects, self._events, self._may_act = effects, objects, events, may_act

    async def work(self) -> None:
        """Take keys and run them, for ever. One poisoned VM never stops the others."""
        while True:
            key = await self._queue.get()
            started = time.monotonic()
            try:
                await self.run(key)
            except LeaseLostError:
                raise
            except Exception:  # noqa: BLE001 -- the one place: a poisoned VM must not stop the others
                self._postpone(key)
            finally:
                metrics.PASSES.observe(time.monotonic() - started)
                self._queue.done(key)

    def _postpone(self, key: Key) -> None:
        metrics.ERRORS.inc()
        memory = self._cache.memories.get(key)
        failures = memory.failures if memory else 0
        log.exception(  # noqa: LOG004 -- called by the handler in `work`
            "pass failed", extra={"vm": "/".join(key), "failures": failures + 1}
        )
        if memory:
            memory.failures += 1
        self._queue.add_after(key, min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(failures, 9)))

    async def run(self, key: Key) -> None:
        """Run passes for one VM until there is nothing to do now."""
        for _ in range(PASSES):
            try:
                vm = self._cache.get(key)
            except ValidationError as error:
                await self._leave_alone(key, what_is_wrong(error))
                return
            if vm is None:
                return
            memory = self._cache.memory(vm)
            try:
                if await self._pass(key, vm, memory):
                    return
            except KubeError as error:
                self._conflict(key, memory, error)
                return
        self._queue.add(key, Priority.LISTING)

    async def _pass(self, key: Key, vm: VirtualMachine, memory: VmMemory) -> bool:
        """Gather, decide, perform, report; True when there is nothing more to do now."""
        world, runtime = await self._gatherer.gather(vm, memory)
        decision = decide(world)
        decision = held_back(world, decision, memory, runtime) or decision
        _tell(world, decision)
        if runtime:
            _ask_the_catalog(world, decision, runtime.browser)
        try:
            await self._effects.perform(world, decision, memory, runtime)
            memory.failures = 0
        except (CloudError, AuditError) as error:
            memory.failures += 1
            decision = call_failed(world, error.fault, memory.failures)
        if isinstance(decision.action, Nothing):
            await self._report(world, decision)
        else:
            if decision.reason in ACTS or decision.fault:
                await self._events.tell(vm, decision)
            if not isinstance(decision.action, Release):
                return False
        self._wait(key, world, decision, runtime)
        return True

    async def _leave_alone(self, key: Key, error: str) -> None:
        log.error(NOT_UNDERSTOOD, extra={"object": f"virtualmachines/{'/'.join(key)}", "error": error})
        await self._events.not_understood(self._cache.objects[key]["metadata"], f"{NOT_UNDERSTOOD}: {error}")

    def _conflict(self, key: Key, memory: VmMemory, error: KubeError) -> None:
        """After a refused write nothing cached about operations is trusted; look again shortly.

        What is gone may be an operation that somebody removed; of a VM that is gone the next pass finds nothing.
        """
        memory.operations, memory.held = None, None
        if error.status not in (404, 409):
            log.warning("write refused", extra={"vm": "/".join(key), "error": str(error)})
        memory.failures += 1
        pause = min(LONGEST_RETRY, 0.2 * 2.0 ** min(memory.failures, 11))
        self._queue.add_after(key, max(pause, error.retry_after))

    async def _report(self, world: World, decision: Decision) -> None:
        """Write the status and say what changed, unless it will have passed in a second."""
        if passes_soon(decision) or soon_over(decision):
            return
        vm = world.vm
        stored = self._cache.objects[vm.metadata.namespace, vm.metadata.name].get("status") or {}
        self._may_act()  # what a process knew before it slept through its lease must not replace what the next one found
        written = await self._objects.report(vm, stored, derive(world, decision))
        if written is None:
            return
        metrics.observe_write("status")
        _first_active(world, written)
        self._cache.store(written)
        await self._events.tell(vm, decision)

    def _wait(self, key: Key, world: World, decision: Decision, runtime: TenantRuntime | None) -> None:
        if runtime:
            runtime.move(world.identity.id, moving=decision.moving)
            runtime.watch.await_look(world.identity.id, awaited=decision.watching)
        if decision.requeue_after is not None:
            self._queue.add_after(key, max(decision.requeue_after, 0.05))


def _ask_the_catalog(world: World, decision: Decision, browser: Browser) -> None:
    """Ask for what is to be read; a create that is claimed takes its part of the room before another VM is looked at."""
    browser.want(decision.wants, world.identity.id)
    match decision.action:
        case Claim(spec=spec) if spec.type is OperationType.CREATE:
            need = need_of(world.vm.spec, browser.catalog or Catalog())
            browser.promises.make(world.identity.id, need, world.clock)


def _first_active(world: World, written: dict[str, Any]) -> None:
    """Record how long the VM took, when this status is the first that says Active."""
    made, status = world.vm.metadata.creation_timestamp, written.get("status") or {}
    if made and status.get("activeAt") and world.vm.status.active_at is None:
        template = (status.get("stack") or {}).get("templateVersion") or ""
        metrics.observe_active((world.now - made).total_seconds(), template)


def _tell(world: World, decision: Decision) -> None:
    """Log a decision: what changes something at info, the rest at debug."""
    metrics.observe_decision(decision)
    level = logging.DEBUG if isinstance(decision.action, Nothing) else logging.INFO
    log.log(
        level,
        decision.message,
        extra={
            "vm": f"{world.vm.metadata.namespace}/{world.vm.metadata.name}",
            "action": type(decision.action).__name__,
            "reason": decision.reason.value,
        },
    )
