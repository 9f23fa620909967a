"""Programs in Go that a check needs beside the control plane: kstatus, Argo CD and Flux.

Each is a Go module next to this package, which pins it; the cache keeps what was built of just these files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from . import gobuild
from .assets import architecture, fill
from .process import locked, run
from .settings import REPOSITORY, LocalSettings

MODULES = REPOSITORY / "deploy" / "local"
"""The folder of the modules; each has the name of its program."""


def cached(settings: LocalSettings, name: str) -> Path:
    """Return where the cache has a program, built from the module as it is now, for this machine's architecture."""
    sources = sorted(path for path in (MODULES / name).iterdir() if path.suffix in {".go", ".mod", ".sum"})
    content = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
    return settings.cache / name / f"{content[:16]}-{architecture()}" / name


def find(settings: LocalSettings, name: str) -> Path:
    """Return the path of a program, building it when the cache has none.

    Raises SystemExit when it cannot be built.
    """
    program = cached(settings, name)
    if not program.exists():
        with locked(settings.cache / name / "lock", f"another process builds {name}; waiting for it"):
            if not program.exists():
                fill([name], program.parent, [partial(_build, settings)])
    return program


def _build(settings: LocalSettings, names: Sequence[str], folder: Path) -> None:
    go = gobuild.find_go(settings.cache)
    for name in names:
        gobuild.build(go, name, folder / name, module=MODULES / name, label=name)


def source(settings: LocalSettings, name: str, module: str) -> Path:
    """Return the folder of a module's files, in the version that a program's go.mod requires.

    `module` may be the parent of a required one (`…/source-controller` of `…/source-controller/api`): Flux tags both.
    Raises SystemExit when go.mod has neither, or the module cannot be had.
    """
    text = (MODULES / name / "go.mod").read_text()
    found = re.search(rf"^\s*{re.escape(module)}(?:/api)? (v\S+)", text, re.MULTILINE)
    if not found:
        raise SystemExit(f"{MODULES / name / 'go.mod'} does not require {module}")
    command = [str(gobuild.find_go(settings.cache)), "mod", "download", "-json", f"{module}@{found[1]}"]
    answer = run(command, env={**gobuild.BUILD_ENVIRONMENT, "GOFLAGS": ""}, cwd=Path("/"))
    return Path(json.loads(answer)["Dir"])
