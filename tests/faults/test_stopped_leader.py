"""A leader that is stopped with its claim in hand, sleeps through its Lease, and wakes beside the next one."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from localenv.settings import LocalSettings
from simulator.local import Simulator
from support.cluster import wait_until
from support.gate import ApiServerProxy, Gate, Point
from support.lives import cloud_call, cluster_call
from support.operator import OperatorProcess
from support.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.kubernetes

CLAIMED = Point("POST operation", 1, after=True)
"""The claim is stored; its answer, after which the create would be sent, is on its way."""

HASTY = {"STOKER_CREATE_DEADLINE_SECONDS": "3", "STOKER_CREATE_TIMEOUT_SECONDS": "2"}
"""What was not answered is given up soon, since nothing here is slow."""


class Stage:
    """Two operators on one cluster; the first reaches the API server, and both the cloud, through the gate."""

    def __init__(self, local: LocalSettings, simulator: Simulator, folder: Path) -> None:
        self.gate, self._simulator = Gate(), simulator
        simulator.outer.append(self.gate.middleware(partial(cloud_call, simulator.control.cloud)))
        self._proxy = ApiServerProxy(local.state / "kubeconfig-operator", self.gate.middleware(cluster_call))
        self._kubeconfig = folder / "kubeconfig"
        self.second_name = f"second-{uuid.uuid4().hex[:8]}"
        names = f"first-{uuid.uuid4().hex[:8]}", self.second_name
        first, second = ({"STOKER_IDENTITY": name, "STOKER_AUDIT_DIR": str(folder / name)} for name in names)
        through = {"KUBECONFIG": str(self._kubeconfig)}
        self.first = OperatorProcess(local, str(folder / "first.log"), **first, **through, **HASTY)
        self.second = OperatorProcess(local, str(folder / "second.log"), **second, **HASTY)

    def open(self, local: LocalSettings) -> None:
        self._simulator.run(self._proxy.open())
        self._kubeconfig.write_text(self._proxy.kubeconfig())
        self.cluster: SimulatedCluster = simulated_cluster(local, self._simulator)
        self.cluster.open()

    def close(self) -> None:
        for operator in (self.first, self.second):
            if operator.process is not None and operator.process.poll() is None:
                operator.kill()
        self.cluster.close()
        self._simulator.run(self._proxy.close())

    def signal_first(self, number: signal.Signals) -> None:
        assert self.first.process is not None
        self.first.process.send_signal(number)

    def asked(self) -> list[str]:
        """Return what was asked of the cloud for the VM."""
        return [call for call in self.gate.watched["web-1"].asked if call.endswith(" stack")]


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
    """Its claim was stored, and the create is what it would do next; the next leader has made the stack since."""
    stage.gate.watch("web-1", CLAIMED)
    stage.first.start()
    stage.cluster.create()
    wait_until("the claim to be stored", lambda: stage.gate.watched["web-1"].held)
    stage.signal_first(signal.SIGSTOP)
    stage.gate.let()

    stage.second.start()
    stage.cluster.wait_active("web-1")
    assert stage.asked() == ["POST stack"]
    made, status = stage.cluster.stacks(), (stage.cluster.vm() or {})["status"]

    stage.signal_first(signal.SIGCONT)
    assert stage.first.process is not None
    assert stage.first.process.wait(60) == 1, "the Lease was lost"
    assert stage.asked() == ["POST stack"]
    assert stage.cluster.stacks() == made
    assert (stage.cluster.vm() or {})["status"] == status
    (operation,) = stage.cluster.operations()
    assert operation["status"]["holder"].partition("_")[0] == stage.second_name

    stage.cluster.delete()
    stage.cluster.wait_gone()
    assert stage.cluster.stacks() == []
    assert stage.second.stop() == 0
