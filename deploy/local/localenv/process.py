"""Start and stop the environment's processes: each has a pid file, and only a pid we wrote is ever signalled.

A pid alone is not an identity, because the kernel uses numbers again. The file therefore also holds the process's
start time (field 22 of /proc/PID/stat), and a process is ours only while both agree.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .settings import HOST, LocalSettings

POLL_SECONDS = 0.1
"""Pause between two looks at a process or a port, seconds."""

START_SECONDS = 15.0
"""Longest time until the kernel tells a new process's arguments; it is a moment, on a machine that has one to spare."""


def say(text: str) -> None:
    """Print one line of progress, stamped with the time of day and, where halves run side by side, the half."""
    thread = threading.current_thread()
    half = "" if thread is threading.main_thread() else f"{thread.name:<10} "
    # One write for the whole line: `print` writes the line and its end separately, and two threads would interleave.
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {half}{text}\n")
    sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class Process:
    """One background process of the environment, known by its name."""

    name: str
    settings: LocalSettings

    @property
    def log(self) -> Path:
        return self.settings.logs / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        return self.settings.pids / f"{self.name}.json"

    def pid(self) -> int | None:
        """Return the pid while the process we started is alive, else None."""
        try:
            record = json.loads(self.pid_file.read_text())
            # A process that died before its start time was read has None there, and is not ours to signal any more.
            ours = record["started"] is not None and _started(record["pid"]) == record["started"]
            return int(record["pid"]) if ours else None
        except (OSError, ValueError, KeyError):
            return None

    def start(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Start the command in the background, unless it runs already; its output goes to `log`."""
        if self.pid() is not None:
            return
        for folder in (self.settings.logs, self.settings.pids):
            folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )
        # The process outlives us on purpose; without this, Python warns that we forgot to wait for it.
        child.returncode = 0
        self.pid_file.write_text(json.dumps({"pid": child.pid, "started": _started(child.pid)}))

    def was_started_with(self, argument: str) -> bool:
        """Return whether the running process has that argument."""
        # A process has no arguments for a moment after its start: the kernel says that it runs before it says what.
        wait_for(lambda: self._arguments() != [""], START_SECONDS)
        return argument in self._arguments()

    def _arguments(self) -> list[str]:
        try:
            return Path(f"/proc/{self.pid()}/cmdline").read_text().split("\0")
        except OSError:
            return []

    def stop(self, *, grace: float = 15.0, first: signal.Signals = signal.SIGTERM) -> None:
        """Ask the process to end, and kill it after `grace` seconds; nothing happens when it is gone."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, first)
            if not wait_for(lambda: self.pid() is None, grace):
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda: self.pid() is None, grace)
        self.pid_file.unlink(missing_ok=True)

    def wait_ready(self, ready: Callable[[], bool], timeout: float) -> None:
        """Wait until `ready()` holds.

        Raises SystemExit with the end of the log when the process dies or `timeout` seconds pass.
        """
        if wait_for(lambda: self.pid() is None or ready(), timeout) and self.pid() is not None:
            return
        state = "did not become ready" if self.pid() else "died"
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-25:]) if self.log.exists() else ""
        raise SystemExit(f"{self.name} {state}; the end of {self.log}:\n{tail}")


def wait_for(condition: Callable[[], bool], timeout: float) -> bool:
    """Return True as soon as the condition holds, False after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def require_free(settings: LocalSettings, *names: str) -> None:
    """Check that nobody listens on these ports of `PORTS`.

    Without it, our process would die of the taken port while the readiness check talks to the stranger.
    Raises SystemExit naming the port and the variable that moves it.
    """
    for name in names:
        port = settings.ports[name]
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                raise SystemExit(f"port {port} is in use by another program; choose another with STOKER_PORT_{name}")


@contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; say `waiting` once when another process (or thread) holds it.

    The kernel drops the lock with the process, so a crash leaves no stale lock. The file stays: removing it would
    let two processes lock two different files of the same name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command to its end and return what it printed.

    Raises SystemExit with the command and the end of its output when it fails.
    """
    done = subprocess.run(
        list(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}, cwd=cwd,
    )  # fmt: skip
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise SystemExit(f"failed with exit code {done.returncode}: {' '.join(map(str, command))}\n{tail}")
    return done.stdout


def _started(pid: int) -> str | None:
    """Return the start time of a live process in clock ticks, or None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]
