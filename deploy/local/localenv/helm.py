"""Find Helm, for the tests of the chart and for who installs it here: `make helm`.

The first source that has it wins: our cache, a Helm 4 on the PATH, a build from source. The version stands in
`helm/go.mod` and nowhere else. The official archive is no source: its sum is published beside it only, and a build
takes a minute or two, most packages being those of the control plane.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import gobuild
from .assets import architecture, fill
from .process import locked, say
from .settings import REPOSITORY, LocalSettings

MODULE = REPOSITORY / "deploy" / "local" / "helm"
"""The Go module that pins the version."""


def cached(settings: LocalSettings) -> Path:
    """Return where the cache has the pinned version for this machine's architecture."""
    found = re.search(r"^\s*helm\.sh/helm/v4 (v\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise SystemExit(f"{MODULE / 'go.mod'} does not require helm.sh/helm/v4")
    return settings.cache / "helm" / f"{found[1]}-{architecture()}" / "helm"


def find(settings: LocalSettings) -> Path:
    """Return the path of Helm 4, building it when this machine has none.

    Raises SystemExit when it cannot be built.
    """
    program = cached(settings)
    if program.exists():
        return program
    if on_path := _on_path():
        return on_path
    with locked(settings.cache / "helm" / "lock", "another process builds Helm; waiting for it"):

        def build(names: Sequence[str], folder: Path) -> None:
            for name in names:
                go = gobuild.find_go(settings.cache)
                gobuild.build(go, name, folder / name, module=MODULE, label=f"{name} {program.parent.name}")

        fill([program.name], program.parent, [build])
    return program


def _on_path() -> Path | None:
    """Return the Helm of the PATH if it is of version 4: the chart promises no other."""
    found = shutil.which("helm")
    try:
        said = subprocess.run([found or "", "version", "--short"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return Path(str(found)) if said.startswith("v4.") else None


def main() -> None:
    """Find Helm, and offer it under `bin`, which `.local/env` puts on the PATH."""
    settings = LocalSettings.load()
    program = find(settings)
    link = settings.state / "bin" / "helm"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(program)
    say(f"Helm is ready: {program}")


if __name__ == "__main__":
    main()
