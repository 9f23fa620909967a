"""The census: what the metrics count from the objects, from what is in memory; no request is made for it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from stoker import metrics
from stoker.api.conditions import ConditionType
from stoker.api.errors import ErrorCode
from stoker.api.tenant import Tenant
from stoker.api.virtualmachine import Phase
from stoker.core.admission import tenant_of
from stoker.core.decision import Reason
from stoker.core.faults import POLICIES, Fault
from stoker.metrics.bounds import OTHER
from stoker.metrics.census import Census, Usage
from stoker.reconcile.directory import Directory
from stoker.reconcile.memory import VmCache
from stoker.reconcile.queue import WorkQueue
from stoker.reconcile.tenants import TenantRuntime

PAUSE = 15.0
"""Between two, seconds; the backlog's pause is a third of it. Ten thousand VMs take some 20 ms of the event loop (measured)."""

PHASES, REASONS = frozenset(Phase), frozenset({*map(str, Reason), *map(str, POLICIES)})
"""Closed sets: what another version wrote into a status is shown as one word."""


def take(
    vms: Iterable[Mapping[str, Any]], known: Mapping[str, Tenant], runtimes: Mapping[str, TenantRuntime]
) -> tuple[Census, tuple[Usage, ...]]:
    """Return the census of those VMs, as stored, and what uses servers now."""
    tenants: dict[str, str] = {}
    counted: dict[str, Counter[tuple[str, ...]]] = {
        part: Counter() for part in ("vms", "not_ready", "stuck", "drifted", "duplicates", "usage")
    }
    for vm in vms:
        namespace = vm["metadata"]["namespace"]
        if namespace not in tenants:
            found = tenant_of(namespace, known.values())
            tenants[namespace] = "" if isinstance(found, Fault) else found.metadata.name
        _count(vm, tenants[namespace], counted)
    for runtime in runtimes.values():
        doubles = sum(len(stacks) > 1 for stacks in runtime.snapshot.by_vm.values()) if runtime.snapshot else 0
        counted["duplicates"][runtime.tenant.metadata.name,] += doubles
    usage = tuple(Usage(*group, vms=count) for group, count in counted.pop("usage").items())  # type: ignore[misc,arg-type]
    for name in known:
        for part in ("stuck", "drifted", "duplicates"):
            counted[part][name,] += 0  # a series that is there before its first trouble can be watched
    return Census(**counted, **_of_tenants(known, runtimes), breakers=_breakers(runtimes.values())), usage


def _count(vm: Mapping[str, Any], tenant: str, counted: Mapping[str, Counter[tuple[str, ...]]]) -> None:
    spec, status = vm.get("spec") or {}, vm.get("status") or {}
    phase = status.get("phase") or Phase.REQUESTED.value
    counted["vms"][tenant, phase if phase in PHASES else OTHER] += 1
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    ready = conditions.get(ConditionType.READY.value) or {}
    if ready.get("status") != "True":
        reason = ready.get("reason") or ""
        counted["not_ready"][tenant, reason if not reason or reason in REASONS else OTHER] += 1
        counted["stuck"][tenant,] += reason == Reason.STUCK
        counted["duplicates"][tenant,] += reason == ErrorCode.DUPLICATE_IDENTITY
    drifted = conditions.get(ConditionType.DRIFTED.value) or {}
    counted["drifted"][tenant,] += drifted.get("status") == "True"
    if status.get("serverID"):
        counted["usage"][tenant, spec.get("plan") or "", spec.get("flavor") or ""] += 1


def _of_tenants(
    known: Mapping[str, Tenant], runtimes: Mapping[str, TenantRuntime]
) -> dict[str, dict[tuple[str, ...], float]]:
    """Return what Tenants say of themselves: another process that leads shows it at once."""
    said = {name: tenant.status for name, tenant in known.items()}
    ends = {name: status.credentials_expire_at for name, status in said.items()}
    return {
        "orphans": {(name,): status.orphan_count or 0 for name, status in said.items()},
        "brakes": {(name,): float(status.orphan_brake is not None) for name, status in said.items()},
        "expiries": {(name,): end.timestamp() for name, end in ends.items() if end},
        "connected": {(name,): float(_connected(runtimes.get(name))) for name in said},
    }


def _connected(runtime: TenantRuntime | None) -> bool:
    return runtime is not None and runtime.project is not None and runtime.fault is None


def _breakers(runtimes: Iterable[TenantRuntime]) -> dict[tuple[str, ...], float]:
    return {(runtime.cloud.name,): float(runtime.cloud.suspended is not None) for runtime in runtimes}


async def keep(cache: VmCache, queue: WorkQueue, directory: Directory) -> None:
    """Take one now and then, for ever, and set the queue's metrics more often."""
    taken, due = time.monotonic(), 0.0
    while True:
        metrics.BACKLOG.set(queue.depth)
        metrics.BACKLOG_AGE.set(queue.oldest_seconds)
        now = time.monotonic()
        if now >= due:
            metrics.CENSUS.newest, usage = take(cache.objects.values(), directory.tenants, directory.runtimes)
            metrics.observe_usage(usage, now - taken)
            taken, due = now, now + PAUSE
        await asyncio.sleep(PAUSE / 3)
