"""Identity on the real services: objects from a backup find their stacks, and a stack made by somebody else is adopted."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from localenv.settings import LocalSettings
from support.cluster import Cluster, wait_until
from support.operator import OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]


def servers(cluster: Cluster) -> set[str]:
    return {server["id"] for server in cluster.project.servers()}


def backup(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the VMs as a backup keeps them: without what the API server and the operator wrote of this life."""
    kept = ("name", "namespace", "annotations", "labels")
    return [
        {**vm, "metadata": {key: vm["metadata"][key] for key in kept if key in vm["metadata"]}, "status": None}
        for vm in cluster.vms()
    ]


def lose(cluster: Cluster) -> None:
    """Remove all VMs and their operations by hand, with no operator to see it."""
    for kind, items in (("osvm", cluster.vms()), ("osvmop", cluster.operations())):
        for item in items:
            name = item["metadata"]["name"]
            patch = json.dumps({"metadata": {"finalizers": None}})
            cluster.kubectl("patch", kind, name, "-n", cluster.name, "--type=merge", "-p", patch)
        cluster.kubectl("delete", kind, "-n", cluster.name, "--all")
    assert (cluster.vms(), cluster.operations()) == ([], [])


@pytest.mark.timeout(600)
def test_vms_from_a_backup_find_their_stacks_and_nothing_is_rebuilt(cluster: Cluster, onboarded: LocalSettings) -> None:
    cluster.kubectl("create", "secret", "generic", "boot", "-n", cluster.name, "--from-literal=data=#cloud-config")
    source = {"secretKeyRef": {"name": "boot", "key": "data"}}
    with OperatorThread(onboarded):
        cluster.create("web-1", template="ubuntu-basic", volumes=[{"name": "data", "sizeGiB": 1}])
        cluster.create("web-2", userDataFrom=source)
        cluster.create("web-3", publicIP=True)
        cluster.wait_active("web-1", "web-2", "web-3")
        cluster.patch("web-3", {"spec": {"flavor": "m1.small"}})
        wait_until("the edit", lambda: (cluster.vm("web-3") or {})["status"].get("appliedGeneration") == 2)
    kept, stacks, machines = backup(cluster), sorted(s.id for s in cluster.stacks()), servers(cluster)
    tags = {stack.id: sorted(stack.tags) for stack in cluster.stacks()}
    before = {vm["metadata"]["name"]: vm["status"] for vm in cluster.vms()}

    lose(cluster)
    cluster.kubectl("patch", "secret", "boot", "-n", cluster.name, "--type=merge", "-p", '{"stringData":{"data":"x"}}')
    cluster.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": kept}))
    with OperatorThread(onboarded):
        cluster.wait_active("web-1", "web-2", "web-3")
        after = {vm["metadata"]["name"]: vm["status"] for vm in cluster.vms()}

        for name, status in before.items():
            for field in ("id", "stack", "serverID", "privateIP", "publicIP", "volumeSlots"):
                old, new = status.get(field), after[name].get(field)
                if field == "stack":
                    old, new = (old["id"], old["templateVersion"]), (new["id"], new["templateVersion"])
                assert new == old, (name, field)
        assert sorted(stack.id for stack in cluster.stacks()) == stacks
        assert {stack.id: sorted(stack.tags) for stack in cluster.stacks()} == tags
        assert servers(cluster) == machines
        assert cluster.operations() == []

        cluster.delete()
        cluster.wait_gone()
    assert (cluster.stacks(), servers(cluster)) == ([], set())


@pytest.mark.timeout(600)
def test_a_stack_of_somebody_else_s_is_adopted_as_it_is_and_an_edit_of_it_is_previewed(
    cluster: Cluster, operator: OperatorThread
) -> None:
    cluster.create("old", deletionPolicy="Retain")
    cluster.wait_active("old")
    cluster.delete("old")
    cluster.wait_gone()
    (stack,) = cluster.stacks()
    machines = servers(cluster)
    manifest = cluster.manifest("new", image="ubuntu-24.04")
    manifest["metadata"]["annotations"] = {"stoker.dev/adopt-stack": stack.id}
    cluster.kubectl("apply", "-f", "-", text=json.dumps(manifest))
    refused = cluster.wait_reason("AdoptionRefused", "new")["message"]
    assert "the tags of another owner" in refused
    assert [s.tags for s in cluster.stacks()] == [stack.tags]

    path = f"/v1/{cluster.project.id}/stacks/{stack.name}/{stack.id}"
    with suppress(json.JSONDecodeError):  # Heat answers an update with a page
        cluster.project.user.call("PATCH", "HEAT", path, {"tags": "legacy"})
    wait_until("the tags to go", lambda: [s.status for s in cluster.stacks()] == ["UPDATE_COMPLETE"])
    cluster.patch("new", {"metadata": {"labels": {"look": "again"}}})

    condition = cluster.wait_reason("UpdateWouldReplace", "new")
    assert "server (replaced)" in condition["message"]
    vm = cluster.vm("new")
    assert vm is not None
    assert vm["status"]["stack"]["id"] == stack.id
    assert servers(cluster) == machines

    cluster.patch("new", {"spec": {"image": "cirros"}})
    cluster.wait_active("new")
    assert servers(cluster) == machines
    cluster.delete("new")
    cluster.wait_gone()
    assert cluster.stacks() == []
