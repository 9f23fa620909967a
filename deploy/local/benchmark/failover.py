"""Two processes, of which the one that leads ends: how long until the other holds the Lease, and acts.

The Lease has the times that every installation has, and the cloud answers at once.
"""

from __future__ import annotations

import asyncio
import signal
import time
import uuid
from dataclasses import dataclass

import onboard
from benchmark.cloud import SimulatedCloud
from benchmark.cluster import Admin, admin, tenants, until, vm
from benchmark.figures import Column
from benchmark.operator_process import Operator
from benchmark.simulated import leads
from localenv.process import say
from localenv.settings import LocalSettings
from stoker.settings import Settings

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{onboard.NAMESPACE}/leases/{Settings().lease_name}"

ENDS = {"killed": signal.SIGKILL, "stopped": signal.SIGTERM}
"""How the leader ends."""

PAUSE = 0.02
"""Between two looks, seconds: as exact as the figures are."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two operators, and what they work for."""

    admin: Admin
    cloud: SimulatedCloud
    operators: tuple[Operator, Operator]
    namespace: str


async def rounds(settings: LocalSettings, count: int) -> list[Column]:
    """End the leader so many times in each way, and return the times of each round."""
    columns = []
    namespace = f"bench-{uuid.uuid4().hex[:6]}"
    with SimulatedCloud() as cloud, Operator(settings, "bench-a") as one, Operator(settings, "bench-b") as other:
        account = cloud.ask("POST", "/projects", name=namespace)
        async with admin(settings) as client, tenants(client, cloud.auth_url, {namespace: account}):
            pair = Pair(client, cloud, (one, other), namespace)
            for turn in range(1, count + 1):
                figures: dict[str, float] = {}
                for how, number in ENDS.items():
                    figures |= await _failover(pair, f"{how}-{turn}", how, number)
                columns.append(Column(f"failover {turn}", figures))
            await client.delete(namespace, [found["metadata"]["name"] for found in await client.all(namespace)])
            await until(lambda: _empty(pair), "every VM to be gone")
    return columns


async def _failover(pair: Pair, name: str, how: str, number: signal.Signals) -> dict[str, float]:
    """End the leader, apply a VM, and return when the other held the Lease and when it asked for the stack."""
    leader, standby = await _both_ready(pair)
    pair.cloud.forget()
    started = time.monotonic()
    leader.signal(number)
    await pair.admin.create([vm(pair.namespace, name)])
    held, sent = await asyncio.gather(
        until(lambda: _holds(pair, standby), "the other to hold the Lease", PAUSE),
        until(lambda: _sent(pair), "its first create", PAUSE),
    )
    say(f"{how}: the other held the Lease after {held - started:.2f} s, and asked after {sent - started:.2f} s")
    return {f"{how}_lease": held - started, f"{how}_effect": sent - started}


async def _both_ready(pair: Pair) -> tuple[Operator, Operator]:
    """Start the one that was ended again; return the one that leads and works, and the one that waits."""
    for operator in pair.operators:
        await until(lambda operator=operator: _runs(operator), "both to run")  # type: ignore[misc]
    leader, standby = sorted(pair.operators, key=lambda operator: operator.ready() != "leading")
    await until(lambda: leads(leader), "the leader to work")
    return leader, standby


async def _runs(operator: Operator) -> bool:
    """Tell whether it waits or leads; one that ended meanwhile is started again."""
    if not operator.alive:
        operator.start()
    return bool(operator.ready())


async def _holds(pair: Pair, operator: Operator) -> bool:
    holder = (await pair.admin.kube.get(LEASE))["spec"].get("holderIdentity") or ""
    return str(holder).partition("_")[0] == operator.identity


async def _sent(pair: Pair) -> bool:
    return pair.cloud.creates() > 0


async def _empty(pair: Pair) -> bool:
    return not await pair.admin.any(pair.namespace)
