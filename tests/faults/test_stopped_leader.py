"""A leader that is stopped just before it would create a stack, sleeps through its Lease, and wakes beside the next one."""

from __future__ import annotations

import asyncio
import json
import signal
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from localenv.settings import LocalSettings
from simulator.local import Simulator
from support.cluster import wait_until
from support.gate import ApiServerProxy, Gate, Handler
from support.lives import cloud_call
from support.operator import HASTY, OperatorProcess
from support.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.kubernetes

PATIENT = {"STOKER_CALL_TIMEOUT_SECONDS": "300"}
"""Of the first: its call does not end while it sleeps."""


class Holds:
    """Holds the answer to the first look by a stack's name, and then every request for the Lease. In the simulator's thread."""

    def __init__(self) -> None:
        self.look, self.lease = False, False
        self._looked, self._asleep = asyncio.Event(), asyncio.Event()

    @web.middleware
    async def in_the_cloud(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if request.method == "GET" and request.query.get("name", "").startswith("vm-") and not self.look:
            self.look = True
            await self._looked.wait()
        return answer

    @web.middleware
    async def before_the_api_server(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.lease and "/leases/" in request.path:
            await self._asleep.wait()  # else it may learn that the Lease is another's before it comes to its create
        return await handler(request)

    def let_the_look(self) -> None:
        self.lease = True
        self._looked.set()

    def let_the_lease(self) -> None:
        self._asleep.set()


class Stage:
    """Two operators on one cluster; the first reaches the API server, and both the cloud, through what holds them."""

    def __init__(self, local: LocalSettings, simulator: Simulator, folder: Path) -> None:
        self.gate, self.holds, self.simulator, self._folder = Gate(), Holds(), simulator, folder
        simulator.outer.append(self.gate.middleware(partial(cloud_call, simulator.control.cloud)))
        simulator.outer.append(self.holds.in_the_cloud)
        self._proxy = ApiServerProxy(local.state / "kubeconfig-operator", self.holds.before_the_api_server)
        self.names = [f"{name}-{uuid.uuid4().hex[:8]}" for name in ("first", "second")]
        common = [{"STOKER_IDENTITY": name, "STOKER_AUDIT_DIR": str(folder / name)} for name in self.names]
        through = {"KUBECONFIG": str(folder / "kubeconfig")}
        self.first = OperatorProcess(local, str(folder / "first.log"), **common[0], **through, **PATIENT)
        self.second = OperatorProcess(local, str(folder / "second.log"), **common[1], **HASTY)

    def open(self, local: LocalSettings) -> None:
        self.simulator.run(self._proxy.open())
        (self._folder / "kubeconfig").write_text(self._proxy.kubeconfig())
        self.cluster: SimulatedCluster = simulated_cluster(local, self.simulator)
        self.cluster.open()

    def close(self) -> None:
        for operator in (self.first, self.second):
            operator.kill()
        self.cluster.close()
        self.simulator.run(self._proxy.close())

    def signal_first(self, number: signal.Signals) -> None:
        assert self.first.process is not None
        self.first.process.send_signal(number)

    def creates(self) -> int:
        """Return how often the cloud was asked for the VM's stack."""
        return self.gate.watched["web-1"].asked.count("POST stack")

    def stops(self) -> bool:
        """Tell whether the first noticed that it must stop: any worker may, of any VM."""
        return '"message": "stopping"' in (self._folder / "first.log").read_text()

    def told(self, name: str) -> list[tuple[str, Any]]:
        """Return what an operator's audit has of creates: what it is, and what came of it."""
        files = (self._folder / name).glob("*.jsonl")
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return [(line["kind"], line.get("outcome")) for line in lines if line.get("action") == "CreateStack"]


@pytest.fixture
def stage(onboarded: LocalSettings, tmp_path: Path) -> Iterator[Stage]:
    simulator = Simulator()
    stage = Stage(onboarded, simulator, tmp_path)
    with simulator:
        stage.open(onboarded)
        try:
            yield stage
        finally:
            stage.close()


def test_a_leader_that_wakes_after_its_lease_sends_nothing_and_ends(stage: Stage) -> None:
    """It wakes with its claim stored and the answer that there is no stack; the next leader has made it since."""
    first, second = stage.names
    stage.gate.watch("web-1")
    stage.first.start()
    stage.cluster.create()
    wait_until("the look before the create", lambda: stage.holds.look)
    stage.signal_first(signal.SIGSTOP)

    stage.second.start()
    stage.cluster.wait_active("web-1")
    assert stage.creates() == 1
    made, status = stage.cluster.stacks(), (stage.cluster.vm() or {})["status"]

    stage.simulator.do(lambda _: stage.holds.let_the_look())
    stage.signal_first(signal.SIGCONT)
    wait_until("it to be about to create, or to stop", lambda: stage.told(first) or stage.stops())
    stage.simulator.do(lambda _: stage.holds.let_the_lease())
    assert stage.first.process is not None
    assert stage.first.process.wait(60) == 1, "the Lease was lost"
    came = {outcome for kind, outcome in stage.told(first) if kind == "Outcome"}
    assert came <= {"NotSent", "Unknown"}, "its own check stopped it, or another worker's found the Lease lost before"
    assert stage.told(second) == [("Intent", None), ("Outcome", "Accepted")]
    assert stage.creates() == 1
    assert stage.cluster.stacks() == made
    assert (stage.cluster.vm() or {})["status"] == status

    stage.cluster.delete()
    stage.cluster.wait_gone()
    assert stage.cluster.stacks() == []
    assert stage.second.stop() == 0
