"""Find the programs of the control plane: etcd, kube-apiserver, kube-controller-manager and kubectl.

The first source that has a program wins: the folder of `KUBEBUILDER_ASSETS`, our cache, the PATH (kubectl only), the
official archives, a build from source. The versions stand in `control-plane/go.mod` and nowhere else.
How a source obtains a program is told in `official` (downloads) and `gobuild`, not here.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from . import gobuild, official
from .process import locked, say
from .settings import REPOSITORY, LocalSettings

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")

MODULE = REPOSITORY / "deploy" / "local" / "control-plane"
"""The Go module that pins the versions."""

Source = Callable[[Sequence[str], Path], None]
"""Puts those of the named programs it can obtain into a folder; a name it does not have is left out, not an error."""


def architecture() -> str:
    """Return the machine's name as Go spells it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def pinned(module: str) -> str:
    """Return the version of a Go module that go.mod requires, such as `v1.36.3`."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise SystemExit(f"{MODULE / 'go.mod'} does not require {module}")
    return found[1]


def cache_folder(settings: LocalSettings) -> Path:
    """Return the folder of the cache for the pinned versions and this machine's architecture."""
    kubernetes, etcd = pinned("k8s.io/kubernetes"), pinned("go.etcd.io/etcd/server/v3")
    return settings.cache / "control-plane" / f"{kubernetes}-etcd-{etcd}-{architecture()}"


def find(settings: LocalSettings, names: Sequence[str] = PROGRAMS) -> dict[str, Path]:
    """Return the path of each named program, obtaining what is missing.

    Raises SystemExit when a program can neither be found, downloaded nor built.
    """
    found = installed(settings, names)
    if len(found) == len(names):
        return found
    waiting = "another process is filling the cache of programs; waiting for it"
    with locked(settings.cache / "control-plane" / "lock", waiting):
        missing = [name for name in names if name not in installed(settings, names)]
        fill(missing, cache_folder(settings), (from_archives, partial(from_source, settings.cache)))
    return installed(settings, names)


def installed(settings: LocalSettings, names: Sequence[str] = PROGRAMS) -> dict[str, Path]:
    """Return the named programs that are on this machine already."""
    folders = [folder for folder in (settings.assets, cache_folder(settings)) if folder]
    found = {}
    for name in names:
        path = shutil.which(name, path=os.pathsep.join(map(str, folders)))
        # A kubectl of another version serves as well. The servers do not: their version is what the tests promise.
        path = path or (shutil.which(name) if name == "kubectl" else None)
        if path:
            found[name] = Path(path)
    return found


def fill(missing: Sequence[str], folder: Path, sources: Sequence[Source]) -> None:
    """Put the missing programs into the folder, each from the first source that has it.

    A source works in a temporary folder next to the final one, so that a name in the cache is always a whole program.
    The caller holds the cache's lock.
    """
    work = folder.with_name(folder.name + ".partial")
    for source in sources:
        missing = [name for name in missing if not (folder / name).exists()]
        if not missing:
            return
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        source(missing, work)
        folder.mkdir(parents=True, exist_ok=True)
        for name in missing:
            if (work / name).exists():
                (work / name).chmod(0o755)
                (work / name).replace(folder / name)
        shutil.rmtree(work)


def from_archives(names: Sequence[str], folder: Path) -> None:
    """Download what the official sites have; being offline is no error, only a slower way."""
    say(f"missing {', '.join(names)}; asking the official download sites")
    official.download(names, folder, pinned("k8s.io/kubernetes"), architecture())


def from_source(cache: Path, names: Sequence[str], folder: Path) -> None:
    """Build the programs from the pinned module."""
    go = gobuild.find_go(cache)
    for place, name in enumerate(names, 1):
        gobuild.build(go, name, folder / name, module=MODULE, label=f"{name} ({place} of {len(names)})")
