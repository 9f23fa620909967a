"""Heat with trusts, as most clouds run it: an application credential is refused there, and the VM says so once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import onboard
from localenv import access_log
from localenv.openstack import start_trusts, stop_trusts
from localenv.settings import LocalSettings
from support.cluster import Cluster, wait_until
from support.operator import OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]


@pytest.fixture
def trusts(onboarded: LocalSettings) -> Iterator[None]:
    """A second Heat, in a region of its own, that makes a trust for every stack."""
    start_trusts(onboarded)
    onboard.apply(onboarded, [onboard.cloud(onboarded, "trusts", "RegionTrusts")])
    yield
    stop_trusts(onboarded)


def test_a_refused_trust_is_said_and_not_tried_hot(trusts: None, cluster: Cluster, operator: OperatorThread) -> None:
    """The cloud of a Tenant is pinned, so the tenant is made anew with the other cloud."""
    cluster.kubectl("delete", "ostenant", cluster.name)
    wait_until("the Tenant to go", lambda: not cluster.kubectl("get", "ostenant", cluster.name, "--ignore-not-found"))
    tenant = onboard.tenant(cluster.name, cluster.project.id, cluster.credential(), [cluster.name], "trusts")
    onboard.apply(cluster.settings, tenant)

    cluster.create()

    condition = cluster.wait_reason("CredentialCannotCreateTrusts")
    assert "service user's password" in condition["message"]
    assert cluster.condition(kind="Stalled")["status"] == "True"
    (operation,) = cluster.operations()
    assert operation["status"]["nextRetryTime"]
    asked = access_log.read(cluster.settings, "heat-trusts", since=0.0, client="stoker")
    creates = [entry for entry in asked if entry.method == "POST" and cluster.project.id in entry.path]
    assert len(creates) == operation["status"]["attempts"] == 1
