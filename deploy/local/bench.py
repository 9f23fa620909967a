#!/usr/bin/env python3
"""Measure Stoker against Heat alone, side by side in one run: `make bench`.

For 1 and for 20 VMs: Heat alone makes the stacks of the same template, then Stoker does from `kubectl apply`. The two
take turns, so that the machine's drift falls on both. Calls are counted from the services' access logs by client,
writes from the API server's own counters.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import onboard
from localenv import access_log
from localenv.process import Process, say, wait_for
from localenv.settings import REPOSITORY, LocalSettings
from operator_run import environment
from stoker.api.tenant import NetworkProfile
from stoker.api.virtualmachine import VirtualMachineSpec
from stoker.core.inputs import Inputs, parameters
from stoker.openstack.base import Credentials, Endpoint, Project
from stoker.openstack.client import connect

PATIENCE = 900.0
SPEC = {"template": "ubuntu-basic@v1", "image": "ubuntu-24.04", "flavor": "m1.small", "publicIP": True}
SERVICES = ("keystone", "heat", "nova", "neutron", "glance", "cinder")


@dataclass(frozen=True, slots=True)
class Result:
    """Times of one round, seconds."""

    until_first: float
    until_last: float


def timed(names: list[str], done: Callable[[], set[str]], started: float) -> Result:
    """Wait until all names are done."""
    first = 0.0

    def all_done() -> bool:
        nonlocal first
        finished = done()
        if finished and not first:
            first = time.monotonic() - started
        return finished >= set(names)

    if not wait_for(all_done, PATIENCE):
        raise SystemExit(f"not done after {PATIENCE:.0f} s")
    return Result(first, time.monotonic() - started)


def heat_alone(project: Project, names: list[str]) -> Result:
    """Make and remove the stacks with Heat's API alone, from eight threads as the operator has."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    spec = VirtualMachineSpec.model_validate(SPEC)
    profile = NetworkProfile(name="default", network="private", external_network="public")
    text = (REPOSITORY / "heat_templates" / "ubuntu-basic@v1.yaml").read_text()
    started = time.monotonic()

    def create(name: str) -> None:
        inputs = Inputs(SPEC["template"], text, parameters(name, spec, profile, None, ()))  # type: ignore[arg-type]
        project.heat.create(f"bench-{name}", ("bench",), inputs, timeout_minutes=60)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, names))
    result = timed(
        [f"bench-{n}" for n in names],
        lambda: {s.name for s in project.heat.list(("bench",)).stacks if s.complete},
        started,
    )
    for stack in project.heat.list(("bench",)).stacks:
        project.heat.delete(stack.name, stack.id)
    wait_for(lambda: not project.heat.list(("bench",)).stacks, PATIENCE)
    return result


def stoker(settings: LocalSettings, names: list[str]) -> Result:
    """Apply the manifests at once, wait for Active, delete them, wait until they are gone."""
    manifests = [
        {
            "apiVersion": "stoker.dev/v1alpha1",
            "kind": "VirtualMachine",
            "metadata": {"name": name, "namespace": "team-a"},
            "spec": SPEC,
        }
        for name in names
    ]
    started = time.monotonic()
    onboard.kubectl(settings, "apply", "-f", "-", text=yaml.safe_dump_all(manifests))
    result = timed(names, lambda: active(settings), started)
    onboard.kubectl(settings, "delete", "osvm", "-n", "team-a", "--wait=false", *names)
    wait_for(lambda: not vms(settings), PATIENCE)
    return result


def vms(settings: LocalSettings) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(onboard.kubectl(settings, "get", "osvm", "-n", "team-a", "-o", "json"))[
        "items"
    ]
    return items


def active(settings: LocalSettings) -> set[str]:
    return {vm["metadata"]["name"] for vm in vms(settings) if vm.get("status", {}).get("phase") == "Active"}


def writes(settings: LocalSettings) -> dict[str, float]:
    """Return the API server's counters of writes to our kinds, by verb and resource."""
    text = onboard.kubectl(settings, "get", "--raw", "/metrics")
    found: dict[str, float] = {}
    for line in text.splitlines():
        match = re.match(r"apiserver_request_total\{(.*)\} (\S+)", line)
        if match and 'group="stoker.dev"' in match[1]:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[1]))
            if labels["verb"] in ("POST", "PUT", "PATCH", "DELETE", "APPLY") and labels["code"].startswith("2"):
                key = f"{labels['verb']} {labels['resource']}{'/' + labels['subresource'] if labels.get('subresource') else ''}"
                found[key] = found.get(key, 0.0) + float(match[2])
    return found


def calls(settings: LocalSettings, since: float) -> dict[str, int]:
    """Return Stoker's OpenStack calls since a time, by method and kind of path."""
    found: dict[str, int] = {}
    for service in SERVICES:
        for entry in access_log.read(settings, service, since=since, client="stoker/"):
            parts = re.sub(r"/(vm-)?[0-9a-f]{8}[0-9a-f-]{24,}", "/ID", entry.path)
            key = f"{service} {entry.method} {parts}{'?name' if 'name=' in (entry.query or '') else ''}"
            found[key] = found.get(key, 0) + 1
    return found


def memory_mib(pid: int) -> float:
    """Return a process's resident memory, MiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def report(settings: LocalSettings, project: Project, count: int, rounds: int, pid: int) -> None:
    """Run the rounds for one number of VMs, and print their medians and the ratio pair by pair."""
    pairs = []
    for turn in range(rounds):
        names = [f"bench-{count}-{turn}-{n}" for n in range(count)]
        alone = heat_alone(project, names)
        before, since = writes(settings), time.time()
        ours = stoker(settings, names)
        after = writes(settings)
        pairs.append((alone, ours))
        say(
            f"{count} VMs, round {turn + 1}: Heat alone {alone.until_last:.1f} s, Stoker {ours.until_last:.1f} s, ratio {ours.until_last / alone.until_last:.2f}"
        )
        spent = {
            key: (value - before.get(key, 0.0)) / count for key, value in after.items() if value != before.get(key, 0.0)
        }
        print(
            f"  writes per VM: {sum(spent.values()):.1f}",
            json.dumps({k: round(v, 2) for k, v in sorted(spent.items())}),
        )
        made = {key: value / count for key, value in calls(settings, since).items()}
        print(
            f"  OpenStack calls per VM: {sum(made.values()):.1f}",
            json.dumps({k: round(v, 2) for k, v in sorted(made.items())}),
        )
    ratios = sorted(ours.until_last / alone.until_last for alone, ours in pairs)
    added = sorted(ours.until_last - alone.until_last for alone, ours in pairs)
    print(
        f"{count} VMs: ratio Stoker / Heat alone, median of {rounds}: {ratios[len(ratios) // 2]:.2f}; added {added[len(added) // 2]:+.1f} s; operator {memory_mib(pid):.0f} MiB\n"
    )


def main() -> int:
    """Run the benchmark with an operator of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vms", type=int, nargs="*", default=[1, 20])
    options = parser.parse_args()
    settings = LocalSettings.load()
    onboard.main()
    team = onboard.projects(settings)["team-a"]
    credential = team["application_credential"]
    hosts = tuple(onboard.cloud(settings)["spec"]["allowedHosts"])
    endpoint = Endpoint(settings.url("KEYSTONE", "/v3"), "RegionOne", "public", team["project_id"], None, hosts)
    project = connect(
        endpoint,
        Credentials("application-credential", credential["id"], credential["secret"]),
        timeout=60,
        create_timeout=300,
        user_agent="bench",
    )
    operator = Process("bench-operator", settings)
    operator.start(
        [sys.executable, "-m", "stoker", "run"],
        env={**environment(settings), "STOKER_METRICS_PORT": "0", "STOKER_HEALTH_PORT": "0"},
    )
    try:
        for count in options.vms:
            report(settings, project, count, options.rounds, operator.pid() or 0)
    finally:
        operator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
