"""A VM's stack from the template that Stoker ships: its server, its outputs, its failures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import stoker
from stoker.api.errors import ErrorCode
from stoker.core.classify import classify_reason
from stoker.core.foresight import compare
from stoker.core.hot import planned
from stoker.core.inputs import Inputs
from stoker.core.server import Server
from stoker.openstack.client import ProjectClient
from support.clouds import Account, Backend, Bare
from support.cluster import wait_until
from support.stacks import create, gone, inputs, server_with_port, settled

TEMPLATE = Path(str(files(stoker))).parents[1] / "heat_templates" / "ubuntu-basic@v1.yaml"
COMPUTE = {"OpenStack-API-Version": "compute 2.61"}


def vm(**parameters: Any) -> Inputs:
    basic = {"name": "web", "image": "cirros", "flavor": "m1.tiny", "network": "private"}
    return Inputs("ubuntu-basic@v1", TEMPLATE.read_text(), basic | parameters)


@pytest.fixture(scope="module")
def small(backend: Backend) -> Iterator[ProjectClient]:
    """A project in which two cores may be used."""
    cloud = backend.account(cores=2).connect()
    yield cloud
    cloud.close()


def the_server(cloud: ProjectClient, server_id: str) -> Server | None:
    return cloud.compute.servers().by_id.get(server_id)


def test_a_vm_is_one_server_and_goes_with_its_stack(cloud: ProjectClient, bare: Bare, name: str) -> None:
    what = vm(public_ip=True, external_network="public", volumes=[{"name": "data", "size_gib": 1, "type": ""}])
    stack_id = create(cloud, name, what)
    assert settled(cloud, name, stack_id).status == "CREATE_COMPLETE"
    outputs = cloud.heat.outputs(name, stack_id)
    assert outputs.private_ip.count(".") == outputs.public_ip.count(".") == 3
    found = the_server(cloud, outputs.server_id)
    addresses = frozenset({outputs.private_ip, outputs.public_ip})
    assert found == Server(outputs.server_id, "web", "ACTIVE", "Running", addresses=addresses, flavor="m1.tiny")
    assert {resource.name for resource in cloud.heat.resources(name, stack_id)} == {
        "security_group", "port", "floating_ip", "server", "volume_0", "attachment_0",
    }  # fmt: skip
    shown = bare.send("GET", f"/servers/{found.id}", "compute", headers=COMPUTE).json()["server"]
    assert shown["flavor"]["original_name"] == "m1.tiny"
    cloud.heat.delete(name, stack_id)
    gone(cloud, name, stack_id)
    assert the_server(cloud, outputs.server_id) is None


def test_a_server_deleted_behind_heat_is_missed_by_a_check_only(cloud: ProjectClient, bare: Bare, name: str) -> None:
    """The stack stays complete; after a failed check, an update makes another server; a deletion does not mind."""
    stack_id = create(cloud, name, vm())
    settled(cloud, name, stack_id)
    server_id = cloud.heat.outputs(name, stack_id).server_id
    path = f"/servers/{server_id}"
    assert bare.send("DELETE", path, "compute").status_code == 204
    wait_until("the server to go", lambda: bare.send("GET", path, "compute").status_code == 404)
    assert the_server(cloud, server_id) is None
    assert settled(cloud, name, stack_id).status == "CREATE_COMPLETE"
    assert cloud.heat.outputs(name, stack_id).server_id == server_id

    bare.send("POST", f"/stacks/{name}/{stack_id}/actions", json={"check": None})
    stack = settled(cloud, name, stack_id)
    assert stack.status == "CHECK_FAILED"
    assert stack.updated is not None, "a check has a time as an update has"
    assert f"Instance {server_id} could not be found" in stack.reason
    bare.send("PATCH", f"/stacks/{name}/{stack_id}", json={})
    assert settled(cloud, name, stack_id).status == "UPDATE_COMPLETE"
    other = cloud.heat.outputs(name, stack_id).server_id
    assert other != server_id
    assert the_server(cloud, other)

    bare.send("DELETE", f"/servers/{other}", "compute")
    cloud.heat.delete(name, stack_id)
    gone(cloud, name, stack_id)


PLANS: dict[str, tuple[dict[str, Any], dict[str, set[str]]]] = {
    "nothing": ({}, {}),
    "a name": ({"name": "other"}, {}),
    "a flavor": ({"flavor": "m1.small"}, {}),
    "an image": ({"image": "ubuntu-24.04"}, {"updated": {"port"}, "replaced": {"server"}}),
    "user data": ({"user_data": "#cloud-config"}, {"updated": {"port"}, "replaced": {"server"}}),
    "an address": ({"public_ip": True, "external_network": "public"}, {"added": {"floating_ip"}}),
    "another network": ({"network": "public"}, {"updated": {"server"}, "replaced": {"port"}}),
    "a rule": (
        {"ingress": [{"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}]},
        {"unchanged": set(), "updated": {"port", "server", "security_group"}},
    ),
}


def test_a_plan_knows_what_is_replaced_and_believes_that_all_that_refers_changes(
    cloud: ProjectClient, name: str
) -> None:
    """Port and server refer to others, so even a preview of nothing has them as updated; a replacement is said.

    What is told without Heat (`core.foresight`) agrees in what is replaced, added and deleted, and calls less updated.
    """
    stack_id = create(cloud, name, vm())
    settled(cloud, name, stack_id)
    usual = {"unchanged": {"security_group"}, "updated": {"port", "server"}}
    for change, expected in PLANS.values():
        plan = cloud.heat.preview_update(name, stack_id, ("stoker",), vm(**change), timeout_minutes=5)
        found = {kind: set(names) for kind, names in asdict(plan).items()}
        assert found.pop("types") == found["replaced"] | found["deleted"], change
        assert found == {kind: set() for kind in found} | usual | expected, change
        foreseen = compare(*(planned(one.template, one.parameters) for one in (vm(), vm(**change))))[0]
        for kind in ("replaced", "added", "deleted"):
            assert set(getattr(foreseen, kind)) == set(getattr(plan, kind)), (change, kind)
        assert set(foreseen.updated) <= set(plan.updated), change
    cloud.heat.delete(name, stack_id)


def test_a_server_beyond_the_quota_says_the_numbers(small: ProjectClient, name: str) -> None:
    stack_id = create(small, name, inputs(server_with_port("m1.large")))
    stack = settled(small, name, stack_id)
    assert stack.status == "CREATE_FAILED"
    reason = "Quota exceeded for cores: Requested 4, but already used 0 of 2 cores (HTTP 403) (Request-ID: req-"
    assert stack.reason.startswith(f"Resource CREATE failed: Forbidden: resources.server: {reason}")
    assert classify_reason(stack.reason).code is ErrorCode.CLOUD_QUOTA_EXCEEDED
    small.heat.delete(name, stack_id)


def test_a_server_that_no_host_can_take_says_so(cloud: ProjectClient, name: str) -> None:
    """A real Heat tries five times, which takes a minute and a half."""
    stack_id = create(cloud, name, inputs(server_with_port("gpu.none")))
    stack = settled(cloud, name, stack_id, 240)
    assert stack.status == "CREATE_FAILED"
    reason = 'Went to status ERROR due to "Message: No valid host was found. , Code: 500"'
    assert stack.reason == f"Resource CREATE failed: ResourceInError: resources.server: {reason}"
    assert classify_reason(stack.reason).code is ErrorCode.NO_VALID_HOST
    cloud.heat.delete(name, stack_id)


def test_the_account_is_its_own(owner: Account, cloud: ProjectClient) -> None:
    """Nothing of another project is ever listed."""
    assert {stack.project for stack in cloud.heat.list(()).stacks} <= {owner.project}
