"""How the typed client logs in, and what it says when it cannot."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from localenv.settings import LocalSettings
from stoker.api.errors import ErrorCode
from stoker.api.virtualmachine import VirtualMachine
from stoker.client import Client, StokerError, VirtualMachineSpec
from stoker.client.reader import read
from support.forwarder import Forwarder
from support.users import Desk


def config_of(local: LocalSettings, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((local.state / name).read_text())
    return found


def written(folder: Path, config: dict[str, Any]) -> str:
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return str(file)


@pytest.mark.kubernetes
def test_an_exec_plugin_gives_the_login(local: LocalSettings, tmp_path) -> None:
    config = config_of(local, "kubeconfig-alice")
    (user,) = config["users"]
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": user["user"].pop("token")},
    }  # fmt: skip
    user["user"]["exec"] = {
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": sys.executable, "args": ["-c", f"print({json.dumps(credential)!r})"],
    }  # fmt: skip
    with Client(kubeconfig=written(tmp_path, config)) as client:
        assert client.whoami() == "alice"


@pytest.mark.kubernetes
def test_the_namespace_is_the_context_s_unless_another_is_given(local: LocalSettings, tmp_path) -> None:
    config = config_of(local, "kubeconfig-alice")
    config["contexts"][0]["context"]["namespace"] = "of-the-context"
    file = written(tmp_path, config)
    with Client(kubeconfig=file) as by_context, Client("mine", kubeconfig=file) as given:
        assert (by_context.namespace, given.namespace) == ("of-the-context", "mine")


@pytest.mark.kubernetes
def test_a_wait_outlives_an_api_server_that_is_away_for_a_moment(
    desk: Desk, spec: VirtualMachineSpec, tmp_path
) -> None:
    desk.create("alice")
    config = config_of(desk.settings, "kubeconfig-alice")
    cluster = config["clusters"][0]["cluster"]
    road = Forwarder(int(cluster["server"].rpartition(":")[2]))
    cluster["server"] = f"https://127.0.0.1:{road.port}"

    def away(_: VirtualMachine) -> None:
        """While nobody is reached, the VM changes; then the road is mended."""
        road.cut()
        desk.patch("alice", {"spec": {"flavor": "m1.small"}})
        threading.Timer(0.5, road.mend).start()

    with Client(desk.namespace, kubeconfig=written(tmp_path, config)) as client:
        found = client.wait_until("web-1", lambda vm: vm.spec.flavor == "m1.small", progress=away, timeout=60)
    assert found.spec.flavor == "m1.small"
    road.cut()


def test_an_api_server_that_does_not_answer_is_said(tmp_path) -> None:
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }  # fmt: skip
    client = Client(kubeconfig=written(tmp_path, config), timeout=2)
    with client, pytest.raises(StokerError, match="gave no answer") as silent:
        client.get_vm("web-1")
    assert silent.value.code is ErrorCode.TIMEOUT


def test_a_vm_of_a_newer_operator_says_that_the_client_is_older() -> None:
    spec = {"template": "a@v1", "image": "i", "flavor": "f", "teleport": True}
    with pytest.raises(StokerError, match=r"may be older than the operator: spec\.teleport") as newer:
        read(VirtualMachine, {"metadata": {"name": "web-1"}, "spec": spec})
    assert newer.value.code is ErrorCode.UNKNOWN
