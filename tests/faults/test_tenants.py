"""Tenants that go, by the book or by force: never a lost stack, never a silent release."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

import onboard
from localenv.settings import LocalSettings
from simulator.control import Control
from simulator.local import Simulator
from stoker.core.tenancy import FINALIZER
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.kubernetes


def tenant_of(simulated: SimulatedCluster, name: str = "") -> dict[str, Any] | None:
    text = simulated.kubectl("get", "ostenant", name or simulated.name, "-o", "json", "--ignore-not-found")
    return json.loads(text) if text else None


def condition(simulated: SimulatedCluster, kind: str, name: str = "") -> dict[str, Any]:
    found = (tenant_of(simulated, name) or {}).get("status", {}).get("conditions", [])
    return next((c for c in found if c["type"] == kind), {"status": "", "reason": "", "message": ""})


def wait_condition(simulated: SimulatedCluster, kind: str, reason: str, name: str = "") -> dict[str, Any]:
    found: dict[str, Any] = wait_until(
        f"{kind} to say {reason}", lambda: (c := condition(simulated, kind, name))["reason"] == reason and c
    )
    return found


def delete_tenant(simulated: SimulatedCluster, name: str = "") -> None:
    simulated.kubectl("delete", "ostenant", name or simulated.name, "--wait=false")


@pytest.fixture
def other(simulated: SimulatedCluster) -> Any:
    """Make further Tenants in the same cloud, and remove them."""
    names: list[str] = []

    def make(**spec: Any) -> str:
        name = f"other-{uuid.uuid4().hex[:8]}"
        project = simulated.project.simulator.project(name)
        credential = {
            "application_credential_id": project["application_credential_id"],
            "application_credential_secret": project["application_credential_secret"],
        }
        objects = onboard.tenant(name, project["project_id"], credential, [simulated.name], simulated.name)
        objects[1]["spec"] |= spec
        onboard.apply(simulated.settings, objects)
        names.append(name)
        return name

    yield make
    for name in names:
        patch = json.dumps({"metadata": {"finalizers": None}})
        if tenant_of(simulated, name):
            simulated.kubectl("patch", "ostenant", name, "--type=merge", "-p", patch)
        simulated.kubectl("delete", "ostenant", name, "--ignore-not-found", "--wait=false")
        simulated.kubectl("delete", "secret", f"{name}-openstack", "-n", onboard.NAMESPACE, "--ignore-not-found")


def test_a_tenant_with_vms_stays_and_serves_them_until_they_are_gone(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create("web-1")
    simulated.create("web-2")
    simulated.wait_active("web-1", "web-2")
    delete_tenant(simulated)

    said = wait_condition(simulated, "DeletionBlocked", "VirtualMachinesExist")
    assert f"2 VirtualMachines are left: {simulated.name}/web-1, {simulated.name}/web-2." in said["message"]
    found = tenant_of(simulated)
    assert found is not None
    assert FINALIZER in found["metadata"]["finalizers"]
    assert condition(simulated, "Ready")["status"] == "True"
    simulated.create("late")
    assert "is being deleted" in simulated.wait_reason("TenantNotReady", "late")["message"]
    assert len(simulated.stacks()) == 2

    simulated.delete()
    simulated.wait_gone()
    wait_until("the Tenant to be gone", lambda: tenant_of(simulated) is None)
    assert simulated.stacks() == []
    events = json.loads(simulated.kubectl("get", "events", "-n", "default", "-o", "json"))["items"]
    assert "VirtualMachinesExist" in {e["reason"] for e in events if e["involvedObject"]["name"] == simulated.name}


def test_a_tenant_without_vms_goes_at_once(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    wait_condition(simulated, "Ready", "Connected")
    delete_tenant(simulated)
    wait_until("the Tenant to be gone", lambda: tenant_of(simulated) is None)


def test_a_tenant_taken_away_by_force_leaves_its_vms_with_a_reason_and_their_stacks(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create("stays")
    simulated.create("goes")
    simulated.wait_active("stays", "goes")
    simulated.patch_tenant({"metadata": {"finalizers": None}})
    delete_tenant(simulated)

    def forced() -> bool:
        if tenant_of(simulated) is not None:
            simulated.patch_tenant({"metadata": {"finalizers": None}})
        return tenant_of(simulated) is None

    wait_until("the Tenant to be gone", forced)
    simulated.delete("goes")
    for name in ("stays", "goes"):
        said = simulated.wait_reason("TenantNotFound", name)
        assert (said["status"], "Add the namespace to a Tenant." in said["message"]) == ("Unknown", True)
    assert (simulated.vm("goes") or {})["status"]["phase"] == "Deleting"
    assert len(simulated.stacks()) == 2

    simulated.open()
    wait_until("the deleted VM to be gone", lambda: simulated.vm("goes") is None)
    simulated.wait_reason("Active", "stays")
    assert len(simulated.stacks()) == 1


def test_a_namespace_of_two_tenants_is_of_neither_and_the_younger_can_go_again(
    simulated: SimulatedCluster, operator: OperatorThread, other: Callable[..., str]
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    second = other()

    said = wait_condition(simulated, "NamespacesExclusive", "NamespaceConflict")
    assert f"{simulated.name} (also {second})" in said["message"]
    said = wait_condition(simulated, "NamespacesExclusive", "NamespaceConflict", second)
    assert f"{simulated.name} (also {simulated.name})" in said["message"]
    assert simulated.wait_reason("TenantNotReady")["status"] == "Unknown"
    assert len(simulated.stacks()) == 1

    delete_tenant(simulated, second)
    wait_until("the second to be gone", lambda: tenant_of(simulated, second) is None)
    simulated.wait_reason("Active")
    wait_condition(simulated, "Ready", "Connected")
    assert len(simulated.stacks()) == 1


def test_a_namespace_that_moves_to_another_project_keeps_its_stack(
    simulated: SimulatedCluster, operator: OperatorThread, other: Callable[..., str]
) -> None:
    """Nothing is made in the new project, and nothing is forgotten in the old one."""
    simulated.create()
    simulated.wait_active("web-1")
    simulated.patch_tenant({"spec": {"namespaces": [f"elsewhere-{simulated.name}"]}})
    second = other()
    wait_condition(simulated, "CredentialsValid", "Verified", second)

    said = simulated.wait_reason("ProjectChanged")
    assert f"the stack is in the project {simulated.project.id}" in said["message"]
    simulated.delete()
    wait_until("the deletion to be seen", lambda: (simulated.vm() or {})["status"]["phase"] == "Deleting")
    assert simulated.wait_reason("ProjectChanged")
    delete_tenant(simulated)
    wait_condition(simulated, "DeletionBlocked", "VirtualMachinesExist")
    assert len(simulated.stacks()) == 1

    simulated.patch_tenant({"spec": {"namespaces": [simulated.name]}})
    delete_tenant(simulated, second)
    simulated.wait_gone()
    wait_until("both Tenants to be gone", lambda: not tenant_of(simulated) and not tenant_of(simulated, second))
    assert simulated.stacks() == []


def test_a_vm_whose_create_was_not_answered_stays_in_its_project_until_that_is_known(
    simulated: SimulatedCluster, onboarded: LocalSettings, other: Callable[..., str]
) -> None:
    """Nothing is recorded of a stack yet; in the new project it would be missed, and made again."""
    simulator, creates = simulated.project.simulator, "POST /heat/v1/{project}/stacks"
    zombie = simulator.fail("zombie", "POST", "/stacks$")
    impatient = {"create_timeout_seconds": 2.0, "create_deadline_seconds": 5.0}
    with OperatorThread(onboarded, **impatient):
        simulated.create()
        wait_until("the request", lambda: simulator.do(Control.faults)[0]["hit"])
        simulated.patch_tenant({"spec": {"namespaces": [f"elsewhere-{simulated.name}"]}})
        second = other()
        said = simulated.wait_reason("ProjectChanged")
        assert f"the stack may be in the project {simulated.project.id}" in said["message"]

    with OperatorThread(onboarded, **impatient):
        wait_condition(simulated, "CredentialsValid", "Verified", second)
        simulated.patch("web-1", {"spec": {"plan": "large"}})
        wait_until("the edit to be seen", lambda: (simulated.vm() or {})["status"]["observedGeneration"] == 2)
        assert simulated.condition()["reason"] == "ProjectChanged"
        assert simulator.count(creates) == 1

        simulator.do(Control.release, zombie)
        simulated.patch_tenant({"spec": {"namespaces": [simulated.name]}})
        delete_tenant(simulated, second)
        simulated.wait_active("web-1")
        assert len(simulated.stacks()) == simulator.count(creates) == 1
        simulated.delete()
        simulated.wait_gone()


def test_a_namespace_deleted_with_many_vms_in_it_leaves_no_stack(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    names = [f"web-{number}" for number in range(12)]
    for name in names:
        simulated.create(name)
    wait_until("some stacks", lambda: len(simulated.stacks()) >= 3)
    simulated.kubectl("delete", "namespace", simulated.name, "--wait=false")
    wait_until(
        "the namespace to be gone", lambda: not simulated.kubectl("get", "ns", simulated.name, "--ignore-not-found")
    )
    assert simulated.stacks() == []


def test_namespace_secret_and_tenant_deleted_together_end_with_no_stack_once_the_secret_is_back(
    onboarded: LocalSettings, simulator: Simulator, operator: OperatorThread
) -> None:
    simulated = simulated_cluster(onboarded, simulator)
    simulated.open()
    simulated.create()
    simulated.wait_active("web-1")
    secret = f"{simulated.name}-openstack"
    simulated.kubectl("delete", "secret", secret, "-n", onboard.NAMESPACE)
    delete_tenant(simulated)
    wait_condition(simulated, "CredentialsValid", "CredentialsInvalid")
    simulated.kubectl("delete", "namespace", simulated.name, "--wait=false")

    assert secret in simulated.wait_reason("CredentialsInvalid")["message"]
    wait_condition(simulated, "DeletionBlocked", "VirtualMachinesExist")
    assert len(simulated.stacks()) == 1

    back, _ = onboard.tenant(simulated.name, simulated.project.id, simulated.credential(), [simulated.name])
    onboard.apply(onboarded, [back])
    wait_until(
        "namespace and Tenant to be gone",
        lambda: (
            tenant_of(simulated) is None and not simulated.kubectl("get", "ns", simulated.name, "--ignore-not-found")
        ),
    )
    assert simulated.stacks() == []
    simulated.kubectl("delete", "secret", secret, "-n", onboard.NAMESPACE)
    simulated.kubectl("delete", "oscloud", simulated.name)
