"""The audit of a real life: each call of a VM's life is in the chain, with who asked and OpenStack's own request ids."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from localenv.settings import LocalSettings
from stoker.cli import main
from support.cluster import Cluster
from support.operator import OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]

SECRET = "hunter22-in-user-data"


def test_the_life_of_a_vm_is_recorded_call_by_call_and_verifies_with_the_cluster(
    cluster: Cluster,
    onboarded: LocalSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "audit"
    manifest = cluster.manifest("web-1", userData=f"#!/bin/sh\n# {SECRET}\n")
    manifest["metadata"]["annotations"] = {"stoker.dev/requested-by": "alice"}
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
    assert {body["requested_by"] for body in records} == {"alice"}
    assert {body["stack_id"] for body in records[1:]} == {stack.id}
    assert all(body["request_id"].startswith("req-") for body in (records[1], records[3]))
