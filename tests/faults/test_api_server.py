"""An API server that goes away or has too much to do: it is waited for, and costs no machine and no second one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from aiohttp import web

from localenv.settings import LocalSettings
from simulator.local import Simulator
from support.cluster import wait_until
from support.fresh import free_ports
from support.gate import ApiServerProxy, Handler
from support.operator import HASTY, OperatorProcess
from support.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.kubernetes

CREATE = "POST /heat/v1/{project}/stacks"


class Way:
    """The operator's way to the API server. In the simulator's thread."""

    def __init__(self) -> None:
        self.away, self.busy = False, False
        self.unanswered: Counter[str] = Counter()
        """Requests while it was away, by path."""

        self._refused: Counter[tuple[str, str]] = Counter()
        self._watches: list[web.Request] = []

    @web.middleware
    async def between(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.away:
            self.unanswered[request.path] += 1
            return _cut(request)
        if "watch" in request.query:
            self._watches.append(request)
            return await handler(request)
        asked = (request.method, request.path)
        self._refused[asked] += self.busy
        if self._refused[asked] % 2:  # as the API server does it at its limit of requests in flight
            return web.Response(
                status=429, text="Too many requests, please try again later.", headers={"Retry-After": "1"}
            )
        return await handler(request)

    def leave(self) -> None:
        self.away = True
        for watch in self._watches:
            _cut(watch)

    def come_back(self) -> None:
        self.away = False

    def be_busy(self, busy: bool) -> None:
        """Refuse every second request for the same thing."""
        self.busy = busy
        self._refused.clear()


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)  # written to nobody


class Stage:
    """An operator that reaches the API server by such a way."""

    def __init__(self, local: LocalSettings, simulator: Simulator, folder: Path) -> None:
        self.way, self.simulator = Way(), simulator
        proxy = ApiServerProxy(local.state / "kubeconfig-operator", self.way.between)
        simulator.run(proxy.open())
        self._proxy = proxy
        (folder / "kubeconfig").write_text(proxy.kubeconfig())
        self._port = free_ports("health")["health"]
        through = {"KUBECONFIG": str(folder / "kubeconfig"), "STOKER_AUDIT_DIR": ""}
        through |= {"STOKER_BIND_ADDRESS": "127.0.0.1", "STOKER_HEALTH_PORT": str(self._port)}
        self.operator = OperatorProcess(local, str(folder / "operator.log"), **through, **HASTY)
        self.cluster: SimulatedCluster = simulated_cluster(local, simulator)
        self.cluster.open()

    def close(self) -> None:
        self.operator.kill()
        self.cluster.close()
        self.simulator.run(self._proxy.close())

    def runs(self) -> bool:
        assert self.operator.process is not None
        return self.operator.process.poll() is None

    def readiness(self) -> tuple[int, str]:
        """Return what the operator says on its readiness probe."""
        answer = requests.get(f"http://127.0.0.1:{self._port}/readyz", timeout=20)
        return answer.status_code, answer.text.strip()

    def transitions(self) -> str:
        """Return how often the Lease changed hands."""
        return self.cluster.kubectl(
            "get", "lease", "stoker", "-n", "stoker-system", "-o", "jsonpath={.spec.leaseTransitions}"
        )


@pytest.fixture
def stage(onboarded: LocalSettings, tmp_path: Path) -> Iterator[Stage]:
    with Simulator() as simulator:
        stage = Stage(onboarded, simulator, tmp_path)
        try:
            yield stage
        finally:
            stage.close()


def test_an_api_server_that_is_away_is_waited_for_and_costs_no_machine(stage: Stage) -> None:
    """The leader ends when its Lease has run out; the next process, which the kubelet starts once, waits in patience."""
    cluster, way, simulator = stage.cluster, stage.way, stage.simulator
    with stage.operator as operator:
        cluster.create("stays")
        cluster.create("goes")
        cluster.wait_active("stays", "goes")
        simulator.do(lambda _: way.leave())
        cluster.delete("goes")
        cluster.create("new")
        wait_until("the leader to end", lambda: not stage.runs())
        assert operator.process is not None
        assert operator.process.returncode == 1
        leases = sum(count for path, count in way.unanswered.items() if "/leases/" in path)
        assert way.unanswered.total() < 20 * leases, f"asked hot: {way.unanswered}"
        assert (len(cluster.stacks()), simulator.count(CREATE)) == (2, 2)

        operator.start()
        before = way.unanswered.total()
        wait_until("it to knock again and again", lambda: way.unanswered.total() >= before + 5)
        assert stage.runs()
        assert stage.readiness() == (503, "starting"), "a roll-out does not go on with what reaches no API server"
        simulator.do(lambda _: way.come_back())
        cluster.wait_active("stays", "new")
        assert stage.readiness() == (200, "leading")
        wait_until("what was deleted meanwhile to go", lambda: cluster.vm("goes") is None)
        assert (len(cluster.stacks()), simulator.count(CREATE)) == (2, 3)
        assert operator.stop() == 0


def test_an_api_server_with_too_much_to_do_costs_no_lease_and_no_second_stack(stage: Stage) -> None:
    cluster, way, simulator = stage.cluster, stage.way, stage.simulator
    with stage.operator as operator:
        cluster.create("first")
        cluster.wait_active("first")
        led = stage.transitions()
        simulator.do(lambda _: way.be_busy(True))

        cluster.create()
        cluster.wait_active("web-1")
        cluster.patch("web-1", {"spec": {"flavor": "m1.small"}})
        wait_until("the edit", lambda: (cluster.vm() or {})["status"].get("appliedGeneration") == 2)
        cluster.delete("web-1")
        wait_until("it to be gone", lambda: cluster.vm() is None)

        simulator.do(lambda _: way.be_busy(False))
        assert (stage.runs(), stage.transitions()) == (True, led)
        assert simulator.count(CREATE) == 2
        assert [stack.status for stack in cluster.stacks()] == ["CREATE_COMPLETE"]
        assert operator.stop() == 0
