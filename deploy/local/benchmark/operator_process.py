"""The operator that is measured: a process of its own, with the settings that a cluster's would have."""

from __future__ import annotations

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

    def __init__(self, settings: LocalSettings) -> None:
        self._process = Process("bench-operator", settings)
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self._port = probe.getsockname()[1]
        self._environment = {
            **environment(settings),
            "STOKER_REST_SECONDS": str(Settings().rest_seconds),
            "STOKER_METRICS_PORT": str(self._port),
            "STOKER_HEALTH_PORT": "0",
            "STOKER_IDENTITY": "bench",
            "STOKER_AUDIT_DIR": str(settings.state / "audit-bench"),
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(settings.state / "bytecode"),  # compiled once, as in an image
        }

    def __enter__(self) -> Self:
        self._process.start([sys.executable, "-m", "stoker", "run"], env=self._environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop(grace=60)

    @property
    def pid(self) -> int:
        """Its process id. Raises SystemExit when it died."""
        pid = self._process.pid()
        if pid is None:
            raise SystemExit(f"the operator died; see {self._process.log}")
        return pid

    def metric(self, name: str, *labels: str) -> float:
        """Return the sum of a metric's samples that have all those labels (`reason="Active"`); 0 before it listens."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self._port}/metrics", timeout=30) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        return counters.total(text, name, *labels)
