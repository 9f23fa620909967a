"""What runs pods where there is no kubelet: the programs of the chart's pods, as processes of this machine.

A StatefulSet becomes that many operators, started again when its template changes; a pod of `helm test` becomes its
command. Each has the environment of its container and its service account's token, and the API server is told how it
goes, so `--wait` waits for what it would wait for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import onboard
from localenv import kubernetes
from localenv.access import Access
from localenv.settings import HOST, LocalSettings
from operator_run import environment as operator_environment
from support.fresh import free_ports
from support.operator import OperatorProcess

NAMESPACE = onboard.NAMESPACE

Object = dict[str, Any]


def environment(container: Object, pod: str, folder: Path, port: int = 0) -> dict[str, str]:
    """Return a container's environment; only what a pod has to itself is this machine's."""
    fields = {"metadata.namespace": NAMESPACE, "metadata.name": pod}
    given = {item["name"]: item.get("value") or fields[item["valueFrom"]["fieldRef"]["fieldPath"]] for item in container["env"]}  # fmt: skip
    return {
        **given,
        "STOKER_AUDIT_DIR": str(folder / pod),
        "STOKER_HEALTH_PORT": str(port),
        "STOKER_BIND_ADDRESS": HOST,
    }


def log_in(settings: LocalSettings) -> None:
    """Write the kubeconfig of the chart's service account, with a new token as each pod gets one.

    One of an account that was made anew since would seem good for ten seconds: so long the API server remembers it.
    """
    access = Access(settings)
    access.kubeconfig("operator").unlink(missing_ok=True)
    kubernetes.write_operator_kubeconfig(access, kubernetes.Kubectl(settings.state / "bin" / "kubectl", access))


class Kubelet:
    """A context manager: pods run in it, and what runs at its end is stopped."""

    def __init__(self, settings: LocalSettings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._over = threading.Event()
        self._template: Object | None = None
        self._operators: list[OperatorProcess] = []
        self._thread = threading.Thread(target=self._run, name="kubelet")
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._stop()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._over.wait(0.3):
                self._serve_set()
                self._serve_pods()
        except BaseException as error:  # noqa: BLE001 -- shown by __exit__
            self._failure = error

    def _get(self, kind: str) -> list[Object]:
        text = onboard.kubectl(self._settings, "get", kind, "-n", NAMESPACE, "-o", "json")
        return list(json.loads(text)["items"])

    def _report(self, kind: str, name: str, status: Object) -> None:
        onboard.kubectl(
            self._settings, "patch", kind, name, "-n", NAMESPACE, "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": status}),
        )  # fmt: skip

    def _serve_set(self) -> None:
        found = next(iter(self._get("statefulset")), None)
        template = found["spec"]["template"] if found else None
        if template == self._template:
            return
        self._stop()
        self._template = template
        if not found or not template:
            return
        log_in(self._settings)
        (container,) = template["spec"]["containers"]
        wanted = found["spec"]["replicas"]
        for number in range(wanted):
            port = free_ports("health")["health"]
            own = environment(container, f"stoker-{number}", self._folder, port)
            quick = {"STOKER_METRICS_PORT": "0", "STOKER_POLL_SECONDS": "0.5", "STOKER_REST_SECONDS": "3"}
            self._operators.append(
                OperatorProcess(self._settings, str(self._folder / "operator.log"), **{**own, **quick})
            )
            self._operators[-1].start()
        counts = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
        revision = {"currentRevision": "this", "updateRevision": "this"}
        generation = found["metadata"]["generation"]
        self._report("statefulset", found["metadata"]["name"], {**dict.fromkeys(counts, wanted), **revision, "observedGeneration": generation})  # fmt: skip

    def _serve_pods(self) -> None:
        for pod in self._get("pod"):
            if pod.get("status", {}).get("phase") != "Pending":
                continue
            (container,) = pod["spec"]["containers"]
            own = {
                **operator_environment(self._settings),
                **environment(container, pod["metadata"]["name"], self._folder),
            }
            command = [sys.executable, "-m", "stoker", *container["args"]]
            done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
            (self._folder / f"{pod['metadata']['name']}.log").write_text(done.stdout + done.stderr)
            self._report("pod", pod["metadata"]["name"], {"phase": "Failed" if done.returncode else "Succeeded"})

    def _stop(self) -> None:
        """Stop the operators, whatever they say: an uninstall takes their rights first, and they end for that."""
        for operator in self._operators:
            operator.stop()
        self._operators.clear()
