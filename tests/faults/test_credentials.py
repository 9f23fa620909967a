"""Credentials that end, change or are taken away, while VMs are made: on the real API server, with a cloud to control."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import onboard
from simulator.control import Control
from stoker.core.tenancy import FINALIZER
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes

DAY = 86_400.0


def new_credential(simulated: SimulatedCluster) -> tuple[str, str]:
    """Make another application credential in the simulated Keystone; return its id and secret."""

    def make(control: Control) -> tuple[str, str]:
        made = control.cloud.add_credential(control.cloud.projects[simulated.project.id])
        return made.id, made.secret

    return simulated.project.simulator.do(make)


def put_secret(simulated: SimulatedCluster, **data: str) -> None:
    """Replace the content of the Tenant's Secret."""
    patch = json.dumps({"data": None, "stringData": data})
    name = f"{simulated.name}-openstack"
    simulated.kubectl("patch", "secret", name, "-n", onboard.NAMESPACE, "--type=merge", "-p", patch)


def rotate(simulated: SimulatedCluster) -> tuple[str, str]:
    """Put a new credential into the Tenant's Secret; return it."""
    identity, secret = new_credential(simulated)
    put_secret(simulated, application_credential_id=identity, application_credential_secret=secret)
    return identity, secret


def look_now(simulated: SimulatedCluster) -> None:
    """Have the operator look at the Tenant now rather than within half a minute: any edit of it does."""
    burst = (simulated.tenant()["spec"].get("rateLimit") or {}).get("burst", 400)
    simulated.patch_tenant({"spec": {"rateLimit": {"callsPerSecond": 200, "burst": burst + 1}}})


def condition_of(simulated: SimulatedCluster, kind: str = "Ready") -> dict[str, Any]:
    """Return one condition of the Tenant, or an empty one."""
    found = simulated.tenant().get("status", {}).get("conditions", [])
    return next((c for c in found if c["type"] == kind), {"status": "", "reason": "", "message": ""})


def wait_tenant(simulated: SimulatedCluster, reason: str, kind: str = "Ready") -> dict[str, Any]:
    """Wait until a condition of the Tenant has that reason."""
    found: dict[str, Any] = wait_until(
        f"{kind} of the Tenant to say {reason}", lambda: (c := condition_of(simulated, kind))["reason"] == reason and c
    )
    return found


def events_of(simulated: SimulatedCluster, reason: str) -> list[str]:
    """Return the messages of the Tenant's Events with that reason."""
    items = json.loads(simulated.kubectl("get", "events", "-n", "default", "-o", "json"))["items"]
    mine = [e for e in items if e["involvedObject"]["name"] == simulated.name and e["reason"] == reason]
    return [event["message"] for event in mine]


@contextmanager
def watching(look: Callable[[], None]) -> Iterator[None]:
    """Look again and again while something else goes on; what a look raises fails the test."""
    ending, failed = threading.Event(), []

    def run() -> None:
        while not ending.is_set():
            try:
                look()
            except Exception as error:  # noqa: BLE001 -- raised below
                failed.append(error)
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
    if failed:
        raise failed[0]


def test_a_secret_rotated_under_load_fails_no_vm(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    """VMs are made all the time; the Secret changes and the old credential is revoked at once, before it is noticed."""
    wait_tenant(simulated, "Connected")
    simulator, made = simulated.project.simulator, [0]
    bad: list[str] = []

    def load() -> None:
        made[0] += 1
        simulated.create(f"web-{made[0]}")
        bad.extend(vm["metadata"]["name"] for vm in simulated.vms() if vm.get("status", {}).get("phase") == "Error")

    old = simulated.project.application_credential_id
    with watching(load):
        for _ in range(3):
            reached = made[0] + 3
            wait_until("more VMs", lambda reached=reached: made[0] >= reached)
            fresh, _ = rotate(simulated)
            simulator.do(Control.revoke, old)
            old = fresh
        reached = made[0] + 3
        wait_until("VMs after the last rotation", lambda: made[0] >= reached)

    names = [f"web-{number}" for number in range(1, made[0] + 1)]
    simulated.wait_active(*names)
    assert bad == []
    failed = [o for o in simulated.operations() if o["status"].get("lastError") or o["status"]["state"] == "Failed"]
    assert failed == []
    assert refusals(simulated) == [], "no VM even heard of it"
    assert len(simulated.stacks()) == made[0]


def refusals(simulated: SimulatedCluster) -> list[str]:
    """Return the names of VMs that said that credentials were refused."""
    items = json.loads(simulated.kubectl("get", "events", "-n", simulated.name, "-o", "json"))["items"]
    return [event["involvedObject"]["name"] for event in items if event["reason"] == "Unauthorized"]


def test_a_create_refused_for_old_credentials_is_sent_with_the_new_ones_as_the_same_attempt(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    wait_tenant(simulated, "Connected")
    rotate(simulated)
    simulated.project.simulator.fail("status", "POST", "/stacks$", status=401, times=2)
    simulated.create()
    simulated.wait_active("web-1")
    assert refusals(simulated) == []
    assert [o["status"]["attempts"] for o in simulated.operations()] == [1]
    assert len(simulated.stacks()) == 1


def test_a_create_refused_for_the_only_credentials_is_no_failed_attempt(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    """The tenant stops, the claim stays as if it was never sent, and goes on with other credentials."""
    wait_tenant(simulated, "Connected")
    simulated.project.simulator.fail("status", "POST", "/stacks$", status=401, times=2)
    simulated.create()
    wait_tenant(simulated, "Unauthorized")
    assert simulated.wait_reason("Unauthorized")["status"] == "Unknown"
    assert (simulated.vm() or {})["status"]["phase"] != "Error"
    rotate(simulated)
    look_now(simulated)
    simulated.wait_active("web-1")
    assert [(o["status"]["attempts"], o["status"].get("lastError")) for o in simulated.operations()] == [(1, None)]


def test_a_revoked_credential_stops_the_tenant_and_leaves_its_vms_alone(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    simulator = simulated.project.simulator
    simulator.do(Control.revoke, simulated.project.application_credential_id)

    wait_tenant(simulated, "Unauthorized")
    assert condition_of(simulated, "CredentialsValid")["status"] == "False"
    assert condition_of(simulated, "RolesSufficient")["reason"] in ("NotLookedAt", "Verified")
    assert simulated.wait_reason("Unauthorized")["status"] == "Unknown"
    assert (simulated.vm() or {})["status"]["phase"] == "Active"
    before = simulator.count("POST /identity/v3/auth/tokens")
    simulated.delete()
    wait_until("the deletion to be seen", lambda: (simulated.vm() or {})["status"]["phase"] == "Deleting")
    simulated.create("web-2")
    simulated.wait_reason("Unauthorized", "web-2")
    assert simulator.count("POST /identity/v3/auth/tokens") <= before + 1, "VMs ask for no token of their own"
    assert len(simulated.stacks()) == 1, "not taken for gone"

    rotate(simulated)
    look_now(simulated)
    simulated.wait_active("web-2")
    wait_until("web-1 to be gone", lambda: simulated.vm("web-1") is None)
    assert len(simulated.stacks()) == 1


def test_the_end_of_a_credential_is_told_and_warned_of_once(simulated: SimulatedCluster, onboarded: Any) -> None:
    simulator, credential = simulated.project.simulator, simulated.project.application_credential_id
    simulator.do(Control.expire_credential, credential, time.time() + 6.5 * DAY)
    for _ in range(2):  # the second process finds the warning in the status
        with OperatorThread(onboarded):
            wait_tenant(simulated, "Connected")
            assert wait_until("the end to be told", lambda: simulated.tenant()["status"].get("credentialsExpireAt"))
            wait_until("the warning", lambda: events_of(simulated, "CredentialsExpire"))
            simulated.create("first")
            simulated.wait_active("first")
    assert simulated.tenant()["status"]["expiryWarnedDays"] == 7
    assert [message.split(", in ")[1][:6] for message in events_of(simulated, "CredentialsExpire")] == ["6 days"]


def test_an_expired_credential_leaves_running_vms_alone(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    simulator = simulated.project.simulator
    simulator.do(Control.expire_credential, simulated.project.application_credential_id, time.time() - 1)
    simulator.do(Control.expire_tokens, simulated.name)

    assert simulated.wait_reason("Unauthorized")["status"] == "Unknown"
    assert (simulated.vm() or {})["status"]["phase"] == "Active"
    assert [stack.status for stack in simulated.stacks()] == ["CREATE_COMPLETE"]
    wait_tenant(simulated, "Unauthorized")


def test_a_secret_that_is_deleted_holds_its_vms_with_a_reason_until_it_is_back(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    simulated.kubectl("delete", "secret", f"{simulated.name}-openstack", "-n", onboard.NAMESPACE)
    look_now(simulated)
    wait_tenant(simulated, "CredentialsInvalid")
    simulated.delete()

    said = simulated.wait_reason("CredentialsInvalid")
    assert f"the Secret {onboard.NAMESPACE}/{simulated.name}-openstack does not exist" in said["message"]
    assert "Correct the Tenant's credentials Secret." in said["message"]
    assert len(simulated.stacks()) == 1

    simulated.open()
    look_now(simulated)
    simulated.wait_gone()
    assert simulated.stacks() == []


def test_a_refused_trust_is_remembered_by_the_tenant_until_other_credentials_come(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    wait_tenant(simulated, "NotKnown", "TrustsPossible")
    simulated.project.simulator.do(Control.settings, trusts=True)
    simulated.create()
    simulated.wait_reason("CredentialCannotCreateTrusts")
    wait_tenant(simulated, "CredentialCannotCreateTrusts", "TrustsPossible")
    wait_tenant(simulated, "CredentialCannotCreateTrusts")

    simulated.project.simulator.do(Control.settings, trusts=False)
    rotate(simulated)
    look_now(simulated)
    wait_tenant(simulated, "NotKnown", "TrustsPossible")
    simulated.create("web-2")
    simulated.wait_active("web-2")
    wait_tenant(simulated, "SeenToWork", "TrustsPossible")
    wait_tenant(simulated, "Connected")


def test_what_the_preflight_sees_is_a_condition_each(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    wait_tenant(simulated, "Connected")
    found = {c["type"]: (c["status"], c["reason"]) for c in simulated.tenant()["status"]["conditions"]}
    assert found == {
        "Ready": ("True", "Connected"),
        "NamespacesExclusive": ("True", "Verified"),
        "CredentialsValid": ("True", "Verified"),
        "ProjectMatches": ("True", "Verified"),
        "EndpointsAllowed": ("True", "Verified"),
        "RolesSufficient": ("True", "Verified"),
        "TrustsPossible": ("Unknown", "NotKnown"),
        "QuotaReadable": ("True", "Verified"),
    }
    assert "member, reader" in condition_of(simulated, "RolesSufficient")["message"]
    assert FINALIZER in simulated.tenant()["metadata"]["finalizers"]


def test_roles_that_heat_refuses_are_told_and_limits_that_cannot_be_read_are_no_failure(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulator = simulated.project.simulator
    simulator.fail("status", "GET", "/limits", status=403, message="no", times=None)
    rotate(simulated)
    look_now(simulated)
    wait_tenant(simulated, "Forbidden", "QuotaReadable")
    wait_tenant(simulated, "Connected")
    simulator.fail("status", "GET", "/stacks$", status=403, message="no", times=None)
    rotate(simulated)
    look_now(simulated)
    wait_tenant(simulated, "Forbidden", "RolesSufficient")
    wait_tenant(simulated, "Forbidden")


def test_a_restart_writes_no_tenant_and_forgets_nothing_of_trusts(simulated: SimulatedCluster) -> None:
    """Only a create tells of trusts, so a process that begins has nothing to say it from but what was stored."""
    with OperatorThread(simulated.settings):
        simulated.create()
        simulated.wait_active("web-1")
        wait_tenant(simulated, "SeenToWork", "TrustsPossible")
    before = simulated.tenant()

    with OperatorThread(simulated.settings):
        simulated.create("web-2")
        simulated.wait_active("web-2")
    assert simulated.tenant() == before
