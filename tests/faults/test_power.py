"""Power, drift and stuck stacks on a cloud that loses answers, loses servers and dies: each command once, none for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.control import Control
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes

ACTION = "/servers/[^/]+/action$"
STUCK = 4.0
"""When an action in progress is called stuck here, seconds."""


def status(cluster: SimulatedCluster) -> dict[str, Any]:
    found: dict[str, Any] = (cluster.vm() or {}).get("status", {})
    return found


def servers(cluster: SimulatedCluster) -> dict[str, Any]:
    """Return the project's servers, as they are."""
    return cluster.project.simulator.do(lambda control: dict(control.cloud.projects[cluster.project.id].servers))


def change(cluster: SimulatedCluster, **fields: Any) -> None:
    """Change the VM's server behind everybody's back."""

    def changed(control: Control) -> None:
        for server in control.cloud.projects[cluster.project.id].servers.values():
            for name, value in fields.items():
                setattr(server, name, value)

    cluster.project.simulator.do(changed)


def lose(cluster: SimulatedCluster) -> None:
    """Delete all servers behind everybody's back."""
    cluster.project.simulator.do(lambda control: control.cloud.projects[cluster.project.id].servers.clear())


def asked(cluster: SimulatedCluster) -> int:
    """Return how often Nova was asked to act on a server."""
    return cluster.project.simulator.do(lambda control: control.count("POST /compute/v2.1/servers/{id}/action"))


def operations(cluster: SimulatedCluster, kind: str) -> list[str]:
    """Return the states of the operations of a type."""
    return [o["status"].get("state", "") for o in cluster.operations() if o["spec"]["type"] == kind]


def ready(cluster: SimulatedCluster, reason: str) -> None:
    """Wait until the VM is Ready for that reason, and nothing is open."""

    def there() -> bool:
        found = cluster.condition()
        return (found["status"], found["reason"]) == ("True", reason)

    wait_until(f"the VM to be {reason}", there)


def gone(cluster: SimulatedCluster) -> None:
    """Delete the VM, and see that nothing is left."""
    cluster.delete()
    cluster.wait_gone()
    wait_until("the stack to be gone", lambda: not cluster.stacks())
    assert servers(cluster) == {}


def test_a_vm_is_stopped_and_started_once_each_although_the_answers_are_lost(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")

    simulated.project.simulator.fail("lost-answer", "POST", ACTION)
    simulated.patch("web-1", {"spec": {"powerState": "Stopped"}})
    ready(simulated, "Stopped")
    assert (status(simulated)["powerState"], asked(simulated)) == ("Stopped", 1)

    simulated.project.simulator.fail("lost-answer", "POST", ACTION)
    simulated.patch("web-1", {"spec": {"powerState": "Running"}})
    ready(simulated, "Active")
    assert (status(simulated)["powerState"], asked(simulated)) == ("Running", 2)
    assert (operations(simulated, "Stop"), operations(simulated, "Start")) == (["Succeeded"], ["Succeeded"])
    gone(simulated)


def test_a_vm_that_is_made_to_be_stopped_is_made_and_then_stopped(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create(powerState="Stopped")
    ready(simulated, "Stopped")
    assert [server.status for server in servers(simulated).values()] == ["SHUTOFF"]
    assert operations(simulated, "Stop") == ["Succeeded"]
    gone(simulated)


def test_a_restart_happens_once_for_each_request(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    for number, request in ((1, "first"), (2, "second")):
        simulated.patch("web-1", {"metadata": {"annotations": {"stoker.dev/restart": request}}})
        wait_until("the restart to be over", lambda: status(simulated).get("restartID") == request)  # noqa: B023
        assert asked(simulated) == number
    assert operations(simulated, "Restart") == ["Succeeded", "Succeeded"]
    gone(simulated)


@pytest.mark.parametrize("fault", ["lost-answer", "lost-request"])
def test_a_restart_whose_answer_is_lost_is_not_asked_for_again(
    onboarded: Any, simulated: SimulatedCluster, fault: str
) -> None:
    with OperatorThread(onboarded, create_deadline_seconds=3.0, create_timeout_seconds=2.0):
        simulated.create()
        simulated.wait_active("web-1")
        simulated.project.simulator.fail(fault, "POST", ACTION)
        simulated.patch("web-1", {"metadata": {"annotations": {"stoker.dev/restart": "first"}}})
        wait_until("the restart to be over", lambda: status(simulated).get("restartID") == "first")
        ready(simulated, "Active")
        assert (asked(simulated), operations(simulated, "Restart")) == (1, ["Failed"])
        gone(simulated)


def test_a_healthy_vm_stays_ready_without_nova(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    before = simulated.vm()
    assert before is not None
    simulated.project.simulator.fail("status", "GET", "/servers/detail", status=503, times=None)
    failed = "GET /compute/v2.1/servers/detail"
    so_far = simulated.project.simulator.do(lambda control: control.count(failed))
    wait_until("some listings to fail", lambda: simulated.project.simulator.do(lambda c: c.count(failed)) > so_far + 2)
    after = simulated.vm()
    assert after is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert simulated.condition()["status"] == "True"

    simulated.create("web-2")
    simulated.wait_active("web-2")
    simulated.project.simulator.do(Control.heal)
    gone(simulated)


def test_a_server_that_somebody_stopped_is_reported_and_left_alone(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    change(simulated, status="SHUTOFF", power=4)
    simulated.wait_reason("DriftFound")
    drifted = simulated.condition(kind="Drifted")
    assert (drifted["status"], drifted["message"]) == (
        "True",
        "the server is Stopped, and powerState is Running.",
    )
    assert asked(simulated) == 0
    change(simulated, status="ACTIVE", power=1)
    ready(simulated, "Active")
    assert simulated.condition(kind="Drifted")["status"] == ""
    gone(simulated)


def test_a_server_that_is_gone_is_made_anew_where_the_policy_says_so(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    old = status(simulated)
    lose(simulated)
    simulated.wait_reason("DriftFound")
    assert operations(simulated, "Repair") == []

    simulated.patch("web-1", {"spec": {"driftPolicy": "Repair"}})
    ready(simulated, "Active")
    new = status(simulated)
    assert list(servers(simulated)) == [new["serverID"]] != [old["serverID"]]
    assert (new["stack"]["id"], new["privateIP"]) == (old["stack"]["id"], old["privateIP"])
    assert operations(simulated, "Repair") == ["Succeeded"]
    gone(simulated)


@pytest.mark.parametrize(("policy", "reason"), [("Error", "StackMissing"), ("Recreate", "Active")])
def test_a_stack_that_vanishes_after_its_server_was_said_to_be_gone_is_missed(
    simulated: SimulatedCluster, operator: OperatorThread, policy: str, reason: str
) -> None:
    """Heat deletes the server first, so somebody's deletion of a stack may be seen in two steps."""
    simulated.create(onStackMissing=policy)
    simulated.wait_active("web-1")
    (stack,) = simulated.stacks()
    lose(simulated)
    simulated.wait_reason("DriftFound")
    simulated.project.simulator.do(lambda control: control.engine.delete(control.cloud.stacks.by_id[stack.id]))
    simulated.wait_reason(reason)
    assert stack.id not in [one.id for one in simulated.stacks()]
    assert policy == "Error" or list(servers(simulated)) == [status(simulated)["serverID"]]
    gone(simulated)


def test_a_server_that_a_listing_lacks_is_not_made_anew(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    simulated.create(driftPolicy="Repair")
    simulated.wait_active("web-1")
    (old,) = servers(simulated)
    simulator = simulated.project.simulator
    simulator.fail("wrong", "GET", "/servers/detail", times=None, body={"servers": []})
    wait_until("the repair to be refused", lambda: "does not list it" in simulated.condition()["message"])
    assert list(servers(simulated)) == [old]
    assert simulator.count("PATCH /heat/v1/{project}/stacks/{name}/{id}") == 0
    simulator.do(Control.heal)
    ready(simulated, "Active")
    gone(simulated)


def test_a_server_in_error_is_reset_and_keeps_its_disk(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    simulated.create(driftPolicy="Repair")
    simulated.wait_active("web-1")
    (old,) = servers(simulated)
    change(simulated, status="ERROR", power=0, fault="disk gone")
    wait_until("the repair", lambda: operations(simulated, "Repair") == ["Succeeded"])
    ready(simulated, "Active")
    assert list(servers(simulated)) == [old]
    gone(simulated)


def test_a_stack_that_somebody_updated_is_put_right_where_the_policy_says_so(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create(flavor="m1.tiny")
    simulated.wait_active("web-1")

    def resize(control: Control) -> None:
        (stack,) = control.cloud.stacks.of_project(simulated.project.id)
        control.engine.update(stack, stack.template, {**stack.parameters, "flavor": "m1.small"}, None)
        stack.updated = "2040-01-01T00:00:00Z"  # Heat's times have no parts of a second

    simulated.project.simulator.do(resize)
    wait_until("the drift to be seen", lambda: simulated.condition(kind="Drifted")["status"] == "True")
    assert "not by Stoker" in simulated.condition(kind="Drifted")["message"]
    assert simulated.condition()["status"] == "True"

    simulated.patch("web-1", {"spec": {"driftPolicy": "Repair"}})
    wait_until("the repair", lambda: operations(simulated, "Repair") == ["Succeeded"])
    wait_until("the drift to be over", lambda: simulated.condition(kind="Drifted")["status"] == "")
    assert [server.flavor.name for server in servers(simulated).values()] == ["m1.tiny"]
    gone(simulated)


def test_a_stack_whose_engine_died_is_taken_up_again(onboarded: Any, simulated: SimulatedCluster) -> None:
    with OperatorThread(onboarded, stuck_seconds=STUCK):
        simulated.project.simulator.fail("engine-dies", "POST", "/stacks$")
        simulated.create()
        simulated.wait_active("web-1")
        assert [stack.status for stack in simulated.stacks()] == ["UPDATE_COMPLETE"]
        assert operations(simulated, "Repair") == ["Succeeded"]
        assert "Stuck" in [event["reason"] for event in simulated.events()]

        simulated.project.simulator.fail("engine-dies", "PUT", "/stacks/[^/]+/[^/]+$")
        simulated.patch("web-1", {"spec": {"flavor": "m1.small"}})
        wait_until("the repair", lambda: operations(simulated, "Repair") == ["Succeeded", "Succeeded"])
        ready(simulated, "Active")
        assert operations(simulated, "Update") == ["Succeeded"]
        assert [server.flavor.name for server in servers(simulated).values()] == ["m1.small"]
        gone(simulated)


def test_a_stopped_vm_is_not_resized_until_it_is_started(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    simulated.create(powerState="Stopped", flavor="m1.tiny")
    ready(simulated, "Stopped")
    simulated.patch("web-1", {"spec": {"flavor": "m1.small"}})
    simulated.wait_reason("ServerStopped")
    assert [stack.status for stack in simulated.stacks()] == ["CREATE_COMPLETE"]
    simulated.patch("web-1", {"spec": {"powerState": "Running"}})
    ready(simulated, "Active")
    assert [server.flavor.name for server in servers(simulated).values()] == ["m1.small"]
    gone(simulated)
