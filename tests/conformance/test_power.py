"""A server's power, and the repair of a stack: what Nova and Heat make of each request that Stoker has for them."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.test_servers import the_server, vm
from stoker.api.errors import ErrorCode
from stoker.core.server import PowerAction
from stoker.openstack.client import ProjectClient
from support.clouds import Bare
from support.cluster import wait_until
from support.stacks import create, fault_of, gone, settled

A = PowerAction


def made(cloud: ProjectClient, name: str) -> tuple[str, str]:
    """Return the ids of a VM's stack and of its server."""
    stack_id = create(cloud, name, vm())
    settled(cloud, name, stack_id)
    return stack_id, cloud.heat.outputs(name, stack_id).server_id


def comes_to(cloud: ProjectClient, server_id: str, status: str, state: str) -> None:
    """Wait until the server is at rest in that status."""

    def there() -> bool:
        found = the_server(cloud, server_id)
        return found is not None and (found.status, found.state, found.task) == (status, state, "")

    wait_until(f"the server to be {status}", there, 60)


def test_a_server_is_stopped_started_and_rebooted_behind_heat(cloud: ProjectClient, name: str) -> None:
    """Heat notices nothing; Nova refuses, with no effect, an action that does not fit the state."""
    stack_id, server_id = made(cloud, name)

    def refusal(action: PowerAction) -> tuple[ErrorCode, bool]:
        fault = fault_of(lambda: cloud.compute.act(server_id, action))
        assert (
            f"Cannot '{'reboot' if action is A.REBOOT else action.value}' instance {server_id} while it is in vm_state"
            in fault.message
        )
        return fault.code, fault.definite

    assert refusal(A.START) == (ErrorCode.CONFLICT, True)
    assert cloud.compute.act(server_id, A.STOP).startswith("req-")
    comes_to(cloud, server_id, "SHUTOFF", "Stopped")
    probe = cloud.heat.probe(name, stack_id)
    assert probe.stack is not None
    assert probe.stack.status == "CREATE_COMPLETE"
    assert refusal(A.STOP) == refusal(A.REBOOT) == (ErrorCode.CONFLICT, True)
    cloud.compute.act(server_id, A.START)
    comes_to(cloud, server_id, "ACTIVE", "Running")
    for reboot in (A.REBOOT, A.RESET):
        cloud.compute.act(server_id, reboot)
        comes_to(cloud, server_id, "ACTIVE", "Running")
    cloud.heat.delete(name, stack_id)
    gone(cloud, name, stack_id)
    assert fault_of(lambda: cloud.compute.act(server_id, A.STOP)).code is ErrorCode.NOT_FOUND


def test_a_stop_shows_as_a_task_from_the_answer_on(cloud: ProjectClient, name: str) -> None:
    """So a server seen after the answer without a task is one whose action is over."""
    stack_id, server_id = made(cloud, name)
    cloud.compute.act(server_id, A.STOP)
    found = the_server(cloud, server_id)
    assert found is not None
    assert found.task.startswith("powering-off") or found.status == "SHUTOFF"
    cloud.heat.delete(name, stack_id)


def test_heat_cannot_end_the_resize_of_a_stopped_server(cloud: ProjectClient, name: str) -> None:
    """Nova does resize it; Heat waits for it to be ACTIVE, and calls the update failed."""
    stack_id, server_id = made(cloud, name)
    cloud.compute.act(server_id, A.STOP)
    comes_to(cloud, server_id, "SHUTOFF", "Stopped")
    cloud.heat.update(name, stack_id, ("stoker",), vm(flavor="m1.small"), timeout_minutes=5)
    stack = settled(cloud, name, stack_id)
    assert stack.status == "UPDATE_FAILED"
    why = f'Confirm resize for server {server_id} failed - Unknown status SHUTOFF due to "Unknown"'
    assert stack.reason == f"Resource UPDATE failed: ResourceUnknownStatus: resources.server: {why}"
    found = the_server(cloud, server_id)
    assert found is not None
    assert (found.flavor, found.status) == ("m1.small", "SHUTOFF")
    cloud.heat.delete(name, stack_id)


RULE: dict[str, Any] = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}


def test_what_does_not_resize_it_is_changed_of_a_stopped_server(cloud: ProjectClient, name: str) -> None:
    stack_id, server_id = made(cloud, name)
    cloud.compute.act(server_id, A.STOP)
    comes_to(cloud, server_id, "SHUTOFF", "Stopped")
    more = vm(ingress=[RULE], volumes=[{"name": "data", "size_gib": 1, "type": ""}])
    cloud.heat.update(name, stack_id, ("stoker",), more, timeout_minutes=5)
    assert settled(cloud, name, stack_id).status == "UPDATE_COMPLETE"
    comes_to(cloud, server_id, "SHUTOFF", "Stopped")
    cloud.heat.delete(name, stack_id)


def test_a_marked_server_is_replaced_when_the_stack_is_taken_up_again(
    cloud: ProjectClient, bare: Bare, name: str
) -> None:
    """A mark changes the resource alone, twice is as good as once; without it, nothing is rebuilt."""
    stack_id, server_id = made(cloud, name)
    private_ip = cloud.heat.outputs(name, stack_id).private_ip
    assert bare.send("DELETE", f"/servers/{server_id}", "compute").status_code == 204
    wait_until("the server to go", lambda: the_server(cloud, server_id) is None, 60)
    cloud.heat.converge(name, stack_id, ("stoker", "stoker-op=first"), timeout_minutes=5)
    stack = settled(cloud, name, stack_id)
    assert (stack.status, stack.tags) == ("UPDATE_COMPLETE", {"stoker", "stoker-op=first"})
    assert cloud.heat.outputs(name, stack_id).server_id == server_id

    for _ in range(2):
        assert cloud.heat.mark_unhealthy(name, stack_id, "server", "gone").startswith("req-")
    statuses = {resource.name: resource.status for resource in cloud.heat.resources(name, stack_id)}
    assert statuses["server"] == "CHECK_FAILED"
    assert settled(cloud, name, stack_id).status == "UPDATE_COMPLETE"
    cloud.heat.converge(name, stack_id, ("stoker", "stoker-op=second"), timeout_minutes=5)
    stack = settled(cloud, name, stack_id)
    assert (stack.status, stack.tags) == ("UPDATE_COMPLETE", {"stoker", "stoker-op=second"})
    outputs = cloud.heat.outputs(name, stack_id)
    assert outputs.server_id != server_id
    assert outputs.private_ip == private_ip
    assert the_server(cloud, outputs.server_id)
    cloud.heat.delete(name, stack_id)
    gone(cloud, name, stack_id)


def test_what_is_no_resource_is_not_marked(cloud: ProjectClient, name: str) -> None:
    stack_id, _ = made(cloud, name)
    assert fault_of(lambda: cloud.heat.mark_unhealthy(name, stack_id, "nosuch", "x")).code is ErrorCode.NOT_FOUND
    cloud.heat.delete(name, stack_id)


@pytest.mark.parametrize("odd", ["../x", "a/b", ""])
def test_no_odd_name_becomes_another_path(cloud: ProjectClient, name: str, odd: str) -> None:
    assert fault_of(lambda: cloud.heat.mark_unhealthy(name, "s1", odd, "x")).code is ErrorCode.UNKNOWN
    assert fault_of(lambda: cloud.compute.act(odd, A.STOP)).code is ErrorCode.UNKNOWN
