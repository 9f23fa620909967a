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

PACKAGE = "github.com/prometheus/prometheus/cmd/{name}@v0.316.0"
"""What is built where there is no package; its version names the cache's folder."""

MONITORING = REPOSITORY / "deploy" / "monitoring"


def find(settings: LocalSettings, name: str = "promtool") -> Path:
    """Return the path of promtool or prometheus, obtaining it when this machine has none. Raises SystemExit when it cannot be had."""
    folder = settings.cache / "promtool" / f"{PACKAGE.rpartition('@')[2]}-{architecture()}"
    program = folder / name
    if program.exists():
        return program
    if on_path := shutil.which(name):
        return Path(on_path)
    with locked(settings.cache / "promtool" / "lock", "another process gets promtool; waiting for it"):
        fill([name], folder, [_from_debian, lambda names, into: _from_source(settings.cache, names, into)])
    return program


def _from_debian(names: Sequence[str], folder: Path) -> None:
    """Unpack the package of the machine's own Debian or Ubuntu; where there is none, the next source is asked."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return
    say(f"unpacking {', '.join(names)} from the package prometheus")
    with tempfile.TemporaryDirectory() as work:
        found = subprocess.run(["apt-get", "download", "prometheus"], cwd=work, capture_output=True, check=False)
        packages = list(Path(work).glob("prometheus_*.deb"))
        if found.returncode or not packages:
            return
        run(["dpkg-deb", "-x", str(packages[0]), f"{work}/x"])
        for name in names:
            shutil.copy(Path(work) / "x/usr/bin" / name, folder / name)


def _from_source(cache: Path, names: Sequence[str], folder: Path) -> None:
    go, packages = gobuild.find_go(cache), [PACKAGE.format(name=name) for name in names]
    say(f"building {', '.join(packages)} with {go}: some ten minutes")
    environment = {**os.environ, **gobuild.BUILD_ENVIRONMENT, "GOFLAGS": "", "GOBIN": str(folder)}
    if subprocess.run([go, "install", *packages], env=environment, cwd="/", check=False).returncode:
        raise SystemExit(
            f"{', '.join(names)} could not be built; install the package prometheus, so that it is on the PATH"
        )


def main() -> None:
    """Check the rules and run their tests. Ends with promtool's own exit code when one fails."""
    promtool = str(find(LocalSettings.load()))
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run([promtool, *command], cwd=MONITORING, check=False)
        if done.returncode:
            raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
