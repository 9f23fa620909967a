"""The operator under test: in this process (for coverage), or as a process of its own (to be killed)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest import mock

import onboard
from localenv.settings import LocalSettings
from operator_run import environment
from stoker import app
from stoker.access import find_access
from stoker.settings import Settings

QUICK = {
    "STOKER_METRICS_PORT": "0",
    "STOKER_HEALTH_PORT": "0",
    "STOKER_POLL_SECONDS": "0.5",
    "STOKER_REST_SECONDS": "3",
    "STOKER_CREATE_DEADLINE_SECONDS": "40",
    "STOKER_CREATE_TIMEOUT_SECONDS": "30",
}
"""Short pauses for tests. The create deadline stays above what a loaded local Heat takes to accept a create."""

HASTY = {"STOKER_CREATE_DEADLINE_SECONDS": "3", "STOKER_CREATE_TIMEOUT_SECONDS": "2"}
"""Of an operator on a simulated cloud, where nothing is slow: what was not answered is given up soon."""


class OperatorThread:
    """The operator in a thread of this process, started and stopped like the real one."""

    def __init__(self, local: LocalSettings, *, cluster: str = "", **changes: object) -> None:
        """`cluster` is another identity of the cluster than its own; other keywords are settings."""
        self._environment = {**environment(local), **QUICK}
        self._changes, self._cluster = changes, cluster
        self._leading = threading.Event()
        self._failure: BaseException | None = None
        # A daemon: one that never got the lease is not stopped by anybody, and must not hold the test run.
        self._thread = threading.Thread(target=self._main, name="operator", daemon=True)

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # noqa: BLE001 -- shown by __exit__
            self._failure = error
        finally:
            self._leading.set()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with mock.patch.dict(os.environ, self._environment):
            access = find_access()
        settings = replace(Settings.load(self._environment), **self._changes)  # type: ignore[arg-type]
        await app.run(settings, access, self._stop, ready=self._leading.set, cluster=self._cluster)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._leading.wait(60), "the operator did not get the lease: does another one run?"
        if self._failure:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive(), "the operator did not stop"
        if self._failure:
            raise self._failure


class OperatorProcess:
    """`stoker run` as a process of its own, which a `with` starts; it is killed at the end if it still runs."""

    def __init__(self, local: LocalSettings, log: str, **extra: str) -> None:
        self._environment = {**environment(local), **QUICK, **extra}
        self._local, self._log = local, Path(log)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._begun = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stoker", "run"], env=self._environment, stdout=log, stderr=log
            )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill it without any warning; nothing happens when it does not run."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def actions(self) -> int:
        """Return how many actions it took since it was started, as its log says; it takes none before it leads."""
        return self._log.read_bytes()[self._begun :].count(b'"action": ')

    def replace(self) -> None:
        """Kill it without any warning, and start another that need not wait until the Lease of the dead runs out."""
        self.kill()
        lease = ("lease", Settings().lease_name, "-n", onboard.NAMESPACE)
        onboard.kubectl(self._local, "patch", *lease, "--type=merge", "-p", '{"spec": {"holderIdentity": ""}}')
        self.start()

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)
