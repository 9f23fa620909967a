"""A namespace in which two real users hold the role `edit`, and what one of them asks of the API server there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import onboard
from localenv.settings import LocalSettings
from stoker.api.base import API_VERSION

RBAC = "rbac.authorization.k8s.io"
SPEC = {"template": "ubuntu-basic@v1", "image": "cirros", "flavor": "m1.tiny"}


def binding(namespace: str, role: str, user: str, kind: str = "ClusterRole") -> dict[str, Any]:
    """Return what gives a user a role in a namespace."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{user.replace(':', '-')}-{role}", "namespace": namespace},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }


def role(namespace: str, name: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    """Return a namespace's own role on resources of our group."""
    rule = {"apiGroups": ["stoker.dev"], "resources": resources, "verbs": verbs}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}


def vm(name: str = "web-1", *, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a VM's manifest without a namespace; keywords are spec fields on the wire."""
    metadata: dict[str, Any] = {"name": name, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": API_VERSION, "kind": "VirtualMachine", "metadata": metadata, "spec": {**SPEC, **spec}}


@dataclass(frozen=True)
class Desk:
    """A namespace, used by people."""

    settings: LocalSettings
    namespace: str

    def open(self, users: Iterable[str] = ("alice", "bob")) -> None:
        """Make it, and give the users the role `edit` there."""
        metadata = {"name": self.namespace}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self.apply(*(binding(self.namespace, "edit", user) for user in users))

    def close(self) -> None:
        """Remove it, with what it still holds; protection and finalizers are the admin's to take off."""
        free = {"metadata": {"finalizers": None}, "spec": {"terminationProtection": False}}
        for name in self.admin("get", "osvm", "-o", "name").split():
            self.admin("patch", name, "--type=merge", "-p", json.dumps(free))
        for name in self.admin("get", "osvmop", "-o", "name").split():
            self.admin("patch", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
        self.admin("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")

    def apply(self, *objects: dict[str, Any]) -> None:
        onboard.apply(self.settings, list(objects))

    def user(self, name: str, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as a user of the environment; raises SystemExit with the API server's words."""
        return onboard.kubectl(
            self.settings, "-n", self.namespace, *arguments, text=text, user=f"kubeconfig-{name}".removesuffix("-admin")
        )

    def admin(self, *arguments: str, text: str | None = None) -> str:
        return self.user("admin", *arguments, text=text)

    def create(self, user: str, manifest: dict[str, Any] | None = None) -> None:
        self.user(user, "create", "-f", "-", text=json.dumps(manifest or vm()))

    def annotate(self, user: str, *pairs: str, name: str = "web-1") -> None:
        self.user(user, "annotate", "--overwrite", "osvm", name, *pairs)

    def patch(self, user: str, patch: dict[str, Any], name: str = "web-1") -> None:
        self.user(user, "patch", "osvm", name, "--type=merge", "-p", json.dumps(patch))

    def found(self, name: str = "web-1") -> dict[str, Any]:
        """Return a VM as it is stored."""
        stored: dict[str, Any] = json.loads(self.admin("get", "osvm", name, "-o", "json"))
        return stored

    def annotation(self, word: str, name: str = "web-1") -> str | None:
        """Return the annotation stoker.dev/WORD of a VM."""
        value: str | None = self.found(name)["metadata"].get("annotations", {}).get(f"stoker.dev/{word}")
        return value

    def enroll(self, name: str = "web-1") -> None:
        """Give a VM the finalizer and the id, as the operator does, with its rights."""
        metadata = {"finalizers": ["stoker.dev/stack"], "annotations": {"stoker.dev/id": f"id-of-{name}"}}
        self.user("operator", "patch", "osvm", name, "--type=merge", "-p", json.dumps({"metadata": metadata}))
