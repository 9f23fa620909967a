"""Orphans on the real API server, with a cloud that breaks when asked: what goes, what stays, and who says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import onboard
from localenv.settings import LocalSettings
from simulator.control import Control
from stoker import metrics
from stoker.core.inputs import Inputs
from stoker.openstack.base import Credentials, Endpoint
from stoker.openstack.client import ProjectClient, connect
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes

SWEEPING = {"sweep_seconds": 0.5, "orphan_grace_seconds": 0.0}


@pytest.fixture
def sweeping(onboarded: LocalSettings) -> Iterator[OperatorThread]:
    """The operator, which sweeps twice a second and waits for nothing."""
    with OperatorThread(onboarded, **SWEEPING) as running:
        yield running


@pytest.fixture
def heat(simulated: SimulatedCluster) -> Iterator[ProjectClient]:
    """Somebody else's hands in the project."""
    owner = simulated.project
    credentials = Credentials(
        "application-credential", owner.application_credential_id, owner.application_credential_secret
    )
    endpoint = Endpoint(owner.simulator.auth_url, "RegionOne", "public", owner.id)
    client = connect(endpoint, credentials, timeout=20, create_timeout=20, user_agent="somebody/1")
    yield client
    client.close()


def orphaned(cluster: SimulatedCluster, name: str = "web-1") -> None:
    """Delete a VM, and take its finalizer off by hand while no operator runs."""
    cluster.delete(name)
    cluster.patch(name, {"metadata": {"finalizers": None}})
    wait_until(f"{name} to be gone", lambda: cluster.vm(name) is None)


def policy(cluster: SimulatedCluster, what: str) -> None:
    cluster.patch_tenant({"spec": {"orphanPolicy": what}})


def status(cluster: SimulatedCluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.tenant().get("status", {})
    return found


def told(cluster: SimulatedCluster) -> set[str]:
    """Return the reasons of the Tenant's Events."""
    found = json.loads(cluster.kubectl("get", "events", "-n", "default", "-o", "json"))["items"]
    return {event["reason"] for event in found if event["involvedObject"]["name"] == cluster.name}


def swept(cluster: SimulatedCluster, times: int = 5) -> None:
    """Wait until the tenant was swept so many times more."""

    def done() -> float:
        return (
            metrics.REGISTRY.get_sample_value("stoker_sweeps_total", {"tenant": cluster.name, "outcome": "done"}) or 0
        )

    before = done()
    wait_until(f"{times} sweeps", lambda: done() >= before + times)


def test_an_orphan_is_reported_and_goes_only_when_the_tenant_says_so(
    simulated: SimulatedCluster, onboarded: LocalSettings, tmp_path: Path
) -> None:
    with OperatorThread(onboarded):
        simulated.create("kept")
        simulated.create("lost")
        simulated.wait_active("kept", "lost")
    kept, lost = (simulated.vm(name)["status"]["stack"]["id"] for name in ("kept", "lost"))  # type: ignore[index]
    orphaned(simulated, "lost")

    with OperatorThread(onboarded, **SWEEPING, audit_dir=str(tmp_path / "audit"), identity=simulated.name):
        wait_until("the report", lambda: status(simulated).get("orphans"))
        assert [orphan["stackID"] for orphan in status(simulated)["orphans"]] == [lost]
        wait_until("the Event", lambda: "OrphanFound" in told(simulated))
        swept(simulated)
        assert len(simulated.stacks()) == 2

        policy(simulated, "Delete")
        wait_until("the orphan to go", lambda: [stack.id for stack in simulated.stacks()] == [kept])
        wait_until("its report to go", lambda: status(simulated)["orphanCount"] == 0)
        assert "OrphanDeleted" in told(simulated)
        swept(simulated)
        assert [stack.id for stack in simulated.stacks()] == [kept]
    records = [
        json.loads(line) for file in (tmp_path / "audit").glob("*.jsonl") for line in file.read_text().splitlines()
    ]
    assert [(r["kind"], r["requested_by"]) for r in records if r.get("reason") == "Orphan" and r["stack_id"] == lost] == [
        ("Intent", "operator"), ("Outcome", "operator"),
    ]  # fmt: skip


def test_many_orphans_at_once_wait_for_a_person(simulated: SimulatedCluster, onboarded: LocalSettings) -> None:
    names = ("one", "two", "three")
    policy(simulated, "Delete")
    with OperatorThread(onboarded):
        for name in names:
            simulated.create(name)
        simulated.wait_active(*names)
    for name in names:
        orphaned(simulated, name)

    with OperatorThread(onboarded, **SWEEPING):
        brake = wait_until("the brake", lambda: status(simulated).get("orphanBrake"))
        wait_until("the Event", lambda: "BrakeEngaged" in told(simulated))
        swept(simulated)
        assert len(simulated.stacks()) == 3

        annotation = brake["message"].rpartition("annotate the Tenant: ")[2]
        simulated.kubectl("annotate", "ostenant", simulated.name, annotation)
        wait_until("all to go", lambda: not simulated.stacks())
        wait_until("the brake to go", lambda: "orphanBrake" not in status(simulated))


def test_a_create_that_lands_after_its_vm_was_deleted_is_removed_even_under_report(
    simulated: SimulatedCluster, onboarded: LocalSettings
) -> None:
    simulator = simulated.project.simulator
    zombie = simulator.fail("zombie", "POST", "/stacks$")
    with OperatorThread(onboarded, **SWEEPING, create_deadline_seconds=3.0, create_timeout_seconds=2.0):
        simulated.create()
        wait_until("the request", lambda: simulator.do(Control.faults)[0]["hit"])
        simulated.delete()
        simulated.wait_gone()
        ended = {operation["spec"]["type"]: operation["status"]["state"] for operation in simulated.operations()}
        assert ended == {"Create": "Failed", "Delete": "Succeeded"}

        simulator.do(Control.release, zombie)
        wait_until("the Event", lambda: "OrphanDeleted" in told(simulated))
        wait_until("the stack to go", lambda: not simulated.stacks())
    assert simulator.count("POST /heat/v1/{project}/stacks") == 1


def test_a_retained_stack_outlives_its_namespace_and_stays_until_its_mark_is_removed(
    simulated: SimulatedCluster, onboarded: LocalSettings
) -> None:
    policy(simulated, "Delete")
    with OperatorThread(onboarded, **SWEEPING, operation_ttl_seconds=0.0):
        simulated.create(deletionPolicy="Retain")
        simulated.create("second", deletionPolicy="Retain")
        simulated.wait_active("web-1", "second")
        simulated.delete("second")
        wait_until("the second to go", lambda: simulated.vm("second") is None)
        simulated.kubectl("delete", "namespace", simulated.name, "--wait=false")
        gone = ("get", "namespace", simulated.name, "--ignore-not-found")
        wait_until("the namespace to be gone", lambda: not simulated.kubectl(*gone))
        swept(simulated)
        assert [stack.status for stack in simulated.stacks()] == ["CREATE_COMPLETE", "CREATE_COMPLETE"]
        assert status(simulated).get("orphanCount") == 0

        where = ("-n", onboard.NAMESPACE, "-l", f"stoker.dev/vm-namespace={simulated.name},stoker.dev/vm=second")
        simulated.kubectl("delete", "osvmop", *where)
        wait_until("the other one alone", lambda: len(simulated.stacks()) == 1)
        swept(simulated)
        assert len(simulated.stacks()) == 1
    simulated.kubectl("delete", "osvmop", "-n", onboard.NAMESPACE, "-l", f"stoker.dev/vm-namespace={simulated.name}")


def test_two_clusters_leave_each_other_s_stacks_alone(simulated: SimulatedCluster, onboarded: LocalSettings) -> None:
    """The second one has the same project, no VM, and says Delete."""
    policy(simulated, "Delete")
    with OperatorThread(onboarded):
        simulated.create()
        simulated.wait_active("web-1")
    (stack,) = simulated.stacks()
    orphaned(simulated)

    with OperatorThread(onboarded, cluster="the-other", **SWEEPING):
        swept(simulated)
        assert simulated.stacks() == [stack]
    with OperatorThread(onboarded, **SWEEPING):
        wait_until("its own cluster to remove it", lambda: not simulated.stacks())


def test_a_cluster_restored_under_another_identity_adopts_nothing_by_itself(
    simulated: SimulatedCluster, onboarded: LocalSettings
) -> None:
    with OperatorThread(onboarded):
        simulated.create()
        simulated.wait_active("web-1")
    (stack,) = simulated.stacks()
    vm = simulated.vm()
    assert vm is not None
    orphaned(simulated)
    simulated.kubectl("delete", "osvmop", "-n", simulated.name, "--all")
    backup = simulated.manifest("web-1")
    backup["metadata"]["annotations"] = {"stoker.dev/id": vm["status"]["id"]}
    policy(simulated, "Delete")

    with OperatorThread(onboarded, cluster="the-new-one", **SWEEPING):
        simulated.kubectl("apply", "-f", "-", text=json.dumps(backup))
        simulated.wait_reason("NameConflict")
        swept(simulated)
        assert simulated.stacks() == [stack]


def test_a_second_stack_of_one_name_is_reduced_to_the_recorded_one(
    simulated: SimulatedCluster, sweeping: OperatorThread, heat: ProjectClient
) -> None:
    """Heat's name check is no constraint: a ghost's create lands beside the first."""
    policy(simulated, "Delete")
    simulated.create()
    simulated.wait_active("web-1")
    (kept,) = simulated.stacks()
    simulated.project.simulator.fail("name-race", "POST", "/stacks$")
    (operation,) = simulated.operations()
    inputs = Inputs("ubuntu-basic@v1", "heat_template_version: 2021-04-16\nresources: {}\n", {})
    double = heat.heat.create(kept.name, kept.tags, inputs, timeout_minutes=10)
    assert double.stack_id != kept.id
    assert f"stoker-op={operation['metadata']['name']}" in kept.tags
    wait_until("one to be left", lambda: [stack.id for stack in simulated.stacks()] == [kept.id])
    swept(simulated)
    assert [stack.id for stack in simulated.stacks()] == [kept.id]


def test_an_object_whose_stack_is_missing_is_looked_at_by_the_sweep(
    simulated: SimulatedCluster, onboarded: LocalSettings, heat: ProjectClient
) -> None:
    """The poller rests for an hour, so only the sweep can tell."""
    with OperatorThread(onboarded, sweep_seconds=0.5, rest_seconds=3600.0):
        simulated.create()
        simulated.wait_active("web-1")
        (first,) = simulated.stacks()
        swept(simulated)
        heat.heat.delete(first.name, first.id)
        wait_until("another stack", lambda: [s for s in simulated.stacks() if s.id != first.id])
        simulated.wait_active("web-1")


def test_a_heat_that_fails_stops_the_sweep_and_nothing_else(
    simulated: SimulatedCluster, sweeping: OperatorThread
) -> None:
    simulated.create()
    simulated.wait_active("web-1")
    simulated.project.simulator.fail("status", "GET", "/stacks$", status=503, times=None)
    labels = {"tenant": simulated.name, "outcome": "failed"}
    wait_until("failed sweeps", lambda: metrics.REGISTRY.get_sample_value("stoker_sweeps_total", labels))
    assert len(simulated.stacks()) == 1
    assert simulated.vm() is not None
