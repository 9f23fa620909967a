"""`stoker check` says of each tenant what the operator would find, before it runs."""

from __future__ import annotations

import asyncio
import os
import time
from unittest import mock

import pytest

from operator_run import environment
from simulator.control import Control
from stoker import check
from stoker.access import find_access
from stoker.check import Finding
from stoker.kube.client import KubeClient, open_session
from stoker.settings import Settings
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes


def found(simulated: SimulatedCluster) -> dict[str, Finding]:
    """Return what is found of the tenant, by what was checked; with the rights of the operator's account."""
    values = environment(simulated.settings)
    with mock.patch.dict(os.environ, values):
        access = find_access()

    async def collect() -> list[Finding]:
        async with open_session(access) as session:
            kube = KubeClient(session, access.server)
            return [finding async for finding in check.findings(kube, Settings.load(values))]

    subject = f"tenant {simulated.name}: "
    findings = asyncio.run(collect())
    of_all = {f.subject: f for f in findings if f.subject == "Secrets at rest"}
    return of_all | {f.subject.removeprefix(subject): f for f in findings if f.subject.startswith(subject)}


def test_each_verdict_is_a_line_and_what_cannot_be_seen_is_said_to_be_verified(simulated: SimulatedCluster) -> None:
    findings = found(simulated)
    assert [kind for kind, finding in findings.items() if finding.problem] == []
    assert set(findings) == {
        "Secrets at rest", "NamespacesExclusive", "CredentialsValid", "ProjectMatches", "EndpointsAllowed",
        "RolesSufficient", "TrustsPossible", "QuotaReadable", "catalog", "network profile default",
    }  # fmt: skip
    assert findings["catalog"].note == "flavors: 7, images: 3, networks: 2, key pairs: 0, volume types: 3"
    assert "--encryption-provider-config" in findings["Secrets at rest"].note
    assert "The first create tells." in findings["TrustsPossible"].note


def test_what_would_fail_says_what_to_do(simulated: SimulatedCluster) -> None:
    simulator, credential = simulated.project.simulator, simulated.project.application_credential_id
    simulator.do(Control.expire_credential, credential, time.time() + 10 * 86_400)
    simulator.fail("status", "GET", "/stacks$", status=403, message="no", times=None)
    findings = found(simulated)
    assert "Give the credential the roles it lacks." in (findings["RolesSufficient"].problem or "")
    assert "in 9 days: put new ones into the Tenant's Secret" in (findings["end of the credentials"].problem or "")

    simulated.patch_tenant({"spec": {"networkProfiles": [{"name": "default", "network": "privat"}]}})
    simulator.fail("status", "GET", "/limits$", status=503, times=None)
    findings = found(simulated)
    assert "; not readable: compute limits, volume limits" in findings["catalog"].note
    said = findings["network profile default"].problem or ""
    assert (
        "names the network privat, which the project does not see; the nearest: private. Correct the Tenant's" in said
    )

    simulator.do(Control.revoke, credential)
    findings = found(simulated)
    assert "Renew the credentials in the Tenant's Secret." in (findings["CredentialsValid"].problem or "")
    assert findings["ProjectMatches"].problem == "Not looked at: what comes before it is not well."
