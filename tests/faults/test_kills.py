"""kill -9 before and after every numbered call that changes something: each life ends as it does without."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import onboard
from localenv.settings import LocalSettings
from operator_run import environment
from simulator.local import Simulator
from support.apiserver import DryRun
from support.cluster import wait_until
from support.gate import ApiServerProxy, Gate, Point
from support.lives import MADE, PATTERN, Actor, End, Life, Lives, cloud_call, cluster_call
from support.operator import HASTY, OperatorProcess
from support.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]

CLAIM, RECORD, OBJECT = "POST operation", "PATCH operation", "PATCH vm"
"""An operation's first attempt; its next one, its answer or its end; the finalizer, put on or taken off."""

REBOOT = "reboot server"
ANSWERED = (RECORD, RECORD)
"""What was answered is recorded, and then that it is done."""

LIVES = (
    Life("create", "Create", (OBJECT, CLAIM, "POST stack", *ANSWERED)),
    Life("delete", "Delete", (CLAIM, "DELETE stack", RECORD, OBJECT), before={}, after=None),
    Life("update", "Update", (CLAIM, "PUT stack", *ANSWERED), before={}, after={"flavor": "m1.small"}),
    Life("stop", "Stop", (CLAIM, "os-stop server", *ANSWERED), before={}, after={"powerState": "Stopped"}),
    Life(
        "start", "Start", (CLAIM, "os-start server", *ANSWERED),
        before={"powerState": "Stopped"}, after={"powerState": "Running"},
    ),
    Life("restart", "Restart", (CLAIM, REBOOT, *ANSWERED), before={}, annotation=("restart", "once")),
    Life(
        "retry", "Create", ("DELETE stack", RECORD, "POST stack", *ANSWERED),
        before={}, annotation=("retry", "now"), fails=True,
    ),
    Life(
        "adopt", "Update", (OBJECT, CLAIM, "PATCH stack", *ANSWERED, CLAIM, "PUT stack", *ANSWERED), adopts=True,
    ),
    Life(
        "repair", "Repair", (CLAIM, "PATCH resource", "PATCH stack", *ANSWERED),
        before={}, after={"driftPolicy": "Repair"}, loses_server=True,
    ),
)  # fmt: skip
"""What a VM goes through, and every call of it that changes something: those are the numbers."""

UNKNOWN = {f"after {CLAIM} 1", f"before {REBOOT} 1", f"after {REBOOT} 1", f"before {RECORD} 1"}
"""Where nobody can know afterwards whether a reboot was asked for. It shows nothing once it is over, so it is not asked
for again, and its operation says so."""

KILLS = 2
"""Operators that die, each in half of all lives at once: the gate may hold most of its 50 connections, not all."""

PATIENT = {"STOKER_CREATE_DEADLINE_SECONDS": "90", "STOKER_CREATE_TIMEOUT_SECONDS": "60"}
"""Of the operator that dies: no call of its own ends before it does."""

BEFORE_ITS_CALLS_END = 50.0
"""Longest wait until all are held, seconds."""

MANY = {"STOKER_WORKERS": "64", "STOKER_TENANT_CALLS": "64", "STOKER_REST_SECONDS": "2", "STOKER_POLL_SECONDS": "0.3"}


class Stage:
    """A cluster whose operator is killed where the gate holds it."""

    def __init__(self, local: LocalSettings, simulator: Simulator, folder: Path) -> None:
        self.gate, self.simulator, self._folder = Gate(), simulator, folder
        simulator.outer.append(self.gate.middleware(partial(cloud_call, simulator.control.cloud)))
        self.proxy = ApiServerProxy(local.state / "kubeconfig-operator", self.gate.middleware(cluster_call))
        self._server = DryRun(local, folder)
        self.audit = folder / "audit"
        self.environment = {**environment(local), "KUBECONFIG": str(local.state / "kubeconfig")}
        common = {
            **MANY, "KUBECONFIG": str(folder / "kubeconfig"),
            "STOKER_AUDIT_DIR": str(self.audit), "STOKER_IDENTITY": f"kills-{uuid.uuid4().hex[:8]}",
        }  # fmt: skip
        self.patient = OperatorProcess(local, str(folder / "operator.log"), **common, **PATIENT)
        self.hasty = OperatorProcess(local, str(folder / "operator.log"), **common, **HASTY)

    def open(self, local: LocalSettings) -> None:
        self.simulator.run(self.proxy.open())
        (self._folder / "kubeconfig").write_text(self.proxy.kubeconfig())
        self.cluster: SimulatedCluster = simulated_cluster(local, self.simulator)
        self.cluster.open()
        self.lives = Lives(self.cluster, self.gate, self._server)

    def close(self) -> None:
        for operator in (self.patient, self.hasty):
            if operator.process is not None and operator.process.poll() is None:
                operator.kill()
        self.cluster.close()
        self.simulator.run(self.proxy.close())
        self._server.close()

    def make_the_pattern(self) -> None:
        """Make the VM whose stack is adopted in copies."""
        self.patient.start()
        self.cluster.create(PATTERN)
        self.lives.rest([Actor(MADE, PATTERN)])
        assert self.patient.stop() == 0

    def play(self, actors: Sequence[Actor]) -> dict[Actor, End]:
        """Let them live side by side under one operator, and under another from where it dies; return their ends."""
        self.patient.start()
        self.lives.prepare(actors)
        self.lives.begin(actors)
        if any(actor.point for actor in actors):
            self._kill(actors)
            self.hasty.start()
        self.lives.rest(actors)
        ends = self.lives.outcomes(actors)
        self.lives.end(actors)
        operator = self.hasty if any(actor.point for actor in actors) else self.patient
        assert operator.stop() == 0
        return ends

    def _kill(self, actors: Sequence[Actor]) -> None:
        """Kill the operator while all are held; one whose status was written in fewer steps this time is past it."""

        def there() -> bool:
            going = self.lives.restless(actors)
            return all(self.lives.held(actor) for actor in going)

        wait_until("every life to be where the operator is to die", there, BEFORE_ITS_CALLS_END)
        past = [actor for actor in actors if not self.lives.held(actor)]
        self.patient.kill()
        assert all(actor.point and actor.point.call == "PATCH status" for actor in past), [str(one) for one in past]
        self.simulator.do(lambda _: self.gate.drop())
        # Nobody else can know that its holder is dead, and would wait for the lease's end.
        released = '{"spec": {"holderIdentity": ""}}'
        self.cluster.kubectl("patch", "lease", "stoker", "-n", onboard.NAMESPACE, "--type=merge", "-p", released)

    def verify_the_audit(self) -> None:
        """Hold what every killed operator wrote against what is anchored in the cluster."""
        command = [sys.executable, "-m", "stoker", "audit", "verify", str(self.audit), "--cluster"]
        seen = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert seen.returncode == 0, seen.stdout + seen.stderr


@pytest.fixture
def stage(onboarded: LocalSettings, tmp_path: Path) -> Iterator[Stage]:
    simulator = Simulator()
    stage = Stage(onboarded, simulator, tmp_path)
    with simulator:
        stage.open(onboarded)
        try:
            stage.make_the_pattern()
            yield stage
        finally:
            stage.close()


def points(calls: Sequence[str]) -> list[Point]:
    """Return every point at which an operator can die in a life with those calls."""
    numbered = [(call, calls[: at + 1].count(call)) for at, call in enumerate(calls)]
    return [Point(call, number, after) for call, number in numbered for after in (False, True)]


def expected(actor: Actor, undisturbed: End) -> End:
    """Return how a life with that kill must end: as without it, but for a reboot that may have been lost."""
    if actor.life.operation != "Restart" or str(actor.point) not in UNKNOWN:
        return undisturbed
    sent = str(actor.point) in (f"after {REBOOT} 1", f"before {RECORD} 1")
    failed = {**undisturbed.operations, "Restart": "Failed"}
    return replace(undisturbed, operations=failed, effects=Counter([REBOOT] if sent else []))


def test_a_kill_before_or_after_any_call_ends_as_a_life_without_one(stage: Stage) -> None:
    """End state and effects alike: one create, one delete of each stack, one update, one action on the server."""
    alone = [Actor(life, f"{life.name}-alone") for life in LIVES]
    undisturbed = {actor.life: end for actor, end in stage.play(alone).items()}
    numbered = {life.name: tuple(c for c in end.calls if c != "PATCH status") for life, end in undisturbed.items()}
    assert numbered == {life.name: life.calls for life in LIVES}

    actors = [
        Actor(life, f"{life.name}-{number}", point)
        for life, end in undisturbed.items()
        for number, point in enumerate(points(end.calls))
    ]
    ends = {actor: end for number in range(KILLS) for actor, end in stage.play(actors[number::KILLS]).items()}

    wrong = {str(actor): end for actor, end in ends.items() if end != expected(actor, undisturbed[actor.life])}
    assert wrong == {}
    assert set(map(str, ends)) == set(map(str, actors))
    stage.verify_the_audit()
