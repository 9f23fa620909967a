"""Holding a call back: the rate limits of user, tenant and cloud, and the cloud's breaker.

A VM whose call has to wait gives its worker back and comes again when its turn does, so nobody else waits with it.
Listings are not held back by rates: they have a pace of their own, whatever the number of VMs.
"""

from __future__ import annotations

import time

from stoker import metrics
from stoker.core.decision import Decision
from stoker.core.recorded import requester
from stoker.core.waiting import LOCAL, suspended, throttled
from stoker.core.world import World
from stoker.reconcile.memory import VmMemory
from stoker.reconcile.tenants import TenantRuntime


def held_back(world: World, decision: Decision, memory: VmMemory, runtime: TenantRuntime | None) -> Decision | None:
    """Return what the VM says and when to come again, or None when the decision's action may be performed."""
    if runtime is None or isinstance(decision.action, LOCAL):
        return None
    if fault := runtime.cloud.suspended:
        return suspended(world, decision, fault, max(runtime.cloud.wait, 1.0))
    now, begins = time.monotonic(), memory.turn is None
    turn = memory.turn = memory.turn or runtime.limits.turn(requester(world.vm), runtime.cloud.bucket, now)
    wait = turn.wait(now)
    if wait > 0:
        if begins:
            metrics.observe_throttled(turn.scope)
        return throttled(decision, wait, turn.scope)
    memory.turn = None
    return None
