"""VMs in a Git repository, applied by Flux's real kustomize-controller: it waits, fails at once, leaves alone and prunes."""

from __future__ import annotations

import json

import pytest
import yaml

from localenv.settings import REPOSITORY
from support.cluster import wait_until
from support.flux import NAMESPACE, Flux
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes


def test_a_kustomization_that_waits_is_ready_when_its_vms_are_and_prunes_what_leaves_git(
    flux: Flux, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    ports = [{"protocol": "tcp", "ports": "22", "cidr": "0.0.0.0/0"}]
    runs, stopped = simulated.manifest("web-1", ingress=ports), simulated.manifest("web-2", powerState="Stopped")
    with flux.kustomization(simulated.name, runs, stopped) as kustomization:
        kustomization.wait("ReconciliationSucceeded")
        assert {vm["status"]["phase"] for vm in simulated.vms()} == {"Active"}
        assert simulated.condition("web-2")["reason"] == "Stopped"
        before = {vm["metadata"]["name"]: vm["metadata"]["resourceVersion"] for vm in simulated.vms()}
        kustomization.reconcile()
        assert {vm["metadata"]["name"]: vm["metadata"]["resourceVersion"] for vm in simulated.vms()} == before

        kustomization.push(runs)
        kustomization.wait("ReconciliationSucceeded")
        wait_until("web-2 to be pruned", lambda: [vm["metadata"]["name"] for vm in simulated.vms()] == ["web-1"])
        wait_until("its stack to be gone", lambda: len(simulated.stacks()) == 1)
    simulated.wait_gone()
    wait_until("its stack to be gone", lambda: not simulated.stacks())


def test_a_kustomization_fails_at_once_when_a_vm_is_stalled(
    flux: Flux, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    with flux.kustomization(simulated.name, simulated.manifest("web-1", flavor="m1.nope")) as kustomization:
        failed = kustomization.wait("HealthCheckFailed")
        assert failed["status"] == "False"
        assert "failed early due to stalled resources" in failed["message"]
        assert f"VirtualMachine/{simulated.name}/web-1 status: 'Failed'" in failed["message"]
        kustomization.push(simulated.manifest("web-1"))
        kustomization.wait("ReconciliationSucceeded")


def test_what_a_day_two_command_writes_stays_under_a_field_manager_of_its_own(
    flux: Flux, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    with flux.kustomization(simulated.name, simulated.manifest("web-1")) as kustomization:
        kustomization.wait("ReconciliationSucceeded")
        patch = ["patch", "osvm", "web-1", "-n", simulated.name, "--type=merge", "-p"]
        flux.kubectl(*patch, '{"spec": {"powerState": "Stopped"}}', "--field-manager=osvm")
        simulated.wait_reason("Stopped")
        kustomization.reconcile()
        assert simulated.condition()["reason"] == "Stopped"

        flux.kubectl(*patch, '{"spec": {"publicIP": true}}')
        kustomization.reconcile()
        vm = simulated.vm()
        assert vm is not None
        assert (vm["spec"]["powerState"], vm["spec"]["publicIP"]) == ("Stopped", False), "kubectl's own is taken back"


def test_what_must_not_be_pruned_stays_and_a_retained_stack_is_left(
    flux: Flux, simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    kept, retained = simulated.manifest("web-1"), simulated.manifest("web-2", deletionPolicy="Retain")
    kept["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    rest = simulated.manifest("web-3")
    with flux.kustomization(simulated.name, kept, retained, rest) as kustomization:
        kustomization.wait("ReconciliationSucceeded")
        kustomization.push(rest)
        kustomization.wait("ReconciliationSucceeded")
        wait_until(
            "web-2 to be pruned", lambda: {vm["metadata"]["name"] for vm in simulated.vms()} == {"web-1", "web-3"}
        )
        assert len(simulated.stacks()) == 3


def test_flux_takes_every_object_of_the_examples(flux: Flux) -> None:
    folder = REPOSITORY / "deploy" / "examples" / "gitops" / "platform" / "flux"
    for file in sorted(folder.glob("*.yaml")):
        for one in yaml.safe_load_all(file.read_text()):
            one["metadata"]["namespace"] = NAMESPACE  # the teams' own do not exist here
            flux.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", text=json.dumps(one))
