#!/usr/bin/env python3
"""The main job, as it happens: the operator starts, a manifest becomes a VM, the VM goes again. `make demo`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import onboard
from localenv.process import Process, say, wait_for
from localenv.settings import REPOSITORY, LocalSettings
from operator_run import environment

MANIFEST = REPOSITORY / "deploy" / "examples" / "vm-minimal.yaml"
PATIENCE = 300.0
"""Longest wait for a phase, seconds; a VM takes 5 to 10 on 2 idle cores."""


def observe(settings: LocalSettings, name: str) -> dict[str, Any] | None:
    """Return the VM as team-a's user sees it, or None when it is gone."""
    text = onboard.kubectl(
        settings, "get", "osvm", name, "-n", "team-a", "--ignore-not-found", "-o", "json", user="kubeconfig-alice"
    )
    return json.loads(text) if text.strip() else None


def watch(settings: LocalSettings, name: str, until: str) -> dict[str, Any] | None:
    """Print each change of phase with its time until the phase is reached ("Gone" ends with None).

    Raises SystemExit with the VM's own words when it takes too long.
    """
    started, said, vm = time.monotonic(), "", observe(settings, name)

    def reached() -> bool:
        nonlocal said, vm
        vm = observe(settings, name)
        status = vm.get("status", {}) if vm else {}
        ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
        phase = status.get("phase", "Requested") if vm else "Gone"
        line = f"{phase:<13} {ready.get('reason', '')}: {ready.get('message', '')}" if vm else "Gone"
        if line != said:
            say(f"  +{time.monotonic() - started:5.1f} s  {line}")
        said = line
        return phase == until

    if not wait_for(reached, PATIENCE):
        raise SystemExit(f"{name} did not become {until}: {said}")
    return vm


def stacks(settings: LocalSettings) -> str:
    """Return team-a's stacks as the openstack client shows them."""
    command = [
        str(settings.state / "bin" / "openstack"),
        "--os-cloud",
        "team-a-appcred",
        "stack",
        "list",
        "-c",
        "Stack Name",
        "-c",
        "Stack Status",
    ]
    clouds = {"OS_CLIENT_CONFIG_FILE": str(settings.state / "clouds.yaml")}
    return subprocess.run(
        command, env={**environment(settings), **clouds}, capture_output=True, text=True, check=True
    ).stdout


def play(settings: LocalSettings) -> None:
    """Create the VM of the example manifest as team-a's user, show it, and delete it."""
    say(f"alice applies {MANIFEST.relative_to(REPOSITORY)} in team-a")
    onboard.kubectl(settings, "apply", "-n", "team-a", "-f", str(MANIFEST), user="kubeconfig-alice")
    name = onboard.kubectl(
        settings, "get", "-n", "team-a", "-f", str(MANIFEST), "-o", "jsonpath={.metadata.name}", user="kubeconfig-alice"
    )
    vm = watch(settings, name, "Active")
    print(onboard.kubectl(settings, "get", "osvm", "-n", "team-a", "-o", "wide", user="kubeconfig-alice"))
    print(stacks(settings))
    assert vm is not None, "an Active VM is there"
    say(f"alice deletes it; its stack is {vm['status']['stack']['name']}")
    onboard.kubectl(settings, "delete", "-n", "team-a", "-f", str(MANIFEST), "--wait=false", user="kubeconfig-alice")
    watch(settings, name, "Gone")
    left = stacks(settings)
    print(left or "(openstack stack list: no stack)\n")
    if vm["status"]["stack"]["name"] in left:
        raise SystemExit("the stack is still there")
    say("the stack and the object are gone")


def main() -> int:
    """Onboard, start the operator unless one runs, play, stop what was started."""
    settings = LocalSettings.load()
    onboard.main()
    operator = Process("operator", settings)
    ours = operator.pid() is None
    operator.start([sys.executable, "-m", "stoker", "run"], env=environment(settings))
    say(f"the operator runs with its service account's rights; its log is {operator.log}")
    try:
        play(settings)
    finally:
        if ours:
            operator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
