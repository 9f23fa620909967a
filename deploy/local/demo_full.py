#!/usr/bin/env python3
"""The second act: what Stoker does for a platform beyond making and removing a VM. `make demo-full`.

Quota refused and released; an update refused, then allowed; a stop and a start; a drift; an orphan found and removed;
the audit verified. Each scene prints what a person would type, what they would see, and what that proved; it ends with
an error when it proved something else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import demo
import onboard
from localenv.process import Process, say, wait_for
from localenv.settings import LocalSettings
from operator_run import environment

TEAM = "team-a"
SHORT = {"STOKER_SWEEP_SECONDS": "5", "STOKER_ORPHAN_GRACE_SECONDS": "5", "STOKER_REST_SECONDS": "5"}
"""Settings with which nobody waits for a sweep; their defaults are minutes."""


class Stage:
    """The local environment as the scenes use it: alice edits VMs, the admin edits Tenants, the cloud has a user."""

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings

    def alice(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as team-a's user, and print the command."""
        return self._kubectl("kubeconfig-alice", arguments, text)

    def admin(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as the platform's admin, and print the command."""
        return self._kubectl("kubeconfig", arguments, text)

    def _kubectl(self, user: str, arguments: tuple[str, ...], text: str | None) -> str:
        who = "alice" if user.endswith("alice") else "admin"
        say(f"{who}$ kubectl {' '.join(arguments)}")
        return onboard.kubectl(self.settings, "-n", TEAM, *arguments, text=text, user=user)

    def apply(self, name: str, **spec: Any) -> None:
        """Apply a small VM as alice."""
        full = {"template": "ubuntu-basic@v1", "image": "ubuntu-24.04", "flavor": "m1.tiny", **spec}
        metadata = {"name": name, "namespace": TEAM}
        manifest = {"apiVersion": "stoker.dev/v1alpha1", "kind": "VirtualMachine", "metadata": metadata, "spec": full}
        say(f"# {name}: {', '.join(f'{key} {value}' for key, value in spec.items()) or 'as small as can be'}")
        self.alice("apply", "-f", "-", text=json.dumps(manifest))

    def edit(self, name: str, **spec: Any) -> None:
        """Edit a VM's spec as alice."""
        self.alice("patch", "osvm", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def tenant(self, **spec: Any) -> None:
        """Edit the team's Tenant as the admin."""
        self.admin("patch", "ostenant", TEAM, "--type=merge", "-p", json.dumps({"spec": spec}))

    def openstack(self, *arguments: str) -> str:
        """Run the openstack client as the team's own cloud user."""
        command = [str(self.settings.state / "bin" / "openstack"), "--os-cloud", f"{TEAM}-appcred", *arguments]
        clouds = {"OS_CLIENT_CONFIG_FILE": str(self.settings.state / "clouds.yaml")}
        done = subprocess.run(
            command, env={**environment(self.settings), **clouds}, capture_output=True, text=True, check=True
        )
        return done.stdout

    def stoker(self, *arguments: str) -> str:
        """Run a command of Stoker's as the admin, print what it says, and return that.

        Raises SystemExit when it fails.
        """
        say(f"admin$ stoker {' '.join(arguments)}")
        access = {**environment(self.settings), "KUBECONFIG": str(self.settings.state / "kubeconfig")}
        command = [sys.executable, "-m", "stoker", *arguments]
        done = subprocess.run(command, env=access, capture_output=True, text=True, check=False)
        print(done.stdout, end="", flush=True)
        if done.returncode:
            raise SystemExit(f"stoker {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def stacks(self) -> list[str]:
        """Return the names of the team's stacks."""
        return self.openstack("stack", "list", "-f", "value", "-c", "Stack Name").split()

    def servers(self) -> list[str]:
        """Return the ids of the team's servers."""
        return self.openstack("server", "list", "-f", "value", "-c", "ID").split()

    def vm(self, name: str) -> dict[str, Any] | None:
        return demo.observe(self.settings, name)

    def condition(self, name: str, kind: str = "Ready") -> dict[str, Any]:
        """Return one of a VM's conditions, or an empty one."""
        status = (self.vm(name) or {}).get("status", {})
        return next((c for c in status.get("conditions", []) if c["type"] == kind), {})

    def wait(self, what: str, probe: Callable[[], Any]) -> Any:
        """Wait until the probe answers, print how long it took, and return the answer.

        Raises SystemExit when it does not.
        """
        started, answer = time.monotonic(), None

        def asked() -> bool:
            nonlocal answer
            answer = probe()
            return bool(answer)

        if not wait_for(asked, demo.PATIENCE):
            raise SystemExit(f"waited {demo.PATIENCE:.0f} s for: {what}")
        say(f"  +{time.monotonic() - started:5.1f} s  {what}")
        return answer

    def reason(self, name: str, reason: str, kind: str = "Ready") -> None:
        """Wait for a condition's reason, and print its message."""
        found = self.wait(
            f"{name} says {reason}", lambda: (c := self.condition(name, kind)).get("reason") == reason and c
        )
        say(f"           {found['message']}")

    def applied(self, name: str) -> dict[str, Any]:
        """Wait until a VM is Ready with its newest spec."""

        def ready() -> Any:
            vm = self.vm(name) or {}
            status = vm.get("status", {})
            newest = status.get("observedGeneration") == status.get("appliedGeneration") == vm["metadata"]["generation"]
            return newest and self.condition(name).get("status") == "True" and vm

        found: dict[str, Any] = self.wait(f"{name} is Ready as its newest spec asks", ready)
        return found

    def gone(self, *names: str) -> None:
        """Delete VMs as alice, and wait until they are gone."""
        self.alice("delete", "osvm", *names, "--wait=false")
        self.wait(f"{', '.join(names)} gone, with their stacks", lambda: not any(map(self.vm, names)))


def quota(stage: Stage) -> str:
    """A quota of one VM: the second waits, and starts when the first goes."""
    stage.tenant(quota={"vms": 1})
    stage.apply("first")
    stage.applied("first")
    stage.apply("second")
    stage.reason("second", "QuotaExceeded")
    waiting = stage.vm("second") or {}
    if f"vm-{waiting['metadata']['uid']}" in stage.stacks():
        raise SystemExit("a VM without a place in the quota has a stack")
    stage.gone("first")
    stage.applied("second")
    stage.tenant(quota=None)
    return "the second VM had no stack until the first was gone, and then started without being asked again"


def update(stage: Stage) -> str:
    """Another flavor is an update; another image would rebuild the server, and is refused until alice allows it."""
    before = stage.applied("second")["status"]["serverID"]
    stage.edit("second", flavor="m1.small")
    if stage.applied("second")["status"]["serverID"] != before:
        raise SystemExit("a resize replaced the server")
    stage.edit("second", image="ubuntu-22.04")
    stage.reason("second", "UpdateWouldReplace")
    if before not in stage.servers():
        raise SystemExit("the server was replaced without leave")
    stage.edit("second", allowReplace=True)
    after = stage.applied("second")["status"]["serverID"]
    stage.edit("second", allowReplace=False)
    stage.applied("second")
    return f"the resize kept server {before[:8]}…; only with allowReplace it became {after[:8]}…"


def power(stage: Stage) -> str:
    """Stopped as asked is Ready."""
    stage.edit("second", powerState="Stopped")
    stage.reason("second", "Stopped")
    ready = stage.condition("second")["status"]
    stage.edit("second", powerState="Running")
    stage.reason("second", "Active")
    return f"the VM was stopped (Ready={ready}) and started, by an edit each"


def drift(stage: Stage) -> str:
    """Somebody stops the server: it is reported, and put right once the VM's policy says so."""
    server = stage.applied("second")["status"]["serverID"]
    say(f"behind Stoker's back$ openstack server stop {server}")
    stage.openstack("server", "stop", server)
    found = stage.wait(
        "second is Drifted", lambda: (c := stage.condition("second", "Drifted")).get("status") == "True" and c
    )
    say(f"           {found['message']}")
    stage.edit("second", driftPolicy="Repair")
    stage.wait("second is not Drifted any more", lambda: not stage.condition("second", "Drifted"))
    return "a server that somebody stopped was only reported, until driftPolicy: Repair started it again"


def orphan(stage: Stage) -> str:
    """Somebody takes the finalizer off: the stack is an orphan, reported, and removed once the Tenant's policy says so."""
    stage.admin("delete", "osvm", "second", "--wait=false")
    stage.admin("patch", "osvm", "second", "--type=merge", "-p", json.dumps({"metadata": {"finalizers": None}}))

    def orphans() -> Any:
        text = onboard.kubectl(stage.settings, "get", "ostenant", TEAM, "-o", "json")
        return json.loads(text)["status"].get("orphans")

    found = stage.wait("the Tenant reports an orphan", orphans)
    name = found[0]["stackName"]
    say(f"           {name} ({found[0]['stackID']})")
    if name not in stage.stacks():
        raise SystemExit("the orphan was removed although the policy only reports")
    stage.tenant(orphanPolicy="Delete")
    stage.wait("the orphan is removed", lambda: name not in stage.stacks())
    stage.tenant(orphanPolicy="Report")
    return f"{name[:11]}… outlived its object, was only reported, and went when the policy said Delete"


def audit(stage: Stage) -> str:
    """Every change is in the audit, and its chain holds against its anchor in the cluster."""
    folder = str(stage.settings.state / "audit")
    stage.stoker("audit", "tail", "-n", "6", folder)
    verdict = stage.stoker("audit", "verify", folder, "--cluster").strip().splitlines()[-1]
    return f"nobody edited, removed or cut off a record: {verdict.partition(': ')[2]}"


SCENES = (quota, update, power, drift, orphan, audit)


def play(stage: Stage) -> list[tuple[str, float, str]]:
    """Play every scene, and return its name, how many seconds it took, and what it proved."""
    proved = []
    for number, scene in enumerate(SCENES, 1):
        print(f"\n—— {number} of {len(SCENES)} · {scene.__name__} · {scene.__doc__}", flush=True)
        started = time.monotonic()
        what = scene(stage)
        proved.append((scene.__name__, time.monotonic() - started, what))
        say(f"proved: {what}")
    return proved


def main() -> int:
    """Play `make demo`'s act, then every scene, with an operator of its own."""
    settings, started = LocalSettings.load(), time.monotonic()
    onboard.main()
    operator = Process("operator", settings)
    if operator.pid() is not None:
        raise SystemExit("an operator runs; stop it first: this act needs one with short sweeps")
    operator.start([sys.executable, "-m", "stoker", "run"], env={**environment(settings), **SHORT})
    try:
        demo.play(settings)
        proved = play(Stage(settings))
    finally:
        operator.stop()
    print("\n—— What was proved, on a real API server and a real OpenStack")
    for name, seconds, what in proved:
        print(f"  {name:<7} {seconds:5.1f} s  {what}")
    print(f"  in all  {time.monotonic() - started:5.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
