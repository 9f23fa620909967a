"""kill -9 before and after every numbered call that changes something: each life ends as it does without."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

import onboard
from localenv.settings import LocalSettings
from simulator.local import Simulator
from support.cluster import wait_until
from support.gate import ApiServerProxy, Gate, Point
from support.lives import MADE, PATTERN, Actor, End, Life, Lives, cloud_call, cluster_call
from support.operator import OperatorProcess
from support.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]

LIVES = (
    Life("create"),
    Life("delete", before={}, after=None),
    Life("update", before={}, after={"flavor": "m1.small"}),
    Life("stop", before={}, after={"powerState": "Stopped"}),
    Life("start", before={"powerState": "Stopped"}, after={"powerState": "Running"}),
    Life("restart", before={}, annotation=("restart", "once")),
    Life("retry", before={}, annotation=("retry", "now"), fails=True),
    Life("adopt", adopts=True),
    Life("repair", before={}, after={"driftPolicy": "Repair"}, loses_server=True),
)

SIDE_BY_SIDE = 32
"""Lives that one kill ends at once. The operator has 50 connections to the API server, and the gate holds these."""

PATIENT = {"STOKER_CREATE_DEADLINE_SECONDS": "90", "STOKER_CREATE_TIMEOUT_SECONDS": "60"}
"""Of the operator that dies: no call of its own ends before it does."""

HASTY = {"STOKER_CREATE_DEADLINE_SECONDS": "3", "STOKER_CREATE_TIMEOUT_SECONDS": "2"}
"""Of the one that follows: what was not answered is given up soon, since nothing here is slow."""

MANY = {"STOKER_WORKERS": "64", "STOKER_TENANT_CALLS": "64", "STOKER_REST_SECONDS": "2", "STOKER_POLL_SECONDS": "0.3"}

AGAIN = {"DELETE stack", "PATCH stack", "PUT stack", "PATCH resource", "os-start server", "os-stop server"}
"""What may be done once more when its answer was lost: the second time changes nothing, and is for the same stack."""

AT_MOST_ONCE = {"reboot server"}
"""What is not asked for again when nobody knows whether it was done: a reboot that was not made is made by asking."""


class Stage:
    """A cluster whose operator is killed where the gate holds it."""

    def __init__(self, local: LocalSettings, simulator: Simulator, folder: Path) -> None:
        self.gate, self.simulator, self._folder = Gate(), simulator, folder
        simulator.outer.append(self.gate.middleware(partial(cloud_call, simulator.control.cloud)))
        self.proxy = ApiServerProxy(local.state / "kubeconfig-operator", self.gate.middleware(cluster_call))
        self.audit = folder / "audit"
        common = {
            **MANY, "KUBECONFIG": str(folder / "kubeconfig"),
            "STOKER_AUDIT_DIR": str(self.audit), "STOKER_IDENTITY": f"kills-{uuid.uuid4().hex[:8]}",
        }  # fmt: skip
        self.patient = OperatorProcess(local, str(folder / "operator.log"), **common, **PATIENT)
        self.hasty = OperatorProcess(local, str(folder / "operator.log"), **common, **HASTY)

    def open(self, local: LocalSettings) -> None:
        self.simulator.run(self.proxy.open(self._folder / "kubeconfig"))
        self.cluster: SimulatedCluster = simulated_cluster(local, self.simulator)
        self.cluster.open()
        self.lives = Lives(self.cluster, self.gate)

    def close(self) -> None:
        for operator in (self.patient, self.hasty):
            if operator.process is not None and operator.process.poll() is None:
                operator.kill()
        self.cluster.close()
        self.simulator.run(self.proxy.close())

    def play(self, actors: Sequence[Actor]) -> dict[Actor, End]:
        """Let them live side by side under one operator, and under another from where it dies; return their ends."""
        self.patient.start()
        self.lives.prepare(actors)
        self.lives.begin(actors)
        if any(actor.point for actor in actors):
            self._kill(actors)
            self.hasty.start()
        self.lives.rest(actors)
        ends = {actor: self.lives.outcome(actor) for actor in actors}
        self.lives.end(actors)
        operator = self.hasty if any(actor.point for actor in actors) else self.patient
        assert operator.stop() == 0
        return ends

    def _kill(self, actors: Sequence[Actor]) -> None:
        """Kill the operator while all are held; one whose status was written in fewer steps this time is past it."""

        def there() -> bool:
            going = self.lives.restless(actors)
            return all(self.lives.held(actor) for actor in going)

        wait_until("every life to be where the operator is to die", there, 25)
        past = [actor for actor in actors if not self.lives.held(actor)]
        self.patient.kill()
        assert all(actor.point and actor.point.call == "PATCH status" for actor in past), [str(one) for one in past]
        self.simulator.do(lambda _: self.gate.drop())
        # Nobody else can know that its holder is dead, and would wait for the lease's end.
        released = '{"spec": {"holderIdentity": ""}}'
        self.cluster.kubectl("patch", "lease", "stoker", "-n", onboard.NAMESPACE, "--type=merge", "-p", released)


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


def points(calls: Sequence[str]) -> list[Point]:
    """Return every point at which an operator can die in a life with those calls."""
    numbered = [(call, calls[: at + 1].count(call)) for at, call in enumerate(calls)]
    return [Point(call, number, after) for call, number in numbered for after in (False, True)]


def differences(actor: Actor, end: End, undisturbed: End) -> list[str]:
    """Return how a life ended otherwise than it would have undisturbed, but for what a lost answer excuses."""
    return [f"{actor}: {end} is not {undisturbed}"] if end != undisturbed else []


def test_a_kill_before_or_after_any_call_ends_as_a_life_without_one(stage: Stage) -> None:
    stage.patient.start()
    stage.cluster.create(PATTERN)
    stage.lives.rest([Actor(MADE, PATTERN)])
    assert stage.patient.stop() == 0
    alone = [Actor(life, f"{life.name}-alone") for life in LIVES]
    undisturbed = {actor.life: end for actor, end in stage.play(alone).items()}
    for life, end in undisturbed.items():
        print(life.name, end)
    actors = [
        Actor(life, f"{life.name}-{number}", point)
        for life in LIVES
        for number, point in enumerate(points(undisturbed[life].calls))
    ]
    print(len(actors))
    wrong: list[str] = []
    for at in range(0, len(actors), SIDE_BY_SIDE):
        print(time.monotonic())
        ends = stage.play(actors[at : at + SIDE_BY_SIDE])
        for actor, end in ends.items():
            wrong += differences(actor, end, undisturbed[actor.life])
    print("\n".join(wrong))
    assert wrong == []
