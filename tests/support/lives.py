"""Lives of VMs, side by side: what each is made with, what is then asked of it, and how it ended."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from aiohttp import web

from simulator.control import Control
from simulator.local import Simulator
from simulator.state import Cloud
from support.apiserver import DryRun
from support.cluster import wait_until
from support.gate import Gate, Point
from support.simulated_cluster import SimulatedCluster

Spec = dict[str, Any]
PATTERN = "pattern"
"""The VM whose stack is copied for whom adopts one."""

SHORT = {"virtualmachines": "vm", "virtualmachineoperations": "operation"}
CLOUD = ("stack", "resource", "server")
"""What a call to OpenStack changes."""


@dataclass(frozen=True, eq=False)
class Life:
    """What a VM goes through; the gate watches from the moment that `after` is asked for."""

    name: str
    operation: str
    """The type of the operation that ends it."""

    calls: tuple[str, ...]
    """What changes something on the way, in order; statuses are left out, since how many are worth writing varies."""

    before: Spec | None = None
    """The spec that it is made with, and comes to rest with, before; None when the life begins with its making."""

    after: Spec | None = field(default_factory=dict)
    """What is then asked for beside it; None is its deletion."""

    annotation: tuple[str, str] | None = None
    fails: bool = False
    """True when its first create ends in CREATE_FAILED."""

    adopts: bool = False
    loses_server: bool = False


MADE = Life("made", "Create", ())
"""A VM that was made, and of which nothing more was asked."""


@dataclass(frozen=True, eq=False)
class Actor:
    """A VM that lives such a life, and where in it the operator dies."""

    life: Life
    name: str
    point: Point | None = None

    def __str__(self) -> str:
        return f"{self.life.name}, killed {self.point}" if self.point else f"{self.life.name}, undisturbed"


@dataclass(frozen=True)
class End:
    """How a life ended; two that are equal are equal for the VM's user and for whoever pays the cloud."""

    vm: dict[str, Any]
    stacks: list[tuple[str, str]]
    """Status and flavor of each."""

    servers: list[str]
    """The status of each."""

    operations: dict[str, str]
    """Type → state."""

    effects: Counter[str]
    """What was done in OpenStack: kind → how often it was answered with success."""

    calls: list[str] = field(compare=False)
    """What was asked of the API server and of OpenStack, in order, whatever was answered."""


class Lives:
    """A namespace whose VMs live such lives behind a gate."""

    def __init__(self, cluster: SimulatedCluster, gate: Gate, server: DryRun) -> None:
        self._cluster, self._gate, self._server = cluster, gate, server
        self._simulator: Simulator = cluster.project.simulator

    def prepare(self, actors: Sequence[Actor]) -> None:
        """Bring every VM to where its life begins, and watch it from there."""
        failing = [actor for actor in actors if actor.life.fails]
        if failing:
            made = {"reason": "no-valid-host", "times": len(failing)}
            self._simulator.fail("fails", "POST", "/stacks$", **made)
            self._apply([self._manifest(actor, actor.life.before or {}) for actor in failing])
            for actor in failing:
                self._cluster.wait_reason("NoValidHost", actor.name)
        others = [actor for actor in actors if actor.life.before is not None and not actor.life.fails]
        self._apply([self._manifest(actor, actor.life.before or {}) for actor in others])
        self.rest([replace(actor, life=MADE) for actor in others])
        self._simulator.do(lambda _: [self._gate.watch(actor.name, actor.point) for actor in actors])

    def rest(self, actors: Sequence[Actor]) -> None:
        """Wait until every life came to its end."""
        try:
            wait_until("all to be at rest", lambda: not self.restless(actors))
        except AssertionError as error:
            still = {str(actor): said for actor, said in self.restless(actors).items()}
            raise AssertionError(f"{error}: {still}") from None

    def begin(self, actors: Sequence[Actor]) -> None:
        """Ask what each life is about of its VM."""
        for actor in actors:
            if actor.life.loses_server:
                self._simulator.do(partial(_lose_server, project=self._cluster.project.id, name=actor.name))
        self._apply([self._asked(actor) for actor in actors if actor.life.after is not None])
        gone = [actor.name for actor in actors if actor.life.after is None]
        if gone:
            self._cluster.delete(*gone)

    def end(self, actors: Sequence[Actor]) -> None:
        """Delete the VMs, and see that none left anything."""
        names = {actor.name for actor in actors}
        if there := names & self._vms().keys():
            self._cluster.delete(*there)
        wait_until("the VMs to be gone", lambda: not names & self._vms().keys())
        assert [self._left(actor) for actor in actors] == [([], [])] * len(actors)

    def held(self, actor: Actor) -> bool:
        return self._gate.watched[actor.name].held

    def restless(self, actors: Sequence[Actor]) -> dict[Actor, str]:
        """Return the actors that are still on their way, and what their VMs say."""
        vms, ended = self._vms(), self._operations()
        return {
            actor: _said(vms.get(actor.name))
            for actor in actors
            if not _are_over(ended[actor.name], actor.life) or not _is_at_rest(vms.get(actor.name), actor.life)
        }

    def outcomes(self, actors: Sequence[Actor]) -> dict[Actor, End]:
        """Return how each life ended."""
        vms, operations, ends = self._vms(), self._operations(), {}
        for actor in actors:
            seen = self._gate.watched[actor.name]
            effects = Counter(call for call in seen.done if call.split()[1] in CLOUD)
            shown = _shown(vms.get(actor.name))
            ends[actor] = End(shown, *self._left(actor), operations[actor.name], effects, list(seen.asked))
        return ends

    def _vms(self) -> dict[str, dict[str, Any]]:
        return {vm["metadata"]["name"]: vm for vm in self._server.items(self._cluster.name, "virtualmachines")}

    def _operations(self) -> dict[str, dict[str, str]]:
        """Return the VM's name → type → state of its operation; no life has two of a type."""
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for operation in self._server.items(self._cluster.name, "virtualmachineoperations"):
            spec = operation["spec"]
            found[spec["vmName"]][spec["type"]] = operation["status"].get("state", "")
        return found

    def _left(self, actor: Actor) -> tuple[list[tuple[str, str]], list[str]]:
        return self._simulator.do(partial(_left, project=self._cluster.project.id, name=actor.name))

    def _asked(self, actor: Actor) -> dict[str, Any]:
        life = actor.life
        manifest = self._manifest(actor, {**(life.before or {}), **(life.after or {})})
        annotations = dict([life.annotation]) if life.annotation else {}
        if life.adopts:
            copied = partial(_copy, project=self._cluster.project.id, name=actor.name)
            annotations["adopt-stack"] = self._simulator.do(copied)
        manifest["metadata"]["annotations"] = {f"stoker.dev/{name}": value for name, value in annotations.items()}
        return manifest

    def _manifest(self, actor: Actor, spec: Spec) -> dict[str, Any]:
        return self._cluster.manifest(actor.name, **spec)

    def _apply(self, manifests: list[dict[str, Any]]) -> None:
        if manifests:
            whole = {"apiVersion": "v1", "kind": "List", "items": manifests}
            self._cluster.kubectl("apply", "-f", "-", text=json.dumps(whole))


def _are_over(operations: dict[str, str], life: Life) -> bool:
    return life.operation in operations and set(operations.values()) <= {"Succeeded", "Failed"}


def _ready(vm: dict[str, Any] | None) -> dict[str, Any]:
    conditions = (vm or {}).get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "Ready"), {})


def _said(vm: dict[str, Any] | None) -> str:
    return f"{_ready(vm).get('reason')}: {_ready(vm).get('message')}"


def _is_at_rest(vm: dict[str, Any] | None, life: Life) -> bool:
    if life.after is None or vm is None:
        return life.after is None and vm is None
    status, newest = vm.get("status", {}), vm["metadata"]["generation"]
    asked = vm["metadata"].get("annotations", {}).get("stoker.dev/restart")
    applied = status.get("observedGeneration") == status.get("appliedGeneration") == newest
    drifted = any(c["type"] == "Drifted" for c in status.get("conditions", []))
    agreed = status.get("powerState") == vm["spec"].get("powerState", "Running") and status.get("restartID") == asked
    return applied and agreed and not drifted and _ready(vm).get("status") == "True"


def _shown(vm: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a person would look at."""
    status = (vm or {}).get("status", {})
    return {
        "ready": (_ready(vm).get("status"), _ready(vm).get("reason")),
        **{name: status.get(name) for name in ("phase", "powerState", "restartID")},
    }


# ---- in the simulator's thread


async def cloud_call(cloud: Cloud, request: web.Request) -> tuple[str, str] | None:
    """Tell whose VM a call to OpenStack changes, and how: the VM's name is a parameter of its stack."""
    path, method = request.path, request.method
    if path.endswith("/preview") or "/identity/" in path:
        return None
    if path.endswith("/stacks"):
        return (await request.json())["parameters"]["name"], "POST stack"
    if path.endswith("/action"):
        for project in cloud.projects.values():
            if server := project.servers.get(request.match_info["id"]):
                return server.name, f"{next(iter(await request.json()))} server"
    if "/stacks/" in path:
        stack = cloud.stacks.by_id[request.match_info["id"]]
        return stack.parameters["name"], f"{method} {'resource' if '/resources/' in path else 'stack'}"
    return None


async def cluster_call(request: web.Request) -> tuple[str, str] | None:
    """Tell whose VM a call to the API server changes, and how."""
    parts = request.path.split("/")[6:]
    if request.path.split("/")[2] != "stoker.dev" or not parts or parts[0] not in SHORT:
        return None
    what = f"{request.method} {'status' if parts[-1] == 'status' else SHORT[parts[0]]}"
    if len(parts) == 1:
        return (await request.json())["spec"]["vmName"], what
    return (parts[1] if parts[0] == "virtualmachines" else parts[1].rsplit("-", 2)[0]), what


def _lose_server(control: Control, project: str, name: str) -> None:
    servers = control.cloud.projects[project].servers
    for server in [server for server in servers.values() if server.name == name]:
        del servers[server.id]


def _copy(control: Control, project: str, name: str) -> str:
    """Make a stack of nobody's that has the VM's name, as a migration would; return its id."""
    pattern = next(s for s in control.cloud.stacks.of_project(project) if s.parameters["name"] == PATTERN)
    mine = replace(pattern, parameters={**pattern.parameters, "name": name})
    return control.engine.copy(mine, f"legacy-{name}", ("legacy",)).id


def _left(control: Control, project: str, name: str) -> tuple[list[tuple[str, str]], list[str]]:
    stacks = [s for s in control.cloud.stacks.of_project(project) if s.parameters["name"] == name]
    servers = [s.status for s in control.cloud.projects[project].servers.values() if s.name == name]
    return [(stack.status, stack.parameters["flavor"]) for stack in stacks], servers
