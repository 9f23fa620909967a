"""Install OpenStack's wheels into one virtual environment in the cache, from the lock file and its hashes."""

from __future__ import annotations

import shutil
import sys

from localenv.process import locked, run, say

from .layout import SOURCES, Layout

UV_VERSION = "0.13.9"
"""The version the Makefile pins too. uv installs the 200 wheels in seconds where pip needs minutes."""


def install(layout: Layout) -> None:
    """Make sure that the virtual environment of the present lock file is complete.

    A virtual environment holds its own path and cannot be built elsewhere and renamed. So a marker says that it is
    complete, and a lock keeps a second environment of the same cache from using it before.
    """
    done = layout.venv / ".done"
    if done.exists():
        return
    lock = layout.venv.with_name(f"{layout.venv.name}.lock")
    with locked(lock, "another environment installs OpenStack; waiting for it"):
        if not done.exists():
            _install(layout)
            done.touch()


def _install(layout: Layout) -> None:
    uv = str(_uv(layout))
    say("OpenStack: installing 200 wheels (the first time only)")
    shutil.rmtree(layout.venv, ignore_errors=True)
    run([uv, "venv", "--quiet", "--python", sys.executable, str(layout.venv)])
    lock = str(SOURCES / "requirements.lock")
    run([uv, "pip", "install", "--quiet", "--python", str(layout.python), "--require-hashes", "-r", lock])
    say("OpenStack: compiling bytecode (the first time only)")
    # Not uv's --compile-bytecode: that includes thousands of test modules. Some modules of the packages are for
    # other Pythons and do not compile, which the exit code would report.
    compiling = [str(layout.python), "-m", "compileall", "-qq", "-j", "0", "-x", "/tests/", str(layout.venv / "lib")]
    run(["/bin/sh", "-c", '"$@" || true', "sh", *compiling])


def _uv(layout: Layout) -> str:
    """Install uv into the cache, where the Makefile puts the same version, unless it is there."""
    home = layout.settings.cache / f"uv-{UV_VERSION}"
    with locked(home.with_name(f"{home.name}.lock"), "another environment installs uv; waiting for it"):
        if not (home / "bin" / "uv").exists():
            say(f"OpenStack: installing uv {UV_VERSION}")
            run([sys.executable, "-m", "venv", "--clear", str(home)])
            run([str(home / "bin" / "pip"), "install", "--quiet", f"uv=={UV_VERSION}"])
    return str(home / "bin" / "uv")
