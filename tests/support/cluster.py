"""A test's own namespace and tenant on the real API server, and what a user sees of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import onboard
from localenv.settings import LocalSettings
from support.openstack_projects import HeatStack

PATIENCE = 240.0
"""Longest wait for something that must happen, seconds: it bounds a failing test, and no passing one needs it."""


def wait_until(what: str, probe: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Return the first true answer of `probe`; fail with its last answer after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}; last: {answer!r}"
        time.sleep(0.2)


class Owner(Protocol):
    """An OpenStack project, real or simulated, whose VMs the namespace holds."""

    name: str
    id: str
    application_credential_id: str
    application_credential_secret: str

    def stacks(self) -> list[HeatStack]: ...


Of = TypeVar("Of", bound=Owner)


@dataclass
class Cluster(Generic[Of]):
    """One namespace with its Tenant."""

    settings: LocalSettings
    project: Of
    cloud: dict[str, Any] = field(default_factory=dict)
    """The Cloud object; by default that of the local environment."""

    tenant_spec: dict[str, Any] = field(default_factory=dict)
    """Fields of the Tenant's spec, on the wire, that differ from the default."""

    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.project.name
        self.cloud = self.cloud or onboard.cloud(self.settings)

    def open(self) -> None:
        """Make the namespace, the Secret and the Tenant."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "stoker-userdata", "namespace": self.name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "stoker-userdata"},
            "subjects": [{"kind": "ServiceAccount", "name": "stoker", "namespace": onboard.NAMESPACE}],
        }
        onboard.apply(self.settings, [namespace])
        cloud_name = self.cloud["metadata"]["name"]
        secret, tenant = onboard.tenant(self.name, self.project.id, self.credential(), [self.name], cloud_name)
        tenant["spec"] |= self.tenant_spec
        onboard.apply(self.settings, [role, self.cloud, secret, tenant])

    def credential(self) -> dict[str, str]:
        """Return the Secret's content: the project's restricted application credential."""
        return {
            "application_credential_id": self.project.application_credential_id,
            "application_credential_secret": self.project.application_credential_secret,
        }

    def close(self) -> None:
        """Remove everything; what still holds a VM is let go, since the project goes as well."""
        self.kubectl("delete", "osvm", "-n", self.name, "--all", "--wait=false")
        for vm in self.vms():
            self.patch(vm["metadata"]["name"], {"metadata": {"finalizers": None}})
        for operation in (one for one in self.operations() if one["metadata"].get("finalizers")):
            self.kubectl(
                "patch", "osvmop", operation["metadata"]["name"], "-n", self.name, "--type=merge",
                "-p", json.dumps({"metadata": {"finalizers": None}}),
            )  # fmt: skip
        if self.kubectl("get", "ostenant", self.name, "--ignore-not-found"):
            self.patch_tenant({"metadata": {"finalizers": None}})
        self.kubectl("delete", "ostenant", self.name, "--ignore-not-found", "--wait=false")
        self.kubectl("delete", "secret", f"{self.name}-openstack", "-n", onboard.NAMESPACE, "--ignore-not-found")
        self.kubectl("delete", "namespace", self.name, "--ignore-not-found", "--wait=false")
        if self.cloud["metadata"]["name"] == self.name:
            self.kubectl("delete", "oscloud", self.name, "--ignore-not-found", "--wait=false")

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        return onboard.kubectl(self.settings, *arguments, text=text)

    def create(self, name: str = "web-1", **spec: Any) -> None:
        """Apply a VM; keywords are spec fields on the wire."""
        self.kubectl("apply", "-f", "-", text=json.dumps(self.manifest(name, **spec)))

    def manifest(self, name: str, **spec: Any) -> dict[str, Any]:
        """Return a small VM's manifest."""
        full = {"template": "ubuntu-basic@v1", "image": "cirros", "flavor": "m1.tiny", **spec}
        return {
            "apiVersion": "stoker.dev/v1alpha1",
            "kind": "VirtualMachine",
            "metadata": {"name": name, "namespace": self.name},
            "spec": full,
        }

    def patch(self, name: str, patch: dict[str, Any]) -> None:
        self.kubectl("patch", "osvm", name, "-n", self.name, "--type=merge", "-p", json.dumps(patch))

    def delete(self, *names: str) -> None:
        """Ask for the deletion and return at once."""
        self.kubectl("delete", "osvm", "-n", self.name, "--wait=false", *(names or ("--all",)))

    def vms(self) -> list[dict[str, Any]]:
        """Return all VMs of the namespace."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", "osvm", "-n", self.name, "-o", "json"))["items"]
        return items

    def operations(self) -> list[dict[str, Any]]:
        """Return all operations of the namespace."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", "osvmop", "-n", self.name, "-o", "json"))["items"]
        return items

    def vm(self, name: str = "web-1") -> dict[str, Any] | None:
        """Return one VM, or None."""
        return next((vm for vm in self.vms() if vm["metadata"]["name"] == name), None)

    def condition(self, name: str = "web-1", kind: str = "Ready") -> dict[str, Any]:
        """Return one condition of a VM, or an empty one."""
        vm = self.vm(name) or {}
        found = (c for c in vm.get("status", {}).get("conditions", []) if c["type"] == kind)
        return next(found, {"status": "", "reason": "", "message": ""})

    def wait_active(self, *names: str) -> None:
        """Wait until the named VMs are Active; a failure says what each of them says."""

        def active() -> bool:
            phases = {vm["metadata"]["name"]: vm.get("status", {}).get("phase") for vm in self.vms()}
            return all(phases.get(name) == "Active" for name in names)

        self._wait(f"{', '.join(names)} to be Active", active, *names)

    def wait_reason(self, reason: str, name: str = "web-1") -> dict[str, Any]:
        """Wait until Ready has that reason, and return the condition; a failure says what the VM says, and its stacks."""
        found: dict[str, Any] = self._wait(
            f"Ready to say {reason}", lambda: (c := self.condition(name))["reason"] == reason and c, name
        )
        return found

    def _wait(self, what: str, probe: Callable[[], Any], *names: str) -> Any:
        try:
            return wait_until(what, probe)
        except AssertionError as error:
            said = [f"{name}: {json.dumps((self.vm(name) or {}).get('status'))}" for name in names]
            error.add_note("\n".join([*said, *map(str, self.stacks())]))
            raise

    def wait_gone(self) -> None:
        """Wait until the namespace has no VM."""
        wait_until("all VMs to be gone", lambda: not self.vms())

    def tenant(self) -> dict[str, Any]:
        """Return the Tenant."""
        found: dict[str, Any] = json.loads(self.kubectl("get", "ostenant", self.name, "-o", "json"))
        return found

    def patch_tenant(self, patch: dict[str, Any]) -> None:
        self.kubectl("patch", "ostenant", self.name, "--type=merge", "-p", json.dumps(patch))

    def stacks(self) -> list[HeatStack]:
        """Return the project's stacks, as its own user lists them."""
        return self.project.stacks()

    def events(self, name: str = "web-1") -> list[dict[str, Any]]:
        """Return the Kubernetes events of a VM."""
        items = json.loads(self.kubectl("get", "events", "-n", self.name, "-o", "json"))["items"]
        return [item for item in items if item["involvedObject"]["name"] == name]
