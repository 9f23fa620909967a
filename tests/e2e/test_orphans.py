"""Orphans on the real API server and the real OpenStack."""

from __future__ import annotations

import pytest

from localenv.settings import LocalSettings
from support.cluster import Cluster, wait_until
from support.openstack_projects import Project
from support.operator import OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]


def test_an_orphan_is_reported_then_deleted_and_another_cluster_s_stack_stays(
    cluster: Cluster[Project], onboarded: LocalSettings
) -> None:
    """The other cluster's operator runs as well, later, on the same project and with the same policy."""
    tags = "stoker,stoker-cluster=another,stoker-vm=theirs"
    theirs = cluster.project.create_stack("vm-theirs", tags=tags)
    with OperatorThread(onboarded):
        cluster.create()
        cluster.wait_active("web-1")
    vm = cluster.vm()
    assert vm is not None
    ours = vm["status"]["stack"]["id"]
    cluster.delete("web-1")
    cluster.patch("web-1", {"metadata": {"finalizers": None}})
    cluster.wait_gone()

    with OperatorThread(onboarded, sweep_seconds=2.0, orphan_grace_seconds=5.0):
        wait_until("the report", lambda: cluster.tenant()["status"].get("orphans"))
        assert [orphan["stackID"] for orphan in cluster.tenant()["status"]["orphans"]] == [ours]
        assert {stack.id for stack in cluster.stacks()} == {ours, theirs}
        cluster.patch_tenant({"spec": {"orphanPolicy": "Delete"}})
        wait_until("ours to go", lambda: [stack.id for stack in cluster.stacks()] == [theirs])
        wait_until("its report to go", lambda: cluster.tenant()["status"]["orphanCount"] == 0)
    with OperatorThread(onboarded, cluster="another", sweep_seconds=2.0, orphan_grace_seconds=0.0):
        wait_until("their own cluster to remove it", lambda: not cluster.stacks())
