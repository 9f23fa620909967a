"""Flux's real kustomize-controller on the API server of the tests, with artifacts as the source-controller serves them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

import onboard
from localenv import gotools
from localenv.settings import LocalSettings
from support.cluster import wait_until
from support.controllers import HOST, Programs, free_address

NAMESPACE = "flux-system"
MODULES = ("github.com/fluxcd/kustomize-controller", "github.com/fluxcd/source-controller")
REQUESTED = "reconcile.fluxcd.io/requestedAt"


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, *_: object) -> None:
        pass


class Flux:
    """Flux while it runs."""

    def __init__(self, settings: LocalSettings, folder: Path) -> None:
        self._settings, self._served = settings, folder / "served"
        self._served.mkdir()
        self._server = ThreadingHTTPServer((HOST, 0), partial(_Quiet, directory=str(self._served)))
        environment = {"KUBECONFIG": str(settings.state / "kubeconfig"), "RUNTIME_NAMESPACE": NAMESPACE}
        self.programs = Programs(folder, environment)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="artifacts", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.programs.__exit__(kind, error, trace)
        self._server.shutdown()
        self._server.server_close()

    def install(self) -> None:
        """Bring the CRDs of Flux."""
        folders = [gotools.source(self._settings, "flux", module) / "config" / "crd" / "bases" for module in MODULES]
        onboard.kinds(self._settings, [file for folder in folders for file in sorted(folder.glob("*.yaml"))])
        onboard.apply(self._settings, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])

    def start(self) -> None:
        """Start the controller."""
        program = str(gotools.find(self._settings, "flux"))
        metrics, health = free_address()[0], free_address()[0]
        self.programs.start("flux", program, "--metrics-addr", metrics, "--health-addr", health)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        return onboard.kubectl(self._settings, *arguments, text=text)

    @contextmanager
    def kustomization(self, name: str, *manifests: dict[str, Any]) -> Iterator[Kustomization]:
        """Make a Kustomization of these VMs that waits for them; whatever it made goes at the end."""
        found = Kustomization(self, name)
        found.push(*manifests)
        spec = {
            "sourceRef": {"kind": "GitRepository", "name": name},
            "path": "./",
            "interval": "10m",
            "retryInterval": "10m",
            "timeout": "9m",
            "prune": True,
            "wait": True,
        }
        self.kubectl("apply", "-f", "-", text=json.dumps(_object("kustomize", "Kustomization", name, spec)))
        try:
            yield found
        finally:
            found.delete()

    def serve(self, name: str, manifests: tuple[dict[str, Any], ...]) -> dict[str, Any]:
        """Offer manifests for download, and return the artifact that tells of them."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for manifest in manifests:
                content = yaml.safe_dump(manifest).encode()
                entry = tarfile.TarInfo(f"{manifest['metadata']['name']}.yaml")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        data = packed.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        file = f"{name}-{digest[:12]}.tar.gz"
        (self._served / file).write_bytes(data)
        return {
            "path": file,
            "url": f"http://{HOST}:{self._server.server_port}/{file}",
            "digest": f"sha256:{digest}",
            "revision": f"main@sha1:{digest[:40]}",
            "size": len(data),
            "lastUpdateTime": _now(),
        }


class Kustomization:
    """One Kustomization, and the GitRepository of its name."""

    def __init__(self, flux: Flux, name: str) -> None:
        self._flux, self.name, self.revision = flux, name, ""

    def push(self, *manifests: dict[str, Any]) -> None:
        """Make these VMs all that there are in Git, as the source-controller tells of it."""
        source = _object(
            "source", "GitRepository", self.name, {"url": "https://git.example.org/vms", "interval": "10m"}
        )
        self._flux.kubectl("apply", "-f", "-", text=json.dumps(source))
        artifact = self._flux.serve(self.name, manifests)
        ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": _now()}
        status = {"observedGeneration": 1, "artifact": artifact, "conditions": [{**ready, "observedGeneration": 1}]}
        self._flux.kubectl(
            "patch", "gitrepository", self.name, "-n", NAMESPACE, "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": status}),
        )  # fmt: skip
        self.revision = artifact["revision"]

    def read(self) -> dict[str, Any]:
        """Return the object."""
        self._flux.programs.check()
        text = self._flux.kubectl("get", "kustomization", self.name, "-n", NAMESPACE, "-o", "json")
        found: dict[str, Any] = json.loads(text)
        return found

    def ready(self) -> dict[str, str]:
        """Return the condition Ready of the newest revision, or an empty one."""
        status = self.read().get("status", {})
        conditions = status.get("conditions", []) if status.get("lastAttemptedRevision") == self.revision else []
        empty = {"status": "", "reason": "", "message": ""}
        return next((one for one in conditions if one["type"] == "Ready"), empty)

    def wait(self, reason: str) -> dict[str, str]:
        """Wait until Ready has that reason for the newest revision, and return the condition."""
        found: dict[str, str] = wait_until(
            f"the Kustomization to say {reason}", lambda: (c := self.ready())["reason"] == reason and c
        )
        return found

    def reconcile(self) -> None:
        """Have it apply everything anew, and wait until it did."""
        asked = uuid.uuid4().hex
        self._flux.kubectl(
            "annotate", "kustomization", self.name, "-n", NAMESPACE, "--overwrite", f"{REQUESTED}={asked}"
        )

        def done() -> bool:
            status = self.read()["status"]
            return status.get("lastHandledReconcileAt") == asked and self.ready()["status"] == "True"

        wait_until("the reconciliation", done)

    def delete(self) -> None:
        """Delete it with all that it made, and wait."""
        self._flux.kubectl("delete", "kustomization", self.name, "-n", NAMESPACE, "--timeout=120s")
        self._flux.kubectl("delete", "gitrepository", self.name, "-n", NAMESPACE, "--wait=false")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _object(group: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": f"{group}.toolkit.fluxcd.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
