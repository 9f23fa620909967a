"""Who may enter the local cluster: users, their tokens, kubeconfigs, and what tenants may do.

Tokens are random for each environment and live in files of mode 0600. Every client verifies the API server's
certificate. The operator's own rights are not here: they are the product's, in `deploy/manifests/rbac.yaml`.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import secrets
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError

from .settings import LocalSettings

USERS: dict[str, tuple[str, ...]] = {
    "admin": ("system:masters",),
    "system:kube-controller-manager": (),
    "alice": (),
    "bob": (),
}
"""User name → at most one group. Kubernetes brings the second one's rights along; alice and bob get theirs below."""

TENANTS = {"alice": "team-a", "bob": "team-b"}
"""Tenant user → the namespace in which it holds the built-in aggregated role `edit`."""

OPERATOR_NAMESPACE = "stoker-system"
OPERATOR_ACCOUNT = "stoker"


@dataclass(frozen=True, slots=True)
class Access:
    """The credentials of one environment's cluster."""

    settings: LocalSettings

    @property
    def folder(self) -> Path:
        """The state of the Kubernetes half."""
        return self.settings.state / "kubernetes"

    @property
    def certificates(self) -> Path:
        """Where the servers put the certificates they make for themselves on their first start."""
        return self.folder / "certificates"

    @property
    def authority(self) -> Path:
        """The API server's certificate followed by that of the authority it made for itself."""
        return self.certificates / "apiserver.crt"

    @property
    def account_key(self) -> Path:
        """The key that signs service account tokens.

        It is the API server's own RSA key: the server makes it before it reads this file, so that no openssl is
        needed. Sharing one key between TLS and tokens is fit for a local environment only.
        """
        return self.certificates / "apiserver.key"

    @property
    def token_file(self) -> Path:
        return self.folder / "tokens.csv"

    def kubeconfig(self, user: str = "admin") -> Path:
        """Return the path of a user's kubeconfig: `kubeconfig` itself for the administrator."""
        return self.settings.state / ("kubeconfig" if user == "admin" else f"kubeconfig-{user}")

    def tokens(self) -> dict[str, str]:
        """Return each user's token; the first call makes them up and writes the API server's token file."""
        if not self.token_file.exists():
            # Columns: token, user name, uid (the name serves), groups. An empty last column would be a group named "".
            rows = [[secrets.token_urlsafe(32), name, name, *groups] for name, groups in USERS.items()]
            write_private(self.token_file, "".join(",".join(row) + "\n" for row in rows))
        with self.token_file.open(newline="") as file:
            return {row[1]: row[0] for row in csv.reader(file)}

    def write_kubeconfigs(self) -> None:
        """Write the kubeconfig of every user of `USERS`."""
        for user, token in self.tokens().items():
            # The controller manager's is the machinery's, not the user's: it stays among the state.
            machinery = user.startswith("system:")
            path = self.controller_kubeconfig if machinery else self.kubeconfig(user)
            self.write_kubeconfig(path, user, token, TENANTS.get(user, "team-a"))

    @property
    def controller_kubeconfig(self) -> Path:
        return self.folder / "controller-manager.kubeconfig"

    def write_kubeconfig(self, path: Path, user: str, token: str, namespace: str) -> None:
        """Write a kubeconfig (JSON is YAML) that verifies the API server by its own authority."""
        cluster = {
            "server": self.settings.url("KUBERNETES", scheme="https"),
            "certificate-authority-data": _base64(self.authority.read_bytes()),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stoker-local",
            "clusters": [{"name": "stoker-local", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [
                {"name": "stoker-local", "context": {"cluster": "stoker-local", "user": user, "namespace": namespace}}
            ],
        }
        write_private(path, json.dumps(document, indent=2) + "\n")

    def get(self, path: str, token: str) -> bytes | None:
        """Read one path of the API; None while it cannot be reached, is not found or refuses the token."""
        try:
            context = ssl.create_default_context(cafile=str(self.authority))
            url = self.settings.url("KUBERNETES", path, scheme="https")
            request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
            with _opener(context).open(request, timeout=5) as answer:
                content: bytes = answer.read()
                return content
        except (HTTPError, URLError, OSError):
            return None


def base_objects() -> dict[str, object]:
    """Return what the environment itself needs in the cluster: namespaces, tenants' rights, the operator's account."""
    namespaces = [OPERATOR_NAMESPACE, *TENANTS.values()]
    items: list[dict[str, object]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces
    ]
    account = {"name": OPERATOR_ACCOUNT, "namespace": OPERATOR_NAMESPACE}
    items.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    items.extend(_tenant_binding(user, namespace) for user, namespace in TENANTS.items())
    return {"apiVersion": "v1", "kind": "List", "items": items}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all, without a moment of wider rights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def _tenant_binding(user: str, namespace: str) -> dict[str, object]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{user}-edits", "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _opener(context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    # Without proxies: the address is on the loopback interface, whatever the machine's proxy settings say.
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)
