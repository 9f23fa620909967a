"""An operator that is killed again and again under many new VMs: it gets on, and makes none of them twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from localenv.settings import LocalSettings
from support.cluster import wait_until
from support.operator import HASTY, OperatorProcess
from support.simulated_cluster import SimulatedCluster

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]

VMS = 40
KILLS = 6
SLOWLY = {"callsPerSecond": 4, "burst": 3, "userCallsPerSecond": 4, "userBurst": 3}
"""So that each life of the operator sees some creates, and leaves most for the next."""


def test_a_crash_loop_under_many_new_vms_ends_with_one_create_for_each(
    simulated: SimulatedCluster, onboarded: LocalSettings, tmp_path: Path
) -> None:
    def creates() -> int:
        return simulated.project.simulator.count("POST /heat/v1/{project}/stacks")

    simulated.patch_tenant({"spec": {"rateLimit": SLOWLY}})
    # An answer comes after one second, so a kill before it.
    simulated.project.simulator.fail("late-answer", "POST", "/stacks$", seconds=1.0, times=None)
    names = [f"web-{number}" for number in range(VMS)]
    for name in names:
        simulated.create(name)
    with OperatorProcess(onboarded, str(tmp_path / "operator.log"), **HASTY) as operator:
        for _ in range(KILLS):
            wait_until("it to act", operator.actions)
            before = creates()
            wait_until("more creates", lambda: creates() > before + 1)  # noqa: B023 -- it is called here only
            operator.replace()
        assert creates() < VMS, "it was killed after its work"

        simulated.patch_tenant({"spec": {"rateLimit": None}})
        simulated.wait_active(*names)
        assert creates() == VMS
        recorded = sorted(vm["status"]["stack"]["name"] for vm in simulated.vms())
        assert sorted(stack.name for stack in simulated.stacks()) == recorded
        simulated.delete()
        simulated.wait_gone()
        assert simulated.stacks() == []
        assert operator.stop() == 0
