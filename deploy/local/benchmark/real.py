"""Stoker on the real services, beside Heat alone: the two take turns, so that the machine's drift falls on both."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import onboard
from benchmark import counters
from benchmark.cluster import Admin, admin, inputs_of, shown, until, vm
from benchmark.figures import Column
from benchmark.operator_process import Operator
from localenv import access_log
from localenv.process import say, wait_for
from localenv.settings import LocalSettings
from stoker.openstack.base import Credentials, Endpoint, Project
from stoker.openstack.client import connect

PATIENCE = 900.0
TEAM = "team-a"
TAG = ("bench",)
SERVICES = ("keystone", "heat", "nova", "neutron", "glance", "cinder")


async def rounds(settings: LocalSettings, counts: list[int], turns: int) -> list[Column]:
    """Make and remove so many VMs, with Heat alone and then with Stoker, in turns."""
    columns = []
    project = _project(settings)
    async with admin(settings) as client:
        with Operator(settings) as operator:
            for count in counts:
                pairs = []
                for turn in range(turns):
                    names = [f"bench-{count}-{turn}-{n}" for n in range(count)]
                    alone = heat_alone(project, names)
                    ours = await stoker(client, operator, names)
                    pairs.append((alone, ours))
                    say(f"{count} VMs, round {turn + 1}: Heat alone {alone:.1f} s, Stoker {ours['active']:.1f} s")
                columns.append(Column(f"real, {count:,}", _summary(pairs)))
    project.close()
    return columns


def _summary(pairs: list[tuple[float, dict[str, float]]]) -> dict[str, float]:
    """Return the last round's costs, and the medians of the times."""

    def median(values: list[float]) -> float:
        return sorted(values)[len(values) // 2]

    return pairs[-1][1] | {
        "alone": median([alone for alone, _ in pairs]),
        "active": median([ours["active"] for _, ours in pairs]),
        "ratio": median([ours["active"] / alone for alone, ours in pairs]),
        "added": median([ours["active"] - alone for alone, ours in pairs]),
    }


def _project(settings: LocalSettings) -> Project:
    team = onboard.projects(settings)[TEAM]
    credential = team["application_credential"]
    hosts = tuple(onboard.cloud(settings)["spec"]["allowedHosts"])
    endpoint = Endpoint(settings.url("KEYSTONE", "/v3"), "RegionOne", "public", team["project_id"], None, hosts)
    credentials = Credentials("application-credential", credential["id"], credential["secret"])
    return connect(endpoint, credentials, timeout=60, create_timeout=300, user_agent="bench")


def heat_alone(project: Project, names: list[str]) -> float:
    """Make and remove the stacks with Heat's API alone, from eight threads as the operator has; return the seconds."""

    def create(name: str) -> None:
        project.heat.create(f"bench-{name}", TAG, inputs_of(name, vm(TEAM, name)["spec"]), timeout_minutes=60)

    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, names))
    if not wait_for(lambda: sum(stack.complete for stack in project.heat.list(TAG).stacks) == len(names), PATIENCE):
        raise SystemExit(f"Heat alone was not done after {PATIENCE:.0f} s")
    took = time.monotonic() - started
    for stack in project.heat.list(TAG).stacks:
        project.heat.delete(stack.name, stack.id)
    wait_for(lambda: not project.heat.list(TAG).stacks, PATIENCE)
    return took


async def stoker(client: Admin, operator: Operator, names: list[str]) -> dict[str, float]:
    """Apply the manifests at once, wait for Active, delete them, wait until they are gone."""
    count, writes, since = len(names), client.writes(), time.time()
    started = time.monotonic()
    await client.create(vm(TEAM, name) for name in names)
    applied = time.monotonic()

    async def nothing(selector: str) -> bool:
        return not await client.any(TEAM, selector)

    active = await until(lambda: nothing("status.phase!=Active"), "every VM to be Active", pause=0.1)
    calls = _calls(client.settings, since)
    say(f"calls per VM: {shown(counters.shapes(calls), count)}")
    going = time.monotonic()
    await client.delete(TEAM, names)
    gone = await until(lambda: nothing(""), "every VM to be gone")
    spent = client.writes() - writes
    say(f"writes per VM: {shown(spent, count)}")
    return {
        "applied": applied - started,
        "active": active - started,
        "gone": gone - going,
        "calls": counters.kinds(calls)["vm"] / count,
        "writes": counters.ours(spent) / count,
        "events": spent["POST events"] / count,
        "memory": counters.memory(operator.pid),
    }


def _calls(settings: LocalSettings, since: float) -> list[tuple[str, str]]:
    """Return Stoker's calls since a time, from the services' access logs."""
    found = []
    for service in SERVICES:
        for entry in access_log.read(settings, service, since=since, client="stoker/"):
            query = f"?{entry.query}" if entry.query else ""
            found.append((entry.method, re.sub(r"^/v1/[0-9a-f]{32}", "", entry.path) + query))
    return found
