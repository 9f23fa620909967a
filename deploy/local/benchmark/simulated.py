"""Stoker on the simulator, an instant cloud: all the time there is, and all the calls, are Stoker's own."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass

from benchmark import counters
from benchmark.cloud import SimulatedCloud
from benchmark.cluster import Admin, admin, shown, tenants, until, vm
from benchmark.figures import Column
from benchmark.operator_process import Operator
from localenv.process import say
from localenv.settings import LocalSettings

SINGLES = 20
"""How often one VM by itself is made: of so many, the nineteenth is the 95th percentile."""


LISTED = "stoker_openstack_request_seconds_count", 'operation="list"'
"""The metric, and its label, that show that the operator works."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a run has."""

    admin: Admin
    cloud: SimulatedCloud
    operator: Operator
    project: str
    namespace: str


async def bursts(settings: LocalSettings, counts: list[int], rest: float) -> list[Column]:
    """Create and delete so many VMs at once, for each of the counts; after the last is Active, look at the rest.

    `rest` is how long, in seconds; 0 leaves it out.
    """
    columns = []
    with SimulatedCloud() as cloud:
        namespace = f"bench-{uuid.uuid4().hex[:6]}"
        account = cloud.ask("POST", "/projects", name=namespace)
        async with admin(settings) as client, tenants(client, cloud.auth_url, {namespace: account}):
            with Operator(settings) as operator:
                bench = Bench(client, cloud, operator, account["project_id"], namespace)
                await until(lambda: leads(operator), "the operator to lead")
                for count in counts:
                    singles = await one_by_one(bench) if count == 1 else {}
                    figures = await burst(bench, count, rest if count == counts[-1] else 0.0)
                    columns.append(Column(f"simulator, {count:,}", figures | singles))
    return columns


async def leads(operator: Operator) -> bool:
    """Tell whether the operator holds the Lease and has listed a project."""
    return operator.pid > 0 and operator.metric(*LISTED) > 0


async def one_by_one(bench: Bench) -> dict[str, float]:
    """Make VMs one after another; the time of each is what Stoker adds to Heat's own."""
    took = []
    for turn in range(SINGLES):
        name = f"single-{turn}"
        started = time.monotonic()
        await bench.admin.create([vm(bench.namespace, name)])
        ended = await until(lambda: nothing(bench, "status.phase!=Active"), f"{name} to be Active", pause=0.02)
        took.append(ended - started)
        await bench.admin.delete(bench.namespace, [name])
        await until(lambda: nothing(bench), f"{name} to be gone")
    return {"added": sorted(took)[len(took) * 19 // 20 - 1]}


async def burst(bench: Bench, count: int, rest: float) -> dict[str, float]:
    """Create so many VMs at once, wait for rest, delete them; return the figures."""
    names = [f"vm-{count}-{n}" for n in range(count)]
    writes, begun = bench.admin.writes(), bench.cloud.begun(bench.project)
    used = counters.processor_seconds(bench.operator.pid)
    bench.cloud.forget()

    started = time.monotonic()
    await bench.admin.create(vm(bench.namespace, name) for name in names)
    applied = time.monotonic()
    sent = await until(lambda: sent_all(bench, count), "every create to be sent")
    active = await until(lambda: nothing(bench, "status.phase!=Active"), "every VM to be Active")
    calls = bench.cloud.calls()
    say(f"{count} VMs: Active after {active - started:.1f} s; calls per VM: {shown(counters.shapes(calls), count)}")
    found = await at_rest(bench, rest) if rest else {}
    memory = counters.memory(bench.operator.pid)

    going = time.monotonic()
    await bench.admin.delete(bench.namespace, names)
    gone = await until(lambda: nothing(bench), "every VM to be gone")
    spent = bench.admin.writes() - writes
    say(f"{count} VMs: gone after {gone - going:.1f} s; writes per VM: {shown(spent, count)}")
    return found | {
        "applied": applied - started,
        "sent": max(sent - applied, 0.0),
        "active": active - started,
        "gone": gone - going,
        "begun": (bench.cloud.begun(bench.project) - begun) / count,
        "calls": counters.kinds(calls)["vm"] / count,
        "writes": counters.ours(spent) / count,
        "events": spent["POST events"] / count,
        "cpu": 1000 * (counters.processor_seconds(bench.operator.pid) - used) / count,
        "memory": memory,
    }


async def at_rest(bench: Bench, seconds: float) -> dict[str, float]:
    """Look for a while at what is spent when nothing moves."""
    say(f"looking at the rest for {seconds:.0f} s")
    await asyncio.sleep(5)  # the poller's last quick round
    bench.cloud.forget()
    writes = bench.admin.writes()
    await asyncio.sleep(seconds)
    calls = bench.cloud.calls()
    kinds, minutes = counters.kinds(calls), seconds / 60
    say(f"at rest: {shown(counters.shapes(calls), 1)}")
    return {
        "rest_calls": (kinds["project"] + kinds["vm"]) / minutes,
        "rest_more": (kinds["token"] + kinds["page"]) / minutes,
        "rest_writes": counters.ours(bench.admin.writes() - writes) / minutes,
    }


async def sent_all(bench: Bench, count: int) -> bool:
    return bench.cloud.creates() >= count


async def nothing(bench: Bench, selector: str = "") -> bool:
    """Tell whether the namespace has no VM of that field selector."""
    return not await bench.admin.any(bench.namespace, selector)
