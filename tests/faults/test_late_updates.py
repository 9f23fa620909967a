"""Updates that fail half-way or land too late, on the real API server with a cloud that does so on request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localenv.settings import LocalSettings
from simulator.control import Control
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes

UPDATE = ("PUT", r"/stacks/[^/]+/[^/]+$")


@pytest.fixture
def hasty(onboarded: LocalSettings) -> Iterator[OperatorThread]:
    """An operator that waits a few seconds for what was not answered: this cloud is never slow unasked."""
    with OperatorThread(onboarded, create_deadline_seconds=4.0, create_timeout_seconds=3.0) as running:
        yield running


def flavor(simulated: SimulatedCluster) -> str:
    """Return the flavor that the project's one stack has."""
    (stack,) = simulated.stacks()
    found: str = simulated.project.simulator.do(
        lambda control: control.cloud.stacks.by_id[stack.id].parameters["flavor"]
    )
    return found


def settled(simulated: SimulatedCluster) -> bool:
    """Tell whether the newest spec is applied."""
    vm = simulated.vm()
    assert vm is not None
    applied = vm.get("status", {}).get("appliedGeneration") == vm["metadata"]["generation"]
    return applied and simulated.condition()["status"] == "True"


def test_an_update_that_lands_after_a_newer_one_is_noticed_and_undone(
    simulated: SimulatedCluster, hasty: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    late = simulated.project.simulator.fail("zombie", *UPDATE)
    simulated.patch("web-1", {"spec": {"flavor": "m1.small"}})
    simulated.wait_reason("AwaitingAnswer")
    simulated.patch("web-1", {"spec": {"flavor": "m1.tiny"}})
    wait_until("the edit to be taken back", lambda: settled(simulated))

    simulated.project.simulator.do(Control.release, late)

    wait_until("the late update to land", lambda: begun(simulated) >= 1)
    wait_until("the spec's own flavor", lambda: begun(simulated) == 2 and flavor(simulated) == "m1.tiny")
    wait_until("the VM to be as its spec asks", lambda: settled(simulated))


def begun(simulated: SimulatedCluster) -> int:
    projects = simulated.project.simulator.do(Control.state)["projects"]
    found: int = next(p for p in projects if p["name"] == simulated.name)["actions"].get("UPDATE", 0)
    return found


def test_an_update_answered_with_a_500_ends_as_what_it_was(simulated: SimulatedCluster, hasty: OperatorThread) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    simulated.project.simulator.fail("status", *UPDATE, status=500, message="the engine is not well")

    simulated.patch("web-1", {"spec": {"flavor": "m1.small"}})

    assert "the engine is not well" in simulated.wait_reason("CloudUnavailable")["message"]
    wait_until("the next try", lambda: settled(simulated))


def test_a_volume_that_could_not_be_made_is_taken_back_without_allow_replace(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    simulated.project.simulator.fail("fails", *UPDATE, reason="no-valid-host", at="volume_0", times=None)
    simulated.patch("web-1", {"spec": {"volumes": [{"name": "data", "sizeGiB": 1}]}})
    simulated.wait_reason("NoValidHost")
    simulated.project.simulator.do(Control.heal)

    simulated.patch("web-1", {"spec": {"volumes": []}})

    wait_until("the edit to be taken back", lambda: settled(simulated))


def test_a_stack_is_not_left_behind_while_an_update_of_it_may_still_land(
    simulated: SimulatedCluster, hasty: OperatorThread
) -> None:
    simulated.create(deletionPolicy="Retain")
    simulated.wait_active("web-1")
    simulated.project.simulator.fail("lost-request", *UPDATE)
    simulated.patch("web-1", {"spec": {"flavor": "m1.small"}})
    simulated.wait_reason("AwaitingAnswer")

    simulated.delete("web-1")

    simulated.wait_gone()
    ended = {o["spec"]["type"]: o["status"] for o in simulated.operations()}
    assert ended["Delete"]["retained"]
    assert ended["Update"]["state"] == "Failed"
    assert ended["Update"]["completedAt"] >= ended["Delete"]["completedAt"]
    assert flavor(simulated) == "m1.tiny"
