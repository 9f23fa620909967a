"""The main job on the real API server and the real OpenStack: what issue and README promise, as a user sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from localenv.settings import LocalSettings
from stoker.cli import main
from support.cluster import Cluster, wait_until
from support.operator import OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]

SECRET = "hunter22-in-user-data"


def test_a_manifest_becomes_a_vm_and_goes_again(cluster: Cluster, operator: OperatorThread) -> None:
    """One object, one stack with our tags; its addresses are shown; deletion leaves neither stack nor object."""
    cluster.create(publicIP=True, ingress=[{"protocol": "tcp", "ports": "22", "cidr": "0.0.0.0/0"}])

    cluster.kubectl("wait", "--for=condition=Ready", "--timeout=200s", "osvm/web-1", "-n", cluster.name)

    vm = cluster.vm()
    assert vm is not None
    status = vm["status"]
    (stack,) = cluster.stacks()
    assert (stack.id, stack.name) == (status["stack"]["id"], f"vm-{vm['metadata']['uid']}")
    assert {"stoker", f"stoker-vm={vm['metadata']['uid']}"} <= set(stack.tags)
    assert status["observedGeneration"] == status["appliedGeneration"] == vm["metadata"]["generation"]
    assert status["serverID"]
    assert status["privateIP"]
    assert status["publicIP"].startswith("172.24.")
    assert {c["type"] for c in status["conditions"]} == {"Ready"}
    (created,) = cluster.operations()
    assert (created["status"]["state"], created["status"]["stackID"]) == ("Succeeded", stack.id)

    cluster.delete("web-1")
    cluster.wait_gone()

    assert cluster.stacks() == []
    ended = {operation["spec"]["type"]: operation["status"]["state"] for operation in cluster.operations()}
    assert ended == {"Create": "Succeeded", "Delete": "Succeeded"}
    assert {"Active", "Deleting"} <= {event["reason"] for event in cluster.events()}


def test_ten_vms_at_once_have_one_stack_each(cluster: Cluster, operator: OperatorThread) -> None:
    names = [f"web-{n}" for n in range(10)]
    for name in names:
        cluster.create(name)

    cluster.wait_active(*names)

    stacks = cluster.stacks()
    assert {stack.name for stack in stacks} == {vm["status"]["stack"]["name"] for vm in cluster.vms()}
    assert len(stacks) == len(names)

    cluster.delete()
    cluster.wait_gone()
    assert cluster.stacks() == []


def test_a_vm_deleted_while_its_stack_is_created_goes_with_it(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create()
    wait_until("a stack in progress", lambda: any(s.status == "CREATE_IN_PROGRESS" for s in cluster.stacks()))

    cluster.delete("web-1")
    cluster.wait_gone()

    assert cluster.stacks() == []


def test_a_retained_stack_is_left_behind_and_recorded(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create(deletionPolicy="Retain")
    cluster.wait_active("web-1")

    cluster.delete("web-1")
    cluster.wait_gone()

    (stack,) = cluster.stacks()
    retained = [o["status"]["stackID"] for o in cluster.operations() if o["status"].get("retained")]
    assert retained == [stack.id]


def test_a_stack_deleted_behind_our_back_is_made_anew(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create()
    cluster.wait_active("web-1")
    (first,) = cluster.stacks()

    cluster.project.delete_stack(first.name, first.id)

    wait_until("another stack", lambda: (vm := cluster.vm()) and vm["status"]["stack"]["id"] != first.id)
    cluster.wait_active("web-1")
    (second,) = cluster.stacks()
    assert second.id != first.id


def test_a_missing_stack_is_only_reported_when_asked(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create(onStackMissing="Error")
    cluster.wait_active("web-1")
    (stack,) = cluster.stacks()

    cluster.project.delete_stack(stack.name, stack.id)

    cluster.wait_reason("StackMissing")
    assert cluster.condition(kind="Stalled")["status"] == "True"
    assert cluster.stacks() == []


def test_a_namespace_deleted_with_a_vm_in_it_goes_with_the_stack(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create()
    cluster.wait_active("web-1")

    cluster.kubectl("delete", "namespace", cluster.name, "--wait=false")

    wait_until("the namespace to be gone", lambda: not cluster.kubectl("get", "ns", cluster.name, "--ignore-not-found"))
    assert cluster.stacks() == []


def test_a_vm_s_life_is_in_the_audit_call_by_call_and_verifies_with_the_cluster(
    cluster: Cluster,
    onboarded: LocalSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "audit"
    manifest = cluster.manifest("web-1", userData=f"#!/bin/sh\n# {SECRET}\n")
    with OperatorThread(onboarded, audit_dir=str(folder), identity=cluster.name):
        cluster.kubectl("apply", "-f", "-", text=json.dumps(manifest))
        cluster.wait_active("web-1")
        (stack,) = cluster.stacks()
        cluster.delete("web-1")
        cluster.wait_gone()

    monkeypatch.setenv("KUBECONFIG", str(onboarded.state / "kubeconfig"))
    assert main(["audit", "verify", str(folder), "--cluster"]) == 0
    assert re.search(r"records 1 to (\d+), anchored up to \1 in epoch", capsys.readouterr().out)
    assert main(["audit", "export", str(folder)]) == 0
    text = capsys.readouterr().out
    assert SECRET not in text
    records = [body for body in map(json.loads, text.splitlines()) if body.get("namespace") == cluster.name]
    assert [(body["kind"], body["action"], body.get("outcome")) for body in records] == [
        ("Intent", "CreateStack", None),
        ("Outcome", "CreateStack", "Accepted"),
        ("Intent", "DeleteStack", None),
        ("Outcome", "DeleteStack", "Accepted"),
        ("Intent", "Release", None),
        ("Outcome", "Release", "Accepted"),
    ]
    assert [body["requested_by"] for body in records] == ["admin"] * 2 + ["unknown"] * 4
    assert {body["stack_id"] for body in records[1:]} == {stack.id}
    assert all(body["request_id"].startswith("req-") for body in (records[1], records[3]))
