"""Edits of a running VM, on the real Heat: what can be applied is, and nothing is rebuilt or lost unasked."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from localenv.openstack.rest import Client
from localenv.openstack.seed_cloud import PUBLIC_KEY
from localenv.settings import LocalSettings
from support.cluster import Cluster, wait_until
from support.operator import OperatorProcess, OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]

SSH = {"protocol": "tcp", "ports": "22", "cidr": "0.0.0.0/0"}


def servers(cluster: Cluster) -> dict[str, Any]:
    """Return the name of each server's flavor, by id."""
    flavors = {f["id"]: f["name"] for f in cluster.project.user.call("GET", "NOVA", "/v2.1/flavors")["flavors"]}
    return {server["id"]: flavors[server["flavor"]["id"]] for server in cluster.project.servers()}


def volumes(cluster: Cluster) -> dict[str, tuple[str, int]]:
    """Return the id and size of each volume, by name."""
    found = cluster.project.user.call("GET", "CINDER", f"/v3/{cluster.project.id}/volumes/detail")["volumes"]
    return {volume["name"]: (volume["id"], volume["size"]) for volume in found}


def applied(cluster: Cluster) -> dict[str, Any]:
    """Wait until the newest spec is applied, and return the VM's status."""

    def ready() -> Any:
        vm = cluster.vm()
        assert vm is not None
        status = vm.get("status", {})
        current = status.get("observedGeneration") == status.get("appliedGeneration") == vm["metadata"]["generation"]
        return current and cluster.condition()["status"] == "True" and status

    found: dict[str, Any] = wait_until("the newest spec to be applied", ready)
    return found


def states(cluster: Cluster, kind: str) -> list[str]:
    return [o["status"]["state"] for o in cluster.operations() if o["spec"]["type"] == kind]


def test_an_edit_is_applied_to_the_same_server(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create(sshAuthorizedKeys=[PUBLIC_KEY])
    before = applied(cluster)

    edit = {"flavor": "m1.small", "publicIP": True, "ingress": [SSH], "volumes": [{"name": "a", "sizeGiB": 1}]}
    cluster.patch("web-1", {"spec": edit})
    after = applied(cluster)

    assert servers(cluster) == {before["serverID"]: "m1.small"}
    assert (after["serverID"], after["stack"]["id"]) == (before["serverID"], before["stack"]["id"])
    assert after["publicIP"].startswith("172.24.")
    assert list(volumes(cluster)) == ["web-1-a"]
    assert after["operation"]["type"] == "Update"
    assert states(cluster, "Update") == ["Succeeded"]

    cluster.delete("web-1")
    cluster.wait_gone()
    assert (cluster.stacks(), servers(cluster), volumes(cluster)) == ([], {}, {})


def test_an_edit_that_would_cost_the_server_waits_for_allow_replace(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create()
    before = applied(cluster)

    cluster.patch("web-1", {"spec": {"image": "ubuntu-24.04"}})
    condition = cluster.wait_reason("UpdateWouldReplace")
    assert "server (replaced)" in condition["message"]
    assert cluster.condition(kind="Stalled")["status"] == "True"
    assert list(servers(cluster)) == [before["serverID"]]
    assert states(cluster, "Update") == []

    cluster.patch("web-1", {"spec": {"allowReplace": True}})
    after = applied(cluster)
    assert list(servers(cluster)) == [after["serverID"]] != [before["serverID"]]


def test_an_edit_that_is_taken_back_leaves_everything(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create()
    before = applied(cluster)
    cluster.patch("web-1", {"spec": {"flavor": "no-such-flavor"}})
    cluster.wait_reason("FlavorNotFound")

    cluster.patch("web-1", {"spec": {"flavor": "m1.tiny"}})

    after = applied(cluster)
    assert after["serverID"] == before["serverID"]
    assert states(cluster, "Update") == []


def test_a_removed_volume_is_the_one_that_goes(cluster: Cluster, operator: OperatorThread) -> None:
    """By position, the second would have become the first, and its disk would be gone."""
    a, b, c = ({"name": name, "sizeGiB": size} for name, size in (("a", 1), ("b", 2), ("c", 3)))
    cluster.create(volumes=[a, b])
    applied(cluster)
    before = volumes(cluster)

    cluster.patch("web-1", {"spec": {"volumes": [b]}})
    assert "volume_0 (deleted)" in cluster.wait_reason("UpdateWouldReplace")["message"]
    cluster.patch("web-1", {"spec": {"allowReplace": True}})
    applied(cluster)
    assert volumes(cluster) == {"web-1-b": before["web-1-b"]}

    cluster.patch("web-1", {"spec": {"volumes": [c, b], "allowReplace": False}})
    status = applied(cluster)
    assert volumes(cluster)["web-1-b"] == before["web-1-b"]
    assert status["volumeSlots"] == ["c", "b"]


def test_a_volume_that_cinder_refused_is_taken_back_without_allow_replace(
    cluster: Cluster, operator: OperatorThread
) -> None:
    cluster.create()
    before = applied(cluster)
    admin = Client.admin(cluster.settings)
    limits = f"/v3/{admin.project_id}/os-quota-sets/{cluster.project.id}"
    admin.call("PUT", "CINDER", limits, {"quota_set": {"volumes": 0}})
    cluster.patch("web-1", {"spec": {"volumes": [{"name": "data", "sizeGiB": 1}]}})
    cluster.wait_reason("CloudQuotaExceeded")
    assert volumes(cluster) == {}

    cluster.patch("web-1", {"spec": {"volumes": []}})

    after = applied(cluster)
    assert (after["serverID"], after["stack"]["id"]) == (before["serverID"], before["stack"]["id"])


def test_an_edit_during_a_create_converges_to_the_newest(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create()
    wait_until("a stack in progress", lambda: any(s.status == "CREATE_IN_PROGRESS" for s in cluster.stacks()))

    cluster.patch("web-1", {"spec": {"flavor": "m1.small"}})
    cluster.patch("web-1", {"spec": {"ingress": [SSH]}})

    status = applied(cluster)
    assert servers(cluster) == {status["serverID"]: "m1.small"}
    assert len(cluster.stacks()) == 1


@pytest.mark.timeout(900)
def test_kills_during_updates_leave_the_newest_spec_and_the_same_server(
    cluster: Cluster, onboarded: LocalSettings, tmp_path: Path
) -> None:
    chance = random.Random(5)
    with OperatorProcess(onboarded, str(tmp_path / "operator.log")) as operator:
        cluster.create()
        before = applied(cluster)
        for flavor in ("m1.small", "m1.medium", "m1.large"):  # each is news, whatever came of those before
            actions = operator.actions() + chance.randint(1, 3)
            cluster.patch("web-1", {"spec": {"flavor": flavor}})
            wait_until("some of its actions", lambda: operator.actions() >= actions)  # noqa: B023 -- called here only
            operator.replace()
        status = applied(cluster)
        assert servers(cluster) == {before["serverID"]: "m1.large"}
        assert status["stack"]["id"] == before["stack"]["id"]
        assert operator.stop() == 0
    assert set(states(cluster, "Update")) <= {"Succeeded", "Failed"}
