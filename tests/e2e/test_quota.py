"""A Tenant's quota on the real services: two of four VMs, and the next when one goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localenv.settings import LocalSettings
from support.cluster import Cluster, wait_until
from support.openstack_projects import Project
from support.operator import OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]


@pytest.fixture
def limited(onboarded: LocalSettings, project: Project) -> Iterator[Cluster[Project]]:
    cluster = Cluster(onboarded, project, tenant_spec={"quota": {"vms": 2, "vcpus": 2}})
    cluster.open()
    yield cluster
    cluster.close()


def test_of_four_vms_with_room_for_two_two_are_made_and_the_next_when_one_goes(
    limited: Cluster[Project], operator: OperatorThread
) -> None:
    """Room goes to those who ask first: of four made within a second these may be any two, and what waits goes by age."""
    names = [f"web-{n}" for n in range(4)]
    for name in names:
        limited.create(name)

    def made() -> list[str]:
        return [vm["metadata"]["name"] for vm in limited.vms() if vm.get("status", {}).get("phase") == "Active"]

    wait_until("two VMs to be Active", lambda: len(made()) == 2)
    first, (older, younger) = made(), [name for name in names if name not in made()]
    for name in (older, younger):
        assert "VMs: 1 more asked for, 2 of 2 used" in limited.wait_reason("QuotaExceeded", name)["message"]
    assert len(limited.stacks()) == 2
    limited.delete(first[0])
    limited.wait_active(older)

    assert limited.condition(younger)["reason"] == "QuotaExceeded"
    used = {"vms": 2, "vcpus": 2, "ramMiB": 1024, "gpus": 0, "volumesGiB": 0, "floatingIPs": 0}
    wait_until("the Tenant to say so", lambda: limited.tenant()["status"]["used"] == used)
    limited.delete()
    limited.wait_gone()
    wait_until("all stacks to be gone", lambda: not limited.stacks())
