"""The operator that is measured: a process of its own, with the settings that a cluster's would have."""

from __future__ import annotations

import os
import signal
import socket
import sys
import urllib.request
from types import TracebackType
from typing import Self

from benchmark import counters
from localenv.process import Process
from localenv.settings import HOST, LocalSettings
from operator_run import environment
from stoker.settings import Settings


class Operator:
    """A context manager that starts it and stops it."""

    def __init__(self, settings: LocalSettings, identity: str = "bench") -> None:
        self.identity = identity
        self._process = Process(f"{identity}-operator", settings)
        self._port, self._health = _free_port(), _free_port()
        self._environment = {
            **environment(settings),
            "STOKER_REST_SECONDS": str(Settings().rest_seconds),
            "STOKER_METRICS_PORT": str(self._port),
            "STOKER_HEALTH_PORT": str(self._health),
            "STOKER_IDENTITY": identity,
            "STOKER_AUDIT_DIR": str(settings.state / f"audit-{identity}"),
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(settings.state / "bytecode"),  # compiled once, as in an image
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop(grace=60)

    def start(self) -> None:
        """Start it, unless it runs."""
        self._process.start([sys.executable, "-m", "stoker", "run"], env=self._environment)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, and do not wait for what comes of it."""
        os.kill(self.pid, number)

    @property
    def alive(self) -> bool:
        return self._process.pid() is not None

    @property
    def pid(self) -> int:
        """Its process id. Raises SystemExit when it died."""
        pid = self._process.pid()
        if pid is None:
            raise SystemExit(f"the operator died; see {self._process.log}")
        return pid

    def metric(self, name: str, *labels: str) -> float:
        """Return the sum of a metric's samples that have all those labels (`reason="Active"`); 0 before it listens."""
        return counters.total(_text(f"http://{HOST}:{self._port}/metrics"), name, *labels)

    def ready(self) -> str:
        """Return what it says when it is ready ("leading"), and nothing before."""
        return _text(f"http://{HOST}:{self._health}/readyz").strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _text(url: str) -> str:
    """Return what is there, and nothing while nobody listens, or refuses."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
