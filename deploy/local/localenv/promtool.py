"""Check and test the alerts with the real promtool: `make alerts`.

The first source that has it wins: our cache, the PATH, Debian's package `prometheus` (20 MB, seconds; unpacked into the
cache, not installed), a build from source. The build takes over six CPU-minutes, so `make test` leaves promtool out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import gobuild
from .assets import architecture, fill
from .process import locked, run, say
from .settings import REPOSITORY, LocalSettings

PACKAGE = "github.com/prometheus/prometheus/cmd/promtool@v0.316.0"
"""What is built where there is no package."""

MONITORING = REPOSITORY / "deploy" / "monitoring"


def find(settings: LocalSettings) -> Path:
    """Return the path of promtool, obtaining it when this machine has none. Raises SystemExit when it cannot be had."""
    folder = settings.cache / "promtool" / f"{PACKAGE.rpartition('@')[2]}-{architecture()}"
    program = folder / "promtool"
    if program.exists():
        return program
    if on_path := shutil.which("promtool"):
        return Path(on_path)
    with locked(settings.cache / "promtool" / "lock", "another process gets promtool; waiting for it"):
        fill(["promtool"], folder, [_from_debian, lambda names, into: _from_source(settings.cache, names, into)])
    return program


def _from_debian(_names: Sequence[str], folder: Path) -> None:
    """Unpack the package of the machine's own Debian or Ubuntu; where there is none, the next source is asked."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return
    say("unpacking promtool from the package prometheus")
    with tempfile.TemporaryDirectory() as work:
        found = subprocess.run(["apt-get", "download", "prometheus"], cwd=work, capture_output=True, check=False)
        packages = list(Path(work).glob("prometheus_*.deb"))
        if found.returncode or not packages:
            return
        run(["dpkg-deb", "-x", str(packages[0]), f"{work}/x"])
        shutil.copy(Path(work) / "x/usr/bin/promtool", folder / "promtool")


def _from_source(cache: Path, _names: Sequence[str], folder: Path) -> None:
    go = gobuild.find_go(cache)
    say(f"building {PACKAGE} with {go}: some ten minutes")
    environment = {**os.environ, **gobuild.BUILD_ENVIRONMENT, "GOFLAGS": "", "GOBIN": str(folder)}
    if subprocess.run([go, "install", PACKAGE], env=environment, cwd="/", check=False).returncode:
        raise SystemExit("promtool could not be built; install it (package prometheus), so that it is on the PATH")


def main() -> None:
    """Check the rules and run their tests. Ends with promtool's own exit code when one fails."""
    promtool = str(find(LocalSettings.load()))
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run([promtool, *command], cwd=MONITORING, check=False)
        if done.returncode:
            raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
