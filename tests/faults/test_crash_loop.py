"""An operator that is killed again and again under many new VMs: it gets on, and makes none of them twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from localenv.settings import LocalSettings
from support.cluster import wait_until
from support.operator import OperatorProcess
from support.simulated_cluster import SimulatedCluster

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]

VMS = 30
KILLS = 3
SLOWLY = {"callsPerSecond": 4, "burst": 3, "userCallsPerSecond": 4, "userBurst": 3}
"""So that each life of the operator sees some creates, and leaves most for the next."""

HASTY = {"STOKER_CREATE_DEADLINE_SECONDS": "3", "STOKER_CREATE_TIMEOUT_SECONDS": "2"}
"""What was claimed and not sent is tried again soon; an answer comes after one second, and a kill before it."""


def test_a_crash_loop_under_many_new_vms_ends_with_one_create_for_each(
    simulated: SimulatedCluster, onboarded: LocalSettings, tmp_path: Path
) -> None:
    def creates() -> int:
        return simulated.project.simulator.count("POST /heat/v1/{project}/stacks")

    simulated.patch_tenant({"spec": {"rateLimit": SLOWLY}})
    simulated.project.simulator.fail("late-answer", "POST", "/stacks$", seconds=1.0, times=None)
    names = [f"web-{number}" for number in range(VMS)]
    for name in names:
        simulated.create(name)
    operator = OperatorProcess(onboarded, str(tmp_path / "operator.log"), **HASTY)
    operator.start()
    try:
        for _ in range(KILLS):
            before = creates()
            wait_until("more creates", lambda: creates() > before + 1)  # noqa: B023 -- it is called here only
            operator.kill()
            operator.start()
        assert creates() < VMS, "it was killed after its work"

        simulated.patch_tenant({"spec": {"rateLimit": None}})
        simulated.wait_active(*names)
        assert creates() == VMS
        recorded = sorted(vm["status"]["stack"]["name"] for vm in simulated.vms())
        assert sorted(stack.name for stack in simulated.stacks()) == recorded
        simulated.delete()
        simulated.wait_gone()
        assert simulated.stacks() == []
    finally:
        assert operator.stop() == 0
