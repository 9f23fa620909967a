"""The simulator as others use it: its README's example, and the process with its control API."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator.control import Control
from simulator.faults import KINDS
from simulator.local import Simulator
from simulator.server import OWN, own_paths

TESTS = Path(__file__).resolve().parents[1]
README = (TESTS / "simulator" / "README.md").read_text()


@pytest.fixture
def alone() -> Iterator[dict[str, Any]]:
    """What `stoker-sim` prints when it is started by itself."""
    command = [str(TESTS / "simulator" / "stoker-sim"), "--port", "0", "--project", "team-a"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(20) == 0


def test_the_readmes_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})


def test_the_readme_has_every_fault_in_the_same_words() -> None:
    assert dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", README, re.MULTILINE)) == KINDS


def test_the_readme_has_every_request_of_the_control_api() -> None:
    documented = {
        (method, path)
        for methods, path in re.findall(r"^\| (`.*?) (/_sim\S*)` \|", README, re.MULTILINE)
        for method in re.findall(r"[A-Z]+", methods)
    }
    assert documented == {(method, OWN + path) for method, path in own_paths(Control())}


def test_it_runs_alone_and_is_controlled_over_http(alone: dict[str, Any]) -> None:
    control, (project,) = alone["control"], alone["projects"]
    identity = {
        "methods": ["password"],
        "password": {
            "user": {"name": "team-a", "domain": {"name": "Default"}, "password": project["password"]},
        },
    }
    scope = {"project": {"id": project["project_id"]}}
    with requests.Session() as session:
        session.trust_env = False
        fault = {"kind": "status", "path": "/auth/tokens", "status": 503, "headers": {"Retry-After": "7"}}
        assert session.post(f"{control}/faults", json=fault).json() == 1
        ask = {"auth": {"identity": identity, "scope": scope}}
        refused = session.post(f"{alone['auth_url']}/auth/tokens", json=ask)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "7")
        token = session.post(f"{alone['auth_url']}/auth/tokens", json=ask)
        assert token.json()["token"]["project"]["name"] == "team-a"
        (count,) = session.get(f"{control}/calls", params={"client": "python-requests"}).json()
        assert (count["kind"], count["count"]) == ("POST /identity/v3/auth/tokens", 2)
        assert [call["status"] for call in session.get(f"{control}/log").json()] == [503, 201]


def test_the_command_works_from_any_folder_and_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "sim"
    link.symlink_to(TESTS / "simulator" / "stoker-sim")
    said = subprocess.run([link, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("usage: stoker-sim ")


BAD: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "no such kind": ("POST", "/faults", {"kind": "nosuch"}, "kind: one of"),
    "no such part": ("POST", "/faults", {"kind": "cut", "nosuch": 1}, "a fault has no nosuch"),
    "no such pattern": ("POST", "/faults", {"kind": "cut", "path": "("}, "path: "),
    "no such setting": ("PUT", "/settings", {"nosuch": 1}, "no setting nosuch"),
    "no such action": ("PUT", "/settings", {"seconds": {"nosuch": 1}}, "no action nosuch"),
    "no such project": ("POST", "/stacks", {"project": "nosuch", "amount": 1}, "nosuch"),
    "no such limit": ("PUT", "/quota", {"project": "team-a", "nosuch": 1}, "no limit nosuch"),
    "a name twice": ("POST", "/projects", {"name": "team-a"}, "there is a project team-a"),
}


@pytest.mark.parametrize(("method", "path", "given", "text"), BAD.values(), ids=BAD)
def test_a_wrong_wish_is_said(simulator: Simulator, method: str, path: str, given: dict[str, Any], text: str) -> None:
    simulator.project("team-a")
    answer = requests.request(method, f"{simulator.url}{OWN}{path}", json=given, timeout=20)
    assert answer.status_code == 400
    assert text in answer.json()["error"]


def test_settings_quota_stacks_and_counts_are_changed_while_it_runs(simulator: Simulator) -> None:
    def ask(method: str, path: str, **given: Any) -> Any:
        answer = requests.request(method, f"{simulator.url}{OWN}{path}", json=given, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    project = ask("POST", "/projects", name="team-a", quota={"cores": 2})
    assert ask("PUT", "/quota", project="team-a", cores=3)["cores"] == 3
    assert ask("PUT", "/settings", seconds={"create": 5}, trusts=True)["seconds"]["create"] == 5
    first, _ = ask("POST", "/stacks", project="team-a", amount=2, tags="a,b")
    ask("PUT", "/stacks", stack=first, status="UPDATE_FAILED", reason="told so")
    (state,) = ask("GET", "")["projects"]
    assert (state["stacks"], state["id"]) == (2, project["project_id"])
    for path in ("/release", "/expire-tokens", "/purge"):
        ask("POST", path)
    ask("POST", "/expire-credential", credential=project["application_credential_id"], at=1.0)
    ask("POST", "/revoke", credential=project["application_credential_id"])
    ask("DELETE", "/faults")
    ask("DELETE", "/calls")
    assert ask("GET", "/calls") == ask("GET", "/log") == ask("GET", "/faults") == []
