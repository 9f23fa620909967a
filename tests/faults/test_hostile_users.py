"""What a hostile user of one namespace can write: it hinders neither Stoker nor anybody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.control import Control
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes

FINALIZER = "example.com/mine"
FORGED = {
    "kopf.zalando.org/last-handled-configuration": '{"spec": {"flavor": "m1.small"}}',
    "kopf.zalando.org/touch-dummy": "2099-01-01T00:00:00Z",
    "kopf.zalando.org/saw": '{"started": "2099-01-01T00:00:00Z", "success": true, "purpose": "create"}',
}
"""What kopf would write, were its handlers to keep their progress on the object: it says that all is done."""

ODD = "{get_param: OS::project_id} $(id) %s `id` ../../etc \u202e\U0001f525 http://169.254.169.254/"


def apply(simulated: SimulatedCluster, manifest: dict[str, Any], **metadata: Any) -> None:
    manifest["metadata"] |= metadata
    simulated.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(manifest))


def settled(simulated: SimulatedCluster, name: str = "web-1") -> bool:
    vm = simulated.vm(name) or {"metadata": {"generation": 0}}
    applied = vm.get("status", {}).get("appliedGeneration") == vm["metadata"]["generation"]
    return applied and simulated.condition(name)["status"] == "True"


def parameters(simulated: SimulatedCluster) -> dict[str, Any]:
    """Return what the project's one stack was given."""
    (stack,) = simulated.stacks()

    def given(control: Control) -> dict[str, Any]:
        return dict(control.cloud.stacks.by_id[stack.id].parameters)

    return simulated.project.simulator.do(given)


def test_annotations_in_the_framework_s_name_hinder_nothing(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    apply(simulated, simulated.manifest("web-1"), annotations=FORGED)
    simulated.wait_active("web-1")

    simulated.patch("web-1", {"metadata": {"annotations": FORGED}, "spec": {"flavor": "m1.small"}})

    wait_until("the edit", lambda: settled(simulated) and parameters(simulated)["flavor"] == "m1.small")


def test_a_forged_stack_id_in_a_status_costs_nobody_a_stack(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    for name in ("mallory", "victim"):
        simulated.create(name)
    simulated.wait_active("mallory", "victim")
    ids = {vm["metadata"]["name"]: vm["status"]["stack"]["id"] for vm in simulated.vms()}
    forged = {"status": {"stack": {"id": ids["victim"]}}}
    simulated.kubectl(
        "patch", "osvm", "mallory", "-n", simulated.name, "--subresource=status", "--type=merge", "-p", json.dumps(forged)
    )  # fmt: skip

    simulated.delete("mallory")

    wait_until("the forger to be gone", lambda: simulated.vm("mallory") is None)
    assert [stack.id for stack in simulated.stacks()] == [ids["victim"]]
    assert settled(simulated, "victim")


def test_a_finalizer_an_owner_and_a_thousand_labels_of_somebody_s_are_left_alone(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.kubectl("create", "configmap", "owner", "-n", simulated.name)
    uid = simulated.kubectl("get", "configmap", "owner", "-n", simulated.name, "-o", "jsonpath={.metadata.uid}")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    labels = {f"label-{number}": "x" * 63 for number in range(1000)}
    apply(
        simulated, simulated.manifest("web-1"), finalizers=[FINALIZER], ownerReferences=[reference], labels=labels
    )  # fmt: skip
    simulated.wait_active("web-1")

    simulated.delete("web-1")
    wait_until("Stoker's part to be over", lambda: (simulated.vm() or {})["metadata"]["finalizers"] == [FINALIZER])
    assert simulated.stacks() == []

    simulated.patch("web-1", {"metadata": {"finalizers": None}})
    simulated.wait_gone()
    assert [operation["status"]["state"] for operation in simulated.operations()] == ["Succeeded"] * 2


def test_what_looks_like_template_path_or_command_is_a_name_that_is_not_there_or_a_text(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    for field, reason in (("image", "ImageNotFound"), ("flavor", "FlavorNotFound"), ("keyName", "KeyPairNotFound")):
        simulated.create(field.lower(), **{field: ODD})
        simulated.wait_reason(reason, field.lower())
    assert simulated.stacks() == []

    simulated.create("text", userData=ODD)
    simulated.wait_active("text")
    assert parameters(simulated)["user_data"] == ODD
