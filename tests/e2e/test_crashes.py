"""kill -9 again and again at work, two operators at once: exactly one stack for every VM, and none afterwards.

Kills before and after each numbered call are in tests/faults/test_kills.py, placed by a gate and by no clock. Here chance
places them, between the calls as well, while real services take their own time: where nobody thought of a kill.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from localenv.settings import LocalSettings
from support.cluster import Cluster, wait_until
from support.operator import OperatorProcess

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack, pytest.mark.timeout(1500)]

NAMES = [f"web-{n}" for n in range(10)]


def test_twenty_kills_leave_one_stack_each_and_none_after(
    cluster: Cluster, onboarded: LocalSettings, tmp_path: Path
) -> None:
    """Two rounds of creating and deleting ten VMs, killed five times in each half, at moments that a seed gives."""
    chance = random.Random(20)
    with OperatorProcess(onboarded, str(tmp_path / "operator.log")) as operator:
        for _ in range(2):
            for name in NAMES:
                cluster.create(name)
            killed(operator, chance)
            cluster.wait_active(*NAMES)
            stacks = cluster.stacks()
            assert sorted(stack.name for stack in stacks) == sorted(
                vm["status"]["stack"]["name"] for vm in cluster.vms()
            )

            cluster.delete()
            killed(operator, chance)
            cluster.wait_gone()
            assert cluster.stacks() == []
        assert operator.stop() == 0


def killed(operator: OperatorProcess, chance: random.Random) -> None:
    """Kill and restart the operator five times, at work: after so many of its actions, and what it began meanwhile."""
    for _ in range(5):
        actions = chance.randint(1, 6)
        wait_until(f"{actions} actions", lambda: operator.actions() >= actions)  # noqa: B023 -- it is called here only
        operator.replace()


def test_of_two_operators_one_acts(cluster: Cluster, onboarded: LocalSettings, tmp_path: Path) -> None:
    """Both run; one holds the lease and makes every claim; when it is killed, the other takes over."""
    first = OperatorProcess(onboarded, str(tmp_path / "first.log"), STOKER_IDENTITY="first")
    second = OperatorProcess(onboarded, str(tmp_path / "second.log"), STOKER_IDENTITY="second")
    with first, second:
        running = {"first": first, "second": second}
        cluster.create("one")
        cluster.wait_active("one")
        (leader,) = {operation["status"]["holder"].partition("_")[0] for operation in cluster.operations()}

        running.pop(leader).kill()
        cluster.create("two")
        cluster.wait_active("two")

        holders = {
            operation["spec"]["vmName"]: operation["status"]["holder"].partition("_")[0]
            for operation in cluster.operations()
        }
        assert holders["two"] in running
        assert len(cluster.stacks()) == 2
        cluster.delete()
        cluster.wait_gone()
        assert running.popitem()[1].stop() == 0


def test_a_stopped_operator_gives_its_lease_up(cluster: Cluster, onboarded: LocalSettings, tmp_path: Path) -> None:
    log = tmp_path / "operator.log"
    holder = ("get", "lease", "stoker", "-n", "stoker-system", "-o", "jsonpath={.spec.holderIdentity}")
    with OperatorProcess(onboarded, str(log), STOKER_IDENTITY="leaver") as operator:
        wait_until("the lease", lambda: cluster.kubectl(*holder).startswith("leaver_"))
        cluster.create()
        cluster.wait_active("web-1")
        assert operator.stop() == 0

    assert cluster.kubectl(*holder) == ""
    told = [json.loads(line) for line in log.read_text().splitlines()]
    (because,) = [one["because"] for one in told if one["message"] == "stopping"]
    assert because == "stop", "kopf ended our tasks first, which takes it five seconds"
