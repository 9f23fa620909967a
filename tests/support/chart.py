"""The chart through the real helm: what it renders, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from localenv.settings import REPOSITORY

CHART = REPOSITORY / "charts" / "stoker"
MUTATES = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
HAS_TEMPLATES = "stoker.dev/v1alpha1/VirtualMachineTemplate"

Object = dict[str, Any]


class RefusedError(Exception):
    """What helm said when it refused."""


@dataclass(frozen=True)
class Helm:
    """The program, perhaps with a cluster."""

    program: Path
    kubeconfig: Path | None = None

    def __call__(self, *arguments: str, values: Object | None = None) -> str:
        """Run one command and return what it printed; raise RefusedError when it fails."""
        command = [str(self.program), *arguments]
        if self.kubeconfig:
            command += ["--kubeconfig", str(self.kubeconfig)]
        if values is not None:
            command += ["--values", "-"]
        done = subprocess.run(command, input=json.dumps(values or {}), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RefusedError(done.stderr)
        return done.stdout

    def render(self, values: Object | None = None, *served: str, namespace: str = "stoker-system") -> list[Object]:
        """Return the objects that the chart makes of values, for a cluster that serves these kinds as well."""
        text = _template(self, json.dumps(values or {}), served, namespace)
        return [found for found in yaml.load_all(text, yaml.CSafeLoader) if found]


@cache
def _template(helm: Helm, values: str, served: tuple[str, ...], namespace: str) -> str:
    serving = [part for kind in served for part in ("--api-versions", kind)]
    return helm("template", "stoker", str(CHART), "--namespace", namespace, *serving, values=json.loads(values))


def of_kind(objects: list[Object], kind: str, name: str = "") -> list[Object]:
    """Return the objects of a kind, by name when one is given."""
    return [item for item in objects if item["kind"] == kind and name in ("", item["metadata"]["name"])]


def identity(item: Object) -> tuple[str, str]:
    """Return what an object is known by; the chart has none twice."""
    return item["kind"], item["metadata"]["name"]
