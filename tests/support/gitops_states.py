"""VMs as GitOps tools meet them: each status is derived by the core, from a world of the scenario table or like it.

Run as a module it writes the objects that Argo CD's own tests of our scripts read: `make generate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from core.job_scenarios import DONE, HALTED, STOPPED, machine, with_server
from core.test_scenarios import DOWN, LATER, NO_TENANT, OUTPUTS, PAUSE
from localenv.settings import REPOSITORY
from stoker.api.base import API_VERSION
from stoker.core.decide import decide
from stoker.core.stack import Unknown
from stoker.core.status import derive
from stoker.core.world import World
from support.build import active, operation, stack, vm, world

CUSTOMIZATIONS = REPOSITORY / "deploy" / "argocd" / "resource_customizations" / "stoker.dev"


WHEN = "2026-01-01T12:00:00Z"
"""When actions are asked for."""

FAILED = operation(outcome="Failed", last_error="StackFailed", message="broken", next_retry_time=LATER)


@dataclass(frozen=True)
class State:
    """One state, and what each tool calls it."""

    object: dict[str, Any]
    kstatus: str
    argocd: str


def shown(snapshot: World, status: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the VM of a world as the API server has it after the pass; `status` replaces what the core derives."""
    derived = status or derive(snapshot, decide(snapshot)).to_wire()
    metadata = snapshot.vm.metadata.to_wire()
    return {
        "apiVersion": API_VERSION,
        "kind": "VirtualMachine",
        "metadata": metadata,
        "spec": snapshot.vm.spec.to_wire(),
        "status": derived,
    }


def _edited() -> dict[str, Any]:
    """Return a VM that was edited after the operator's last look."""
    before, after = world(active(), stack(), operations=(DONE,), outputs=OUTPUTS), world(active(generation=2))
    return shown(after, derive(before, decide(before)).to_wire())


STATES = {
    "new": State(shown(world(), {"observedGeneration": -1}), "InProgress", "Progressing"),
    "edited": State(_edited(), "InProgress", "Progressing"),
    "creating": State(
        shown(world(None, stack("CREATE_IN_PROGRESS"), operations=(operation(outcome="Accepted", stack_id="s1"),))),
        "InProgress", "Progressing",
    ),
    "retrying": State(shown(world(operations=(FAILED,))), "InProgress", "Progressing"),
    "unseen": State(
        shown(world(active(), operations=(DONE,), listing=Unknown(DOWN))), "InProgress", "Progressing",
    ),
    "active": State(
        shown(world(active(), stack(), operations=(DONE,), outputs=OUTPUTS)), "Current", "Healthy",
    ),
    "stopped": State(
        shown(with_server(machine(STOPPED, applied_power_state=STOPPED), HALTED)), "Current", "Healthy",
    ),
    "stalled": State(shown(world(admission=NO_TENANT)), "Failed", "Degraded"),
    "paused": State(shown(world(vm(asked=PAUSE))), "Failed", "Suspended"),
    "paused-active": State(
        shown(world(active(asked=PAUSE), stack(), operations=(DONE,))), "Current", "Healthy",
    ),
    "deleting": State(
        shown(world(active(deleting=True), stack("DELETE_IN_PROGRESS"), operations=(DONE,))),
        "Terminating", "Progressing",
    ),
}  # fmt: skip
"""State → the object, and what kstatus and Argo CD call it."""


ACTED = {
    "start": ("stopped", {"spec": {"powerState": "Running"}}),
    "stop": ("active", {"spec": {"powerState": "Stopped"}}),
    "restart": ("active", {"metadata": {"annotations": {"stoker.dev/restart": WHEN}}}),
    "retry": ("stalled", {"metadata": {"annotations": {"stoker.dev/retry": WHEN}}}),
}
"""Action of Argo CD → the state that it is tried on, and what it changes."""


def upstream_files() -> dict[str, str]:
    """Return the test data of the VirtualMachine's scripts, and its table of health, path → text."""
    objects = {f"testdata/{name}.yaml": state.object for name, state in STATES.items()}
    for name, (state, patch) in ACTED.items():
        objects[f"actions/testdata/{name}.yaml"] = _merged(STATES[state].object, patch)
    files = objects | {"health_test.yaml": {"tests": [_health_test(name) for name in STATES]}}
    return {path: yaml.safe_dump(content, sort_keys=False, width=150) for path, content in files.items()}


def _health_test(name: str) -> dict[str, Any]:
    """Return a row of Argo CD's own test of a health script."""
    resource, message = STATES[name].object, "Waiting for Stoker to look at it"
    if resource["status"]["observedGeneration"] == resource["metadata"]["generation"]:
        ready = resource["status"]["conditions"][0]
        message = f"{ready['reason']}: {ready['message']}"
    health = {"status": STATES[name].argocd, "message": message}
    return {"healthStatus": health, "inputPath": f"testdata/{name}.yaml"}


def _merged(resource: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    return resource | {
        key: _merged(resource[key], value) if isinstance(value, dict) else value for key, value in patch.items()
    }


def main() -> None:
    """Write it."""
    for path, text in upstream_files().items():
        (CUSTOMIZATIONS / "VirtualMachine" / path).write_text(text)


if __name__ == "__main__":
    main()
