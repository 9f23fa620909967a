"""`kubectl osvm` on the real API server, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from localenv.settings import REPOSITORY
from stoker.osvm.completion import complete
from support.cluster import wait_until
from support.operator import OperatorThread
from support.osvm_shell import Shell
from support.simulated_cluster import SimulatedCluster
from support.users import Desk, vm

pytestmark = pytest.mark.kubernetes


def written(folder: Path, manifest: dict) -> str:
    file = folder / "vm.yaml"
    file.write_text(yaml.safe_dump(manifest))
    return str(file)


def test_a_user_s_day(
    user: Shell, admin: Shell, simulated: SimulatedCluster, operator: OperatorThread, tmp_path
) -> None:
    """Plan, apply, list, describe, stop, start, a failure, its end; each with its exit code."""
    manifest = vm("web-1", publicIP=True)
    file = written(tmp_path, manifest)
    assert user.run("plan", "-f", file) == 0
    assert "web-1: would be made\n├── + security_group (added)" in user.out
    assert "Whether your Tenant has the network profile default is not known here." in user.out
    assert admin.run("plan", "-f", file) == 0
    assert "not known" not in admin.out

    desk = Desk(simulated.settings, simulated.name)
    desk.create("alice", simulated.manifest("web-1", publicIP=True))
    assert user.run("retry", "web-1", "--wait") == 0
    assert "Active Active" in user.err.splitlines()[-1]
    wait_until("its Event", lambda: "Active" in {event["reason"] for event in simulated.events()})
    assert user.run("list") == 0
    name, ready, *_ = user.out.splitlines()[1].split()
    assert (name, ready) == ("web-1", "True")
    assert user.run("get", "web-1", "-o", "json") == 0
    assert json.loads(user.out)["metadata"]["managedFields"]
    assert user.run("describe", "web-1") == 0
    for line in ("web-1  Active", "├── stack: vm-", "server: ", "port: ", "floating IP: ", "last events"):
        assert line in user.out
    assert user.run("events", "web-1") == 0
    assert "Active" in user.out

    assert user.run("stop", "web-1", "--wait") == 0
    assert "Stopped" in user.err.splitlines()[-1]
    assert user.run("start", "web-1", "--wait") == 0
    assert user.run("restart", "web-1", "--wait") == 0

    assert (
        user.run("plan", "-f", written(tmp_path, {**manifest, "spec": {**manifest["spec"], "flavor": "m1.small"}})) == 0
    )
    assert "~ server (updated)" in user.out
    assert "flavor: m1.tiny → m1.small" in user.out
    other = written(tmp_path, {**manifest, "spec": {**manifest["spec"], "image": "ubuntu-24.04"}})
    assert user.run("plan", "-f", other) == 1
    assert "refused: UpdateWouldReplace" in user.out
    assert user.run("plan", "-f", other, "-o", "json") == 1
    assert json.loads(user.out)[0]["losses"] == ["server (replaced)"]
    desk.patch("alice", {"spec": {"image": "ubuntu-24.04"}})
    simulated.wait_reason("UpdateWouldReplace")  # what was foretold is what the operator says
    assert user.run("describe", "web-1") == 0
    assert "what is wrong: the update would cost the data of server (replaced)" in user.out
    assert user.run("check") == 1
    assert "FAIL     VM web-1" in user.out
    assert user.run("start", "web-1", "--wait") == 1
    assert "kubectl osvm: UpdateWouldReplace: web-1 needs a person" in user.err

    assert user.run("delete", "web-1", "--wait") == 0
    assert simulated.stacks() == []
    assert user.run("audit", "web-1", "-o", "json") == 0
    assert [one["spec"]["requestedBy"] for one in json.loads(user.out)] == ["alice"] * len(json.loads(user.out))
    assert user.run("audit") == 0
    assert "Delete" in user.out


def test_a_stack_is_adopted_by_those_who_may(
    user: Shell, admin: Shell, simulated: SimulatedCluster, operator: OperatorThread, tmp_path
) -> None:
    simulated.create(deletionPolicy="Retain")
    simulated.wait_active("web-1")
    (stack,) = simulated.stacks()
    file = written(tmp_path, vm("web-2"))
    assert user.run("adopt", "--stack", stack.id, "-f", file) == 1
    assert "you need the verb adopt" in user.err
    assert admin.run("adopt", "web-2", "--stack", stack.id, "-f", file) == 0
    assert simulated.vm("web-2")["metadata"]["annotations"]["stoker.dev/adopt-stack"] == stack.id
    assert admin.run("adopt", "web-9", "--stack", stack.id, "-f", file) == 2
    assert admin.run("orphans") == 0
    assert user.run("orphans") == 1
    assert "Forbidden" in user.err


def test_what_vms_are_made_from_is_listed_with_what_the_tenant_allows(
    user: Shell, admin: Shell, simulated: SimulatedCluster
) -> None:
    simulated.create()
    simulated.patch_tenant({"spec": {"allowedFlavors": ["m1.small", "g*"]}})
    assert user.run("flavors") == 0
    assert user.out.splitlines()[1].split() == ["m1.tiny", "1", "no", "unknown"]
    assert "You may not read Tenants" in user.err
    assert admin.run("flavors") == 0
    assert [line.split() for line in admin.out.splitlines()[1:]] == [
        ["m1.small", "0", "no", "yes"], ["m1.tiny", "1", "no", "no"],
    ]  # fmt: skip
    assert admin.run("images", "-A", "-o", "yaml") == 0
    assert "cirros" in [one["name"] for one in yaml.safe_load(admin.out)]
    assert user.run("templates") == 0
    assert user.out.splitlines()[-1].startswith("ubuntu-basic@v1 ")
    assert user.run("templates", "-o", "json") == 0
    assert user.run("check", "-o", "json") == 0
    assert {one["result"] for one in json.loads(user.out)} == {"ok", "note"}


def test_actions_are_of_the_plugin_s_own_field_manager_and_a_wrong_question_is_2(
    alice: Shell, desk: Desk, tmp_path, capsys
) -> None:
    desk.create("alice")
    assert alice.run("stop", "web-1") == 0
    found = json.loads(desk.admin("get", "osvm", "web-1", "-o", "json", "--show-managed-fields"))
    assert "kubectl-osvm" in {one["manager"] for one in found["metadata"]["managedFields"]}
    assert found["spec"]["powerState"] == "Stopped"
    assert alice.run("get", "nobody") == 1
    assert "NotFound: GET" in alice.err
    for text in (
        "a: [",
        "kind: Pod",
        yaml.safe_dump(vm("web-1", sizes=1)),
        yaml.safe_dump({**vm("x"), "apiVersion": "v1"}),
    ):
        (tmp_path / "bad.yaml").write_text(text)
        assert alice.run("plan", "-f", str(tmp_path / "bad.yaml")) == 2
        assert "bad.yaml: " in alice.err
    with pytest.raises(SystemExit) as usage:
        alice.run("list", "--phase", "Nowhere")
    assert usage.value.code == 2
    assert alice.run("list", "-l", "app=none") == 0
    assert (alice.out, alice.err) == ("", "Nothing found.\n")


def test_kubectl_finds_the_plugin_and_its_completion(alice: Shell, desk: Desk, tmp_path) -> None:
    desk.create("alice", vm("web-1"))
    binaries = f"{REPOSITORY / '.venv/bin'}:{desk.settings.state / 'bin'}:{os.environ['PATH']}"
    environment = {"PATH": binaries, "KUBECONFIG": alice.kubeconfig, "HOME": str(tmp_path)}
    command = ["kubectl", "osvm", "list", "-n", desk.namespace, "-o", "name"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "virtualmachine.stoker.dev/web-1\n"
    piped = subprocess.run(
        ["sh", "-c", f"kubectl osvm list -n {desk.namespace} | true; kubectl osvm list -n {desk.namespace} | head -n 1"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (piped.stdout.split()[:2], piped.stderr) == (["NAME", "READY"], "")
    command = ["kubectl", "__complete", "osvm", "describe", *alice.login, "w"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["web-1", ":4"]


WORDS: dict[str, tuple[list[str], list[str], int]] = {
    "a command": (["des"], ["describe\tShow everything that is known of a VM, as a tree."], 4),
    "a form": (["list", "-o", "j"], ["json"], 4),
    "a phase": (["list", "--phase", "Del"], ["Deleting"], 4),
    "an option": (["stop", "web-1", "--wa"], ["--wait"], 4),
    "a file": (["plan", "-f", ""], [], 0),
    "a namespace is not known": (["list", "-n", ""], [], 4),
    "nothing after list": (["list", ""], [], 4),
    "names without a cluster": (["get", "--kubeconfig", "/dev/null/none", ""], [], 4),
}


@pytest.mark.parametrize("row", WORDS)
def test_the_words_that_may_come_next(row: str) -> None:
    given, words, directive = WORDS[row]
    assert complete(given) == (words, directive)


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['rich'] = None; from stoker.osvm import run; sys.exit(run())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("Install the extra: pip install 'stoker[client]'\n")
