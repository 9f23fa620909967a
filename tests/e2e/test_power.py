"""Power and drift on the real Nova and Heat."""

from __future__ import annotations

from typing import Any

import pytest

from support.cluster import Cluster, wait_until
from support.operator import OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]


def server(cluster: Cluster) -> dict[str, Any]:
    """Return the project's only server."""
    (found,) = cluster.project.servers()
    return dict(found)


def ready(cluster: Cluster, reason: str) -> dict[str, Any]:
    """Wait until the VM is Ready for that reason, and return its status."""

    def there() -> Any:
        condition, vm = cluster.condition(), cluster.vm()
        assert vm is not None
        current = condition.get("observedGeneration") == vm["metadata"]["generation"]
        return current and (condition["status"], condition["reason"]) == ("True", reason) and vm["status"]

    found: dict[str, Any] = wait_until(f"the VM to be {reason}", there)
    return found


def operations(cluster: Cluster) -> list[tuple[str, str]]:
    """Return type and state of all operations but the create."""
    found = [(one["spec"]["type"], one["status"]["state"]) for one in cluster.operations()]
    return sorted(one for one in found if one[0] != "Create")


def test_a_vm_is_stopped_started_and_restarted(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create()
    before = ready(cluster, "Active")

    cluster.patch("web-1", {"spec": {"powerState": "Stopped"}})
    assert ready(cluster, "Stopped")["powerState"] == "Stopped"
    assert server(cluster)["status"] == "SHUTOFF"

    cluster.patch("web-1", {"spec": {"powerState": "Running"}})
    assert ready(cluster, "Active")["serverID"] == before["serverID"]
    assert server(cluster)["status"] == "ACTIVE"

    cluster.patch("web-1", {"metadata": {"annotations": {"stoker.dev/restart": "1"}}})
    wait_until("the restart", lambda: (cluster.vm() or {})["status"].get("restartID") == "1")
    assert operations(cluster) == [("Restart", "Succeeded"), ("Start", "Succeeded"), ("Stop", "Succeeded")]
    cluster.delete("web-1")
    cluster.wait_gone()
    assert cluster.stacks() == []


def test_a_server_deleted_behind_the_back_is_reported_then_made_anew(
    cluster: Cluster, operator: OperatorThread
) -> None:
    cluster.create()
    before = ready(cluster, "Active")

    cluster.project.user.call("DELETE", "NOVA", f"/v2.1/servers/{before['serverID']}")
    cluster.wait_reason("DriftFound")
    assert "is gone" in cluster.condition(kind="Drifted")["message"]
    assert operations(cluster) == []

    cluster.patch("web-1", {"spec": {"driftPolicy": "Repair"}})
    after = ready(cluster, "Active")
    assert after["serverID"] == server(cluster)["id"] != before["serverID"]
    assert (after["stack"]["id"], after["privateIP"]) == (before["stack"]["id"], before["privateIP"])
    assert operations(cluster) == [("Repair", "Succeeded")]
    assert cluster.condition(kind="Drifted")["status"] == ""
    cluster.delete("web-1")
    cluster.wait_gone()
    assert cluster.stacks() == []
