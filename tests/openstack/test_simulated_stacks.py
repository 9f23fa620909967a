"""What goes wrong with stacks, credentials and time in the simulator, as the adapter sees it."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from simulator.control import Control
from simulator.faults import REASONS
from stoker.api.errors import ErrorCode
from stoker.core.classify import classify_reason
from stoker.openstack.client import ProjectClient
from support.cluster import wait_until
from support.simulated import World
from support.stacks import create, fault_of, inputs, server_with_port, settled

STACKS = "/stacks$"
C = ErrorCode


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("quota", C.CLOUD_QUOTA_EXCEEDED),
        ("floating-ip-quota", C.CLOUD_QUOTA_EXCEEDED),
        ("no-valid-host", C.NO_VALID_HOST),
        ("something else", C.STACK_FAILED),
    ],
)
def test_a_create_fails_with_heats_own_words(world: World, cloud: ProjectClient, reason: str, code: ErrorCode) -> None:
    world.simulator.fail("fails", "POST", STACKS, reason=reason)
    stack = settled(cloud, "vm-1", create(cloud, "vm-1"))
    assert stack.status == "CREATE_FAILED"
    assert stack.reason.startswith("Resource CREATE failed: ")
    assert (REASONS[reason].text if reason in REASONS else reason) in stack.reason
    assert classify_reason(stack.reason).code is code


def test_a_half_built_stack_has_what_came_before(world: World, cloud: ProjectClient) -> None:
    world.simulator.fail("fails", "POST", STACKS, reason="no-valid-host")
    stack_id = create(cloud, "vm-1", inputs(server_with_port()))
    settled(cloud, "vm-1", stack_id)
    states = {resource.name: resource.status for resource in cloud.heat.resources("vm-1", stack_id)}
    assert states == {"port": "CREATE_COMPLETE", "server": "CREATE_FAILED"}


def test_an_engine_that_dies_leaves_a_stack_in_progress_until_it_is_asked_again(
    world: World, cloud: ProjectClient
) -> None:
    world.simulator.fail("engine-dies", "POST", STACKS)
    stack_id = create(cloud, "vm-1", inputs(server_with_port()))
    states = {resource.name: resource.status for resource in cloud.heat.resources("vm-1", stack_id)}
    assert states == {"port": "CREATE_COMPLETE", "server": "CREATE_IN_PROGRESS"}
    world.simulator.fail("engine-dies", "DELETE")
    cloud.heat.delete("vm-1", stack_id)
    probe = cloud.heat.probe("vm-1", stack_id)
    assert probe.stack is not None
    assert probe.stack.status == "DELETE_IN_PROGRESS"
    cloud.heat.delete("vm-1", stack_id)
    wait_until("it to go", lambda: cloud.heat.probe("vm-1", stack_id).stack is None)


def test_an_action_times_out(world: World, cloud: ProjectClient) -> None:
    """A deletion is limited by timeout_mins as well."""
    world.simulator.fail("times-out", "POST", STACKS)
    stack_id = create(cloud, "vm-1")
    stack = settled(cloud, "vm-1", stack_id)
    assert (stack.status, stack.reason) == ("CREATE_FAILED", "Timed out")
    assert classify_reason(stack.reason).code is C.TIMEOUT
    world.simulator.fail("times-out", "DELETE")
    cloud.heat.delete("vm-1", stack_id)
    assert settled(cloud, "vm-1", stack_id).status == "DELETE_FAILED"


def test_a_project_has_a_limit_of_stacks(world: World, cloud: ProjectClient) -> None:
    world.simulator.do(Control.settings, max_stacks=1)
    create(cloud, "vm-1")
    fault = fault_of(lambda: create(cloud, "vm-2"))
    assert (fault.code, fault.definite) == (C.CLOUD_QUOTA_EXCEEDED, True)


def test_a_deletion_fails_and_the_next_one_succeeds(world: World, cloud: ProjectClient) -> None:
    stack_id = create(cloud, "vm-1", inputs(server_with_port()))
    settled(cloud, "vm-1", stack_id)
    world.simulator.fail("fails", "DELETE", reason="Port is in use")
    cloud.heat.delete("vm-1", stack_id)
    stack = settled(cloud, "vm-1", stack_id)
    assert stack.status == "DELETE_FAILED"
    assert "Port is in use" in stack.reason
    assert len(cloud.compute.servers().by_id) == 1
    cloud.heat.delete("vm-1", stack_id)
    wait_until("it to go", lambda: cloud.heat.probe("vm-1", stack_id).stack is None)
    assert cloud.compute.servers().by_id == {}


def test_an_action_may_be_made_slow_and_a_newer_one_supersedes_it(world: World, cloud: ProjectClient) -> None:
    world.simulator.fail("slow-action", "POST", STACKS, seconds=3600)
    stack_id = create(cloud, "vm-1")
    probe = cloud.heat.probe("vm-1", stack_id)
    assert probe.stack is not None
    assert probe.stack.in_progress
    cloud.heat.update("vm-1", stack_id, ("stoker",), inputs(), timeout_minutes=5)
    assert settled(cloud, "vm-1", stack_id).status == "UPDATE_COMPLETE"


def test_a_dead_server_stays_to_be_seen(world: World, cloud: ProjectClient) -> None:
    stack_id = create(cloud, "vm-1", inputs(server_with_port("too.big")))
    assert classify_reason(settled(cloud, "vm-1", stack_id).reason).code is C.NO_VALID_HOST
    (found,) = cloud.compute.servers().by_id.values()
    assert (found.status, found.fault) == ("ERROR", "No valid host was found.")


# Credentials


@pytest.mark.parametrize("password", [False, True])
def test_a_cloud_with_trusts_refuses_application_credentials_only(world: World, password: bool) -> None:
    world.simulator.do(Control.settings, trusts=True)
    cloud = world.open(password=password)
    if password:
        create(cloud, "vm-1")
        return
    fault = fault_of(lambda: create(cloud, "vm-1"))
    assert (fault.code, fault.definite) == (C.CREDENTIAL_CANNOT_CREATE_TRUSTS, True)
    assert world.names() == []


def test_a_token_that_ended_is_renewed_unseen(world: World, cloud: ProjectClient) -> None:
    assert world.simulator.do(Control.expire_tokens) == 1
    assert cloud.heat.list(()).stacks == ()
    assert world.simulator.count("POST /identity/v3/auth/tokens") == 2


def test_a_revoked_credential_is_unauthorized_at_the_next_call(world: World, cloud: ProjectClient) -> None:
    world.simulator.do(Control.revoke, world.project["application_credential_id"])
    fault = fault_of(lambda: cloud.heat.list(()))
    assert fault.code is C.UNAUTHORIZED
    assert "Could not find Application Credential" in fault.message


def test_an_expired_credential_is_unauthorized(world: World, cloud: ProjectClient) -> None:
    world.simulator.do(Control.expire_credential, world.project["application_credential_id"], time.time() - 1)
    world.simulator.do(Control.expire_tokens)
    assert fault_of(lambda: cloud.heat.list(())).code is C.UNAUTHORIZED


def test_a_token_lasts_no_longer_than_its_credential(world: World) -> None:
    ends = time.time() + 60
    world.simulator.do(Control.expire_credential, world.project["application_credential_id"], ends)
    assert world.open().token_facts().expires_at.timestamp() == pytest.approx(ends, abs=1)


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_keystones_faults_are_definite(world: World, status: int) -> None:
    world.simulator.fail("status", "POST", "/auth/tokens", status=status, times=None)
    assert fault_of(lambda: create(world.open(), "vm-1")).definite
    assert world.names() == []


# Size and time


def test_ten_thousand_stacks_are_listed_by_pages(world: World, cloud: ProjectClient) -> None:
    """Twenty pages, each begun where the last one ended; one of them is found without looking at the others."""
    world.simulator.do(Control.add_stacks, "team-a", 10_000, "stoker,stoker-cluster=a")
    world.simulator.do(Control.add_stacks, "team-a", 10, "stoker")
    assert len(cloud.heat.list(("stoker-cluster=a",)).stacks) == 10_000
    assert world.simulator.count("GET /heat/v1/{project}/stacks") == 21
    assert len(cloud.heat.find("made-9999").stacks) == 1


def test_a_copy_is_a_stack_like_the_other_with_its_own_name_tags_and_server(world: World, cloud: ProjectClient) -> None:
    outputs = "outputs: {server_id: {value: {get_resource: server}}}\n"
    first = create(cloud, "vm-1", inputs(server_with_port() + outputs))
    settled(cloud, "vm-1", first)
    (copied,) = world.simulator.do(Control.copy_stack, first, [{"name": "vm-2", "tags": "stoker,stoker-vm=2"}])
    (found,) = cloud.heat.list(("stoker-vm=2",)).stacks
    assert (found.name, found.id, found.status) == ("vm-2", copied["id"], "CREATE_COMPLETE")
    assert found.created == datetime.fromisoformat(copied["created"])
    assert copied["outputs"]["server_id"] == cloud.heat.outputs("vm-2", copied["id"]).server_id
    assert len(cloud.compute.servers().by_id) == 2
    cloud.heat.delete("vm-2", copied["id"])
    wait_until("the copy's server to go", lambda: len(cloud.compute.servers().by_id) == 1)


def test_an_action_takes_its_time(world: World, cloud: ProjectClient) -> None:
    """An hour, so that nothing here depends on the machine's speed."""
    world.simulator.do(Control.settings, seconds={"create": 3600})
    stack_id = create(cloud, "vm-1", inputs(server_with_port()))
    stack = cloud.heat.probe("vm-1", stack_id).stack
    assert stack is not None
    assert stack.status == "CREATE_IN_PROGRESS"
    assert cloud.compute.servers().by_id == {}


def test_a_deleted_stack_may_hold_its_name_a_while(world: World, cloud: ProjectClient) -> None:
    """As a real Heat does for a moment: the adapter calls it a conflict that passes."""
    world.simulator.do(Control.settings, linger_seconds=3600.0)
    stack_id = create(cloud, "vm-1")
    settled(cloud, "vm-1", stack_id)
    cloud.heat.delete("vm-1", stack_id)
    wait_until("it to go", lambda: cloud.heat.probe("vm-1", stack_id).stack is None)
    assert fault_of(lambda: create(cloud, "vm-1")).code is C.CONFLICT
