"""The real Argo CD, application controller and repo server, installed as the guide says, on the API server of the tests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import argocd_config
import onboard
from localenv import gotools
from localenv.settings import LocalSettings
from support.cluster import wait_until
from support.controllers import Programs, Repository, free_address

NAMESPACE = "argocd"
PART = {"app.kubernetes.io/part-of": "argocd"}
ACTIONS = "resource.customizations.actions.stoker.dev_VirtualMachine"


class ArgoCD:
    """Argo CD while it runs, as its users see it."""

    def __init__(self, settings: LocalSettings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._program = str(gotools.find(settings, "argocd"))
        self.programs = Programs(
            folder,
            {
                "KUBECONFIG": str(settings.state / "kubeconfig"),
                "ARGOCD_FAKE_IN_CLUSTER": "true",  # the cluster of the kubeconfig is the one it runs in
                "ARGOCD_GPG_ENABLED": "false",
                "ARGOCD_SYNC_WAVE_DELAY": "1",
            },
        )

    def install(self) -> None:
        """Bring its CRDs and settings, then the patch that the guide has users apply."""
        crds = gotools.source(self._settings, "argocd", "github.com/argoproj/argo-cd/v3") / "manifests" / "crds"
        onboard.kinds(self._settings, sorted(crds.glob("*-crd.yaml")))
        onboard.apply(self._settings, _settings_of_its_own())
        self.kubectl("patch", "configmap", "argocd-cm", "-n", NAMESPACE, "--patch-file", str(argocd_config.PAGE))

    def start(self) -> None:
        """Start Redis, the repo server and the application controller."""
        (redis, _), (repo, port) = free_address(), free_address()
        metrics = [str(free_address()[1]) for _ in range(2)]
        self.programs.start("redis", self._program, "redis", redis)
        self.programs.start(
            "repo-server", self._program, "repo-server", "--disable-tls", "--redis", redis,
            "--address", repo.partition(":")[0], "--port", str(port), "--metrics-port", metrics[0],
        )  # fmt: skip
        self.programs.start(
            "controller", self._program, "controller", "--namespace", NAMESPACE, "--redis", redis,
            "--repo-server", repo, "--repo-server-plaintext", "--metrics-port", metrics[1],
            "--persist-resource-health", "--app-resync", "15", "--app-resync-jitter", "0",
        )  # fmt: skip

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        return onboard.kubectl(self._settings, *arguments, text=text)

    @contextmanager
    def application(self, name: str, repository: Repository, *options: str) -> Iterator[Application]:
        """Make an Application that syncs by itself into the namespace of its name; whatever it made goes at the end."""
        made = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "finalizers": ["resources-finalizer.argocd.argoproj.io"],
            },
            "spec": {
                "project": "default",
                "source": {"repoURL": f"file://{repository.folder}", "path": "vms", "targetRevision": "main"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
                "syncPolicy": {
                    "automated": {"prune": True, "selfHeal": True, "allowEmpty": True},
                    "syncOptions": list(options),
                    "retry": {"limit": -1, "refresh": True, "backoff": {"duration": "2s", "maxDuration": "5s"}},
                },
            },
        }
        self.kubectl("apply", "-f", "-", text=json.dumps(made))
        found = Application(self, name)
        try:
            yield found
        finally:
            if found.exists():
                found.delete()

    def act(self, action: str, vm: dict[str, Any]) -> dict[str, Any]:
        """Return what an action of a VM's menu makes of the object, by Argo CD's own engine and the installed setting."""
        config = json.loads(self.kubectl("get", "configmap", "argocd-cm", "-n", NAMESPACE, "-o", "json"))
        setting = self._folder / "actions.yaml"
        setting.write_text(config["data"][ACTIONS])
        command = [self._program, "action", str(setting), action]
        done = subprocess.run(command, input=json.dumps(vm), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        changed: dict[str, Any] = json.loads(done.stdout)
        return changed


class Application:
    """One Application."""

    def __init__(self, argocd: ArgoCD, name: str) -> None:
        self._argocd, self.name = argocd, name

    def exists(self) -> bool:
        return bool(self._argocd.kubectl("get", "application", self.name, "-n", NAMESPACE, "--ignore-not-found"))

    def read(self) -> dict[str, Any]:
        """Return the object."""
        self._argocd.programs.check()
        text = self._argocd.kubectl("get", "application", self.name, "-n", NAMESPACE, "-o", "json")
        found: dict[str, Any] = json.loads(text)
        return found

    def says(self) -> tuple[str, str]:
        """Return what it says of itself: whether it is in sync, and its health."""
        status = self.read().get("status", {})
        return status.get("sync", {}).get("status", ""), status.get("health", {}).get("status", "")

    def told(self) -> str:
        """Return what it says of the newest sync."""
        return str(self.read().get("status", {}).get("operationState", {}).get("message", ""))

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return what it says of each object, by name."""
        return {one["name"]: one for one in self.read().get("status", {}).get("resources", [])}

    def wait(self, *says: str) -> None:
        """Wait until it says so: in sync or not, healthy or not."""
        wait_until(f"the Application to be {' and '.join(says)}", lambda: self.says() == says)

    def refresh(self) -> None:
        """Have it compare Git and the cluster anew, and wait until it did."""
        asked = "argocd.argoproj.io/refresh"
        self._argocd.kubectl("annotate", "application", self.name, "-n", NAMESPACE, "--overwrite", f"{asked}=hard")
        wait_until("the comparison", lambda: asked not in self.read()["metadata"].get("annotations", {}))

    def patch(self, patch: dict[str, Any]) -> None:
        """Merge this into it, as its owner would."""
        where = (self.name, "-n", NAMESPACE, "--type=merge", "-p", json.dumps(patch))
        self._argocd.kubectl("patch", "application", *where)

    def delete(self) -> None:
        """Delete it with all that it made, and wait."""
        self._argocd.kubectl("delete", "application", self.name, "-n", NAMESPACE, "--wait=false")
        wait_until("the Application to be gone", lambda: not self.exists())


def _settings_of_its_own() -> list[dict[str, Any]]:
    """Return the objects that Argo CD's installation brings for the two programs."""

    def made(kind: str, name: str, **content: Any) -> dict[str, Any]:
        labels = {"app.kubernetes.io/name": name, **PART}
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}

    everything = [{"group": "*", "kind": "*"}]
    project = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "default", "namespace": NAMESPACE},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"namespace": "*", "server": "*"}],
            "clusterResourceWhitelist": everything,
        },
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        made("ConfigMap", "argocd-cm"),
        made("ConfigMap", "argocd-rbac-cm"),
        made("Secret", "argocd-secret", stringData={"server.secretkey": "of-a-test-and-of-nothing-else-at-all"}),
        made("Secret", "argocd-redis", stringData={"auth": ""}),
        project,
    ]
