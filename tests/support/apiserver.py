"""What the real API server has, and what it says to an object that is sent to it without storing it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import requests
import yaml

from localenv.settings import LocalSettings
from stoker.api.base import API_VERSION
from stoker.api.kinds import Kind

TIMEOUT = 30.0
"""Longest wait for one answer, seconds."""


class DryRun:
    """A session as the admin; nothing that it sends is stored."""

    def __init__(self, settings: LocalSettings, folder: Path) -> None:
        """Write the API server's certificate into `folder`, for requests to read."""
        config = yaml.safe_load((settings.state / "kubeconfig").read_text())
        cluster = config["clusters"][0]["cluster"]
        certificate = folder / "ca.crt"
        certificate.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        self._server = cluster["server"]
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy or a CA bundle of the machine is not for loopback
        self._session.verify = str(certificate)
        self._session.headers["Authorization"] = f"Bearer {config['users'][0]['user']['token']}"

    def close(self) -> None:
        self._session.close()

    def items(self, namespace: str, plural: str) -> list[dict[str, Any]]:
        """Return the objects of ours of a namespace: what kubectl would say, at a hundredth of its work."""
        answer = self._session.get(
            f"{self._server}/apis/{API_VERSION}/namespaces/{namespace}/{plural}", timeout=TIMEOUT
        )
        assert answer.status_code == 200, answer.text[:2000]
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def send(self, plural: str, text: str) -> tuple[int, str]:
        """Send text as an object of ours in the namespace default; return status and answer, whatever they are."""
        answer = self._session.post(
            f"{self._server}/apis/{API_VERSION}/namespaces/default/{plural}",
            params={"dryRun": "All", "fieldValidation": "Strict"},
            data=text.encode(),
            headers={"Content-Type": "application/json"},
            timeout=TIMEOUT,
        )
        return answer.status_code, answer.text

    def create(self, kind: Kind, name: str, spec: Any) -> str:
        """Return why the API server refuses the object, or nothing when it would take it."""
        namespace = "/namespaces/default" if kind.namespaced else ""
        body = {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}
        answer = self._session.post(
            f"{self._server}/apis/{API_VERSION}{namespace}/{kind.plural}",
            params={"dryRun": "All", "fieldValidation": "Strict"},
            json=body,
            timeout=TIMEOUT,
        )
        said = f"{answer.status_code} {answer.text}"
        assert answer.status_code == 201 or (answer.status_code in {400, 422} and '"Status"' in said), said[:2000]
        return "" if answer.status_code == 201 else said
