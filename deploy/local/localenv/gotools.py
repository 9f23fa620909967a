"""Programs in Go that a check needs beside the control plane: kstatus.

Each is a Go module next to this package, which pins it; the cache keeps what was built of just these files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from . import gobuild
from .assets import architecture, fill
from .process import locked
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
