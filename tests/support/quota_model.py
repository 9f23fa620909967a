"""Batches of two processes, request by request: an API server in memory, and whoever decides what happens next.

The batches are the real ones (`reconcile.reserving`); the server here is an oracle of its own. Each request waits until
it is let through, so any order of requests, events and crashes can be played, and played again.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from stoker.api.base import API_VERSION
from stoker.core.catalog import FlavorSize
from stoker.core.identity import FINALIZER
from stoker.kube.client import KubeError
from stoker.reconcile.reserving import Batch, Reserving

FLAVORS = {"small": FlavorSize(1, 512), "large": FlavorSize(2, 512)}
TENANT = f"/apis/{API_VERSION}/tenants/team-a"
VMS = f"/apis/{API_VERSION}/namespaces/team-a/virtualmachines"
SPEC = {
    "cloud": "main", "projectID": "p", "namespaces": ["team-a"], "credentialsSecret": "s",
    "networkProfiles": [{"name": "default", "network": "private"}],
}  # fmt: skip


class Violation(AssertionError):  # noqa: N818 -- it is a finding
    """More is reserved than the quota has."""


@dataclass
class Request:
    """One that waits to be let through."""

    actor: str
    perform: Callable[[], Any]
    answer: asyncio.Future[Any]


@dataclass
class Server:
    """An API server with one Tenant and its VMs. `unguarded` names what it takes without looking at versions."""

    quota: dict[str, int]
    unguarded: str = ""
    version: int = 10
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        metadata = {"name": "team-a", "resourceVersion": "1"}
        self.objects[TENANT] = {"metadata": metadata, "spec": {**SPEC, "quota": self.quota}, "status": {}}

    def add(self, name: str, *, enrolled: bool = True, second: int = 0, flavor: str = "small") -> None:
        metadata = {
            "name": name, "namespace": "team-a", "uid": f"uid-{name}", "generation": 1, "resourceVersion": "1",
            "creationTimestamp": f"2026-01-01T00:00:{second:02d}Z", "finalizers": [FINALIZER] if enrolled else [],
        }  # fmt: skip
        spec = {"template": "ubuntu-basic@v1", "image": "cirros", "flavor": flavor}
        self.objects[f"{VMS}/{name}"] = {"metadata": metadata, "spec": spec, "status": {}}

    def change(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a VM, as its user or its worker does."""
        vm = self.objects[f"{VMS}/{name}"]
        change(vm)
        self._touch(vm)

    def remove(self, name: str) -> None:
        del self.objects[f"{VMS}/{name}"]

    def vms(self) -> dict[str, dict[str, Any]]:
        return {path.rpartition("/")[2]: vm for path, vm in self.objects.items() if path != TENANT}

    def pending(self) -> list[Any]:
        return list(self.objects[TENANT]["status"].get("admission", {}).get("pending", []))

    def reserved(self, resource: str) -> int:
        return sum(((vm["status"].get("reserved") or {}).get(resource) or 0) for vm in self.vms().values())

    def check(self) -> None:
        for resource, limit in self.quota.items():
            if self.reserved(resource) > limit:
                raise Violation(f"{self.reserved(resource)} {resource} are reserved of {limit}")

    def _touch(self, item: dict[str, Any]) -> None:
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)

    def _get(self, path: str) -> dict[str, Any]:
        return copy.deepcopy(self.objects[path])

    def _list(self, path: str) -> tuple[list[dict[str, Any]], str]:
        found = [copy.deepcopy(item) for where, item in self.objects.items() if where.startswith(f"{path}/")]
        return found, str(self.version)

    def _merge(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        path = path.removesuffix("/status")
        known = self.objects.get(path)
        if known is None:
            raise KubeError(404, "NotFound", path)
        guard = dict(body["metadata"])
        if self.unguarded == ("tenant" if path == TENANT else "vm"):
            guard.pop("resourceVersion")
        if any(known["metadata"].get(key) != value for key, value in guard.items()):
            raise KubeError(409, "Conflict", path)
        _merge(known["status"], body["status"])
        self._touch(known)
        self.check()
        return copy.deepcopy(known)


@dataclass
class Client:
    """One process's way to the server; each request waits for its turn."""

    server: Server
    actor: str

    async def get(self, path: str) -> dict[str, Any]:
        return await self._turn(lambda: self.server._get(path))

    async def list(self, path: str, **query: str) -> tuple[list[dict[str, Any]], str]:
        return await self._turn(lambda: self.server._list(path))

    async def merge(self, path: str, body: Any) -> dict[str, Any]:
        return await self._turn(lambda: self.server._merge(path, body))

    async def _turn(self, perform: Callable[[], Any]) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self.server.waiting.append(Request(self.actor, perform, answer))
        return await answer


@dataclass
class Play:
    """Two processes at one server. `steps` are what can happen now; each is played by calling it."""

    server: Server
    faults: int = 0
    events: list[tuple[str, Callable[[Server], None]]] = field(default_factory=list)
    """Events that come once each, in this order."""

    batches: int = 2
    """Batches that each process begins."""

    answered: bool = False
    """True when no answer is lost: then the only fault is a crash."""

    tasks: dict[str, asyncio.Task[Batch | None]] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    found: Violation | None = None

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        can: list[tuple[str, Callable[[], None]]] = []
        for actor in self.begun:
            task = self.tasks.get(actor)
            if (task is None or task.done()) and self.begun[actor] < self.batches:
                can.append((f"{actor} begins", lambda actor=actor: self.begin(actor)))
            if task and not task.done() and self.faults:
                can.append((f"{actor} crashes", lambda actor=actor: self._crash(actor)))
        for request in self.server.waiting:
            can.append((f"{request.actor} goes on", lambda request=request: self._answer(request)))
            if self.faults and not self.answered:
                can.append(
                    (f"{request.actor} gets no answer", lambda request=request: self._answer(request, lost=True))
                )
        if self.events:
            can.append((self.events[0][0], self._event))
        return can

    def begin(self, actor: str) -> None:
        self.begun[actor] += 1
        self.tasks[actor] = asyncio.create_task(_batch(Client(self.server, actor)))

    def _crash(self, actor: str) -> None:
        self.faults -= 1
        self.tasks[actor].cancel()
        self.server.waiting = [request for request in self.server.waiting if request.actor != actor]

    def _answer(self, request: Request, *, lost: bool = False) -> None:
        self.server.waiting.remove(request)
        try:
            answer = request.perform()
            if lost:
                self.faults -= 1
                raise KubeError(0, "Unreachable", "no answer")
            request.answer.set_result(answer)
        except KubeError as error:
            request.answer.set_exception(error)
        except Violation as violation:
            self.found = violation
            request.answer.cancel()

    def _event(self) -> None:
        _, happen = self.events.pop(0)
        with suppress(KeyError):  # of a VM that is gone
            happen(self.server)

    async def play(self, choose: Callable[[int], int | None]) -> list[str]:
        """Play until nothing can happen or `choose` gives no choice; return what happened. Raises Violation."""
        said = []
        while can := self.steps():
            number = choose(len(can))
            if number is None:
                break
            name, happen = can[number]
            said.append(name)
            happen()
            for _ in range(6):
                await asyncio.sleep(0)
            if self.found:
                await self.end()
                raise Violation(f"{self.found}; after: {' → '.join(said)}")
        return said

    async def end(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        self.server.waiting.clear()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def settle(server: Server) -> Batch:
    """Run batches of one process without faults until there is nothing more to do."""
    for _ in range(20):
        play = Play(server, batches=1, begun={"A": 0})
        await play.play(lambda _: 0)
        batch = play.tasks["A"].result()
        if batch is not None and not batch.more:
            return batch
    raise AssertionError("the quota does not come to rest")


async def _batch(client: Client) -> Batch | None:
    """Return what a batch came to, or None when a request failed: the process begins anew."""
    try:
        return await Reserving(client, lambda: None).batch("team-a", FLAVORS, frozenset())
    except KubeError:
        return None


def _merge(known: dict[str, Any], patch: dict[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            known.pop(key, None)
        elif isinstance(value, dict):
            _merge(known.setdefault(key, {}), value)
        else:
            known[key] = value
