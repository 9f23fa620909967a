"""A restart over many settled VMs.

To have ten thousand within a minute, one VM of each project is made by Stoker, and copied: its object with its status
to the API server, its stack in the simulator, with an identity and tags of its own, which prove whose it is.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from benchmark import counters
from benchmark.cloud import SimulatedCloud
from benchmark.cluster import VMS, Admin, admin, at_once, copied, inputs_of, shown, tenants, until, vm
from benchmark.figures import Column
from benchmark.operator_process import Operator
from benchmark.simulated import leads
from localenv.process import say
from localenv.settings import LocalSettings
from stoker.core.identity import ID_ANNOTATION, Identity
from stoker.kube.client import path

STILL = 2.0
"""How long no VM is looked at any more when all were, seconds."""

PORTION = 250
"""Stacks that are copied at a time: the simulator answers nobody else meanwhile."""


async def restart(settings: LocalSettings, amount: int, projects: int) -> Column:
    """Make that many settled VMs in so many projects, start the operator, and see what it does about them."""
    prefix = f"bench-{uuid.uuid4().hex[:6]}"
    with SimulatedCloud() as cloud:
        names = [f"{prefix}-{n}" for n in range(projects)]
        accounts = {name: cloud.ask("POST", "/projects", name=name) for name in names}
        async with admin(settings) as client, tenants(client, cloud.auth_url, accounts):
            try:
                await _make(settings, client, cloud, accounts, amount)
                figures = await _measure(settings, client, cloud, amount, projects)
            finally:
                say("removing them")
                for name in names:
                    await client.release(name, [one["metadata"]["name"] for one in await client.all(name)])
    return Column(f"{amount:,} VMs in {projects} projects", figures)


async def _make(
    settings: LocalSettings, client: Admin, cloud: SimulatedCloud, accounts: dict[str, dict[str, str]], amount: int
) -> None:
    with Operator(settings) as operator:
        await until(lambda: leads(operator), "the operator to lead")
        await client.create(vm(name, "pattern") for name in accounts)
        for name in accounts:
            await until(lambda where=name: _no_other(client, where), "the patterns to be Active")  # type: ignore[misc]
    cluster = (await client.kube.get("/api/v1/namespaces/kube-system"))["metadata"]["uid"]
    more = (amount - len(accounts)) // len(accounts)
    say(f"making {amount} settled VMs")
    for name, account in accounts.items():
        (pattern,) = await client.all(name)
        await _copy(client, cloud, pattern, cluster, account["project_id"], more)


async def _no_other(client: Admin, namespace: str) -> bool:
    return not await client.any(namespace, "status.phase!=Active")


async def _copy(
    client: Admin, cloud: SimulatedCloud, pattern: dict[str, Any], cluster: str, project: str, amount: int
) -> None:
    """Copy a VM that is Active, and its stack."""
    namespace, status, spec = pattern["metadata"]["namespace"], pattern["status"], pattern["spec"]
    if inputs_of("pattern", spec).hash != status["stack"]["inputsHash"]:
        raise SystemExit("the copies would not be settled: Stoker composes other inputs than the benchmark")
    identities = [Identity(cluster, project, str(uuid.uuid4()), namespace, f"copy-{n}") for n in range(amount)]
    wanted = [_stack(identity, spec, status["operation"]["id"]) for identity in identities]
    stacks: list[dict[str, Any]] = []
    for first in range(0, amount, PORTION):
        stacks += cloud.ask("POST", "/copies", stack=status["stack"]["id"], copies=wanted[first : first + PORTION])

    async def store(identity: Identity, stack: dict[str, Any]) -> None:
        made = _object(pattern, identity, stack)
        await client.kube.post(path(VMS, namespace), made)
        await client.kube.merge(path(VMS, namespace, identity.name, "status"), {"status": made["status"]})

    await at_once(store(identity, stack) for identity, stack in zip(identities, stacks, strict=True))


def _stack(identity: Identity, spec: dict[str, Any], operation: str) -> dict[str, str]:
    """Return name and tags of a copy's stack."""
    inputs = inputs_of(identity.name, spec)
    return {"name": identity.stack_name, "tags": ",".join(identity.tags(operation, inputs.hash, *inputs.tags))}


def _object(pattern: dict[str, Any], identity: Identity, stack: dict[str, Any]) -> dict[str, Any]:
    """Return the object of a copy: its status is that of a VM for which nothing is left to do."""
    made, outputs = copied(pattern), stack["outputs"]
    made["metadata"] |= {"name": identity.name}
    made["metadata"]["annotations"] |= {ID_ANNOTATION: identity.id}
    made["status"] |= {"id": identity.id, "serverID": outputs["server_id"]}
    made["status"] |= {"privateIP": outputs["private_ip"], "publicIP": outputs["public_ip"]}
    inputs_hash = inputs_of(identity.name, pattern["spec"]).hash
    made["status"]["stack"] |= {"name": identity.stack_name, "id": stack["id"], "inputsHash": inputs_hash}
    made["status"]["stack"] |= {"changedAt": stack["created"]}
    return made


async def _measure(
    settings: LocalSettings, client: Admin, cloud: SimulatedCloud, amount: int, projects: int
) -> dict[str, float]:
    cloud.forget()
    writes, started = client.writes(), time.monotonic()
    with Operator(settings) as operator:
        seen, moved = 0.0, started

        async def all_seen() -> bool:
            nonlocal seen, moved
            now = operator.metric("stoker_reconcile_seconds_count")
            if now != seen:
                seen, moved = now, time.monotonic()
            settled = operator.metric("stoker_decisions_total", 'reason="Active"')
            return settled >= amount and time.monotonic() - moved > STILL

        await until(all_seen, "every VM to be looked at")
        used = counters.processor_seconds(operator.pid)
        calls, spent = cloud.calls(), client.writes() - writes
        figures = {"memory": counters.memory(operator.pid), "peak": counters.memory(operator.pid, "VmHWM")}
    kinds = counters.kinds(calls)
    say(f"calls: {shown(counters.shapes(calls), 1)}; writes: {shown(spent, 1)}; passes: {seen:.0f}")
    return figures | {
        "seconds": moved - started,
        "cpu": used,
        "writes": float(counters.of_vms(spent)),
        "other": (counters.ours(spent) - counters.of_vms(spent)) / projects,
        "calls": (kinds["project"] + kinds["vm"]) / projects,
        "more": (kinds["token"] + kinds["page"]) / projects,
    }
