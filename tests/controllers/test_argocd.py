"""VMs in a Git repository, synced by the real Argo CD: it waits, notices, heals and prunes as the guide says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

import argocd_config
from localenv.settings import REPOSITORY
from simulator.control import Control
from support.argocd import NAMESPACE, ArgoCD
from support.cluster import wait_until
from support.controllers import Repository
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes

FULL = {
    "publicIP": True,
    "sshAuthorizedKeys": [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1heWJlIHRoaXMgaXMgYSBrZXksIG1heWJlIG5vdC4 a@example.org"
    ],
    "volumes": [{"name": "data", "sizeGiB": 2}],
    "ingress": [{"protocol": "tcp", "ports": "22", "cidr": "0.0.0.0/0"}, {"protocol": "icmp", "cidr": "10.0.0.0/8"}],
}


def versions(cluster: SimulatedCluster) -> dict[str, str]:
    return {vm["metadata"]["name"]: vm["metadata"]["resourceVersion"] for vm in cluster.vms()}


def annotated(manifest: dict[str, Any], **annotations: str) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}


@pytest.mark.parametrize(
    "options",
    [(), ("ServerSideApply=true",)],
    ids=["client-side", "server-side"],
)
def test_vms_from_git_are_synced_and_healthy_nothing_drifts_and_what_leaves_git_is_pruned(
    argocd: ArgoCD,
    repository: Repository,
    simulated: SimulatedCluster,
    operator: OperatorThread,
    options: tuple[str, ...],
) -> None:
    full, stopped = simulated.manifest("web-1", **FULL), simulated.manifest("web-2", powerState="Stopped")
    repository.push(full, stopped)
    with argocd.application(simulated.name, repository, *options) as application:
        application.wait("Synced", "Healthy")
        said = {name: one["health"]["message"] for name, one in application.resources().items()}
        assert said == {"web-1": "Active: The VM is as its spec asks.", "web-2": "Stopped: The VM is as its spec asks."}
        settled = versions(simulated)
        application.refresh()
        assert application.says() == ("Synced", "Healthy")
        assert versions(simulated) == settled, "Argo CD wrote again what we had written"
        assert len(application.read()["status"]["history"]) == 1

        repository.push(full)
        application.refresh()
        wait_until("web-2 to be pruned", lambda: set(versions(simulated)) == {"web-1"})
        wait_until("its stack to be gone", lambda: len(simulated.stacks()) == 1)
        application.wait("Synced", "Healthy")

        application.delete()
        assert simulated.vms() == []
        assert simulated.stacks() == []


def test_power_that_git_does_not_have_is_the_user_s(
    argocd: ArgoCD, repository: Repository, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    """The actions are run by Argo CD's own engine, on the setting as installed; what it returns is written as it does."""

    def act(name: str) -> None:
        before = simulated.vm()
        assert before is not None
        changed = argocd.act(name, before)
        simulated.patch(
            "web-1", {"metadata": {"annotations": changed["metadata"]["annotations"]}, "spec": changed["spec"]}
        )

    repository.push(simulated.manifest("web-1", **FULL))
    with argocd.application(simulated.name, repository) as application:
        application.wait("Synced", "Healthy")
        act("stop")
        simulated.wait_reason("Stopped")
        application.refresh()
        application.wait("Synced", "Healthy")
        assert simulated.condition()["reason"] == "Stopped"

        act("start")
        simulated.wait_reason("Active")
        act("restart")
        wait_until("the restart", lambda: (simulated.vm() or {}).get("status", {}).get("restartID"))
        application.refresh()
        application.wait("Synced", "Healthy")
        done = {one["spec"]["type"] for one in simulated.operations() if one["status"]["state"] == "Succeeded"}
        assert done == {"Create", "Stop", "Start", "Restart"}


def test_a_later_wave_waits_until_the_earlier_one_is_ready(
    argocd: ArgoCD, repository: Repository, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    wave = "argocd.argoproj.io/sync-wave"
    first, second = simulated.manifest("database"), simulated.manifest("web-1")
    repository.push(annotated(first, **{wave: "0"}), annotated(second, **{wave: "1"}))
    simulated.project.simulator.do(Control.settings, seconds={"create": 4.0})
    with argocd.application(simulated.name, repository) as application:
        application.wait("Synced", "Healthy")
        made = {vm["metadata"]["name"]: vm for vm in simulated.vms()}
        ready, begun = made["database"]["status"]["activeAt"], made["web-1"]["metadata"]["creationTimestamp"]
        assert made["database"]["metadata"]["creationTimestamp"] < ready <= begun


def test_a_terminal_error_is_degraded_until_git_is_mended(
    argocd: ArgoCD, repository: Repository, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    repository.push(simulated.manifest("web-1", flavor="m1.nope"))
    with argocd.application(simulated.name, repository) as application:
        application.wait("Synced", "Degraded")
        assert "FlavorNotFound: " in application.resources()["web-1"]["health"]["message"]
        repository.push(simulated.manifest("web-1"))
        application.refresh()
        application.wait("Synced", "Healthy")


def test_a_vm_that_is_paused_before_it_is_ready_is_suspended(
    argocd: ArgoCD, repository: Repository, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    repository.push(annotated(simulated.manifest("web-1"), **{"stoker.dev/paused": "true"}))
    with argocd.application(simulated.name, repository) as application:
        application.wait("Synced", "Suspended")
        repository.push(simulated.manifest("web-1"))
        application.refresh()
        application.wait("Synced", "Healthy")


def test_what_must_not_be_pruned_stays(
    argocd: ArgoCD, repository: Repository, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    """By the VM's own protection the sync fails, with the policy's words; by Argo CD's annotation it passes the VM by."""
    kept = annotated(simulated.manifest("web-2"), **{"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"})
    repository.push(simulated.manifest("web-1", terminationProtection=True), kept)
    with argocd.application(simulated.name, repository) as application:
        application.wait("Synced", "Healthy")
        repository.push()
        application.refresh()
        wait_until("the sync to fail", lambda: "terminationProtection" in application.told())
        assert application.says() == ("OutOfSync", "Healthy")

        repository.push(simulated.manifest("web-1"))
        application.refresh()
        wait_until(
            "the protection to be lifted", lambda: not (simulated.vm() or {})["spec"].get("terminationProtection")
        )
        application.delete()
        assert [vm["metadata"]["name"] for vm in simulated.vms()] == ["web-2"]
        assert len(simulated.stacks()) == 1


def test_power_in_git_is_put_back_unless_it_is_not_to_be_compared(
    argocd: ArgoCD, repository: Repository, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    guide = (REPOSITORY / "docs" / "gitops.md").read_text()
    setting = yaml.safe_load(guide.partition("not to be compared:\n\n```yaml\n")[2].partition("```")[0])
    repository.push(simulated.manifest("web-1", powerState="Running"))
    with argocd.application(simulated.name, repository) as application:
        application.wait("Synced", "Healthy")
        simulated.patch("web-1", {"spec": {"powerState": "Stopped"}})
        wait_until("it to be put back", lambda: (simulated.vm() or {})["spec"]["powerState"] == "Running")

        application.patch(setting)
        simulated.patch("web-1", {"spec": {"powerState": "Stopped"}})
        simulated.wait_reason("Stopped")
        application.refresh()
        application.wait("Synced", "Healthy")
        repository.push(simulated.manifest("web-1", powerState="Running", publicIP=True))
        application.refresh()
        wait_until("the other edit", lambda: (simulated.vm() or {})["spec"]["publicIP"])
        application.wait("Synced", "Healthy")
        assert simulated.condition()["reason"] == "Stopped"


def test_what_is_pruned_only_with_a_person_s_word_waits_for_it_and_a_retained_stack_is_left(
    argocd: ArgoCD, repository: Repository, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    confirmed = {"argocd.argoproj.io/sync-options": "Prune=confirm,Delete=confirm"}
    repository.push(annotated(simulated.manifest("web-1", deletionPolicy="Retain"), **confirmed))
    with argocd.application(simulated.name, repository) as application:
        application.wait("Synced", "Healthy")
        repository.push()
        application.refresh()
        wait_until("the question", lambda: "waiting for pruning confirmation" in application.told().lower())
        assert [vm["metadata"]["name"] for vm in simulated.vms()] == ["web-1"]

        now = datetime.now(UTC).isoformat(timespec="seconds")
        application.patch({"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": now}}})
        simulated.wait_gone()
        application.wait("Synced", "Healthy")
        assert [stack.status for stack in simulated.stacks()] == ["CREATE_COMPLETE"]


def test_a_vm_that_is_broken_for_good_reason_can_be_left_out_of_health(
    argocd: ArgoCD, repository: Repository, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    broken = annotated(
        simulated.manifest("web-2", flavor="m1.nope"), **{"argocd.argoproj.io/ignore-healthcheck": "true"}
    )
    repository.push(simulated.manifest("web-1"), broken)
    with argocd.application(simulated.name, repository) as application:
        simulated.wait_reason("FlavorNotFound", "web-2")
        simulated.wait_active("web-1")
        application.refresh()
        application.wait("Synced", "Healthy")


def test_argo_cd_takes_every_application_and_project_of_the_examples(argocd: ArgoCD) -> None:
    examples = argocd_config.FOLDER.parent / "examples" / "gitops"
    objects = [one for file in sorted(examples.rglob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]
    theirs = [one for one in objects if one["apiVersion"].startswith("argoproj.io/")]
    assert {one["metadata"]["namespace"] for one in theirs} == {NAMESPACE}
    for one in theirs:
        argocd.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", text=json.dumps(one))
