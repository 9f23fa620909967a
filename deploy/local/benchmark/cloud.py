"""The simulator as a process of its own, and its control API."""

from __future__ import annotations

import json
import subprocess
from types import TracebackType
from typing import Any, Self

import requests

from localenv.settings import REPOSITORY

PROGRAM = REPOSITORY / "tests" / "simulator" / "stoker-sim"
CLIENT = "stoker/"
"""How the operator's User-Agent begins."""


class SimulatedCloud:
    """A context manager; inside it, the cloud answers at `auth_url`."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([str(PROGRAM), "--port", "0"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        known = json.loads(self._process.stdout.readline())
        self.auth_url, self._control = str(known["auth_url"]), str(known["control"])
        self._http = requests.Session()
        self._http.trust_env = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._process.terminate()
        self._process.wait(20)

    def ask(self, method: str, path: str, **given: Any) -> Any:
        """Send a request to the control API; raises HTTPError when it is refused."""
        answer = self._http.request(method, f"{self._control}{path}", json=given or None, timeout=120)
        answer.raise_for_status()
        return answer.json()

    def creates(self) -> int:
        """Return how many requests to create a stack the operator has sent since `forget`."""
        rows = self._http.get(f"{self._control}/calls", params={"client": CLIENT}, timeout=120).json()
        return sum(row["count"] for row in rows if row["kind"].startswith("POST ") and row["kind"].endswith("/stacks"))

    def calls(self) -> list[tuple[str, str]]:
        """Return the operator's calls since `forget`, as method and path with query.

        Raises SystemExit when there were more than the simulator keeps one by one.
        """
        rows = self._http.get(f"{self._control}/calls", params={"client": CLIENT}, timeout=120).json()
        log = self._http.get(f"{self._control}/log", params={"client": CLIENT}, timeout=120).json()
        if sum(row["count"] for row in rows) != len(log):
            raise SystemExit("more calls than the simulator keeps: measure fewer VMs, or for a shorter time")
        return [(call["kind"].split()[0], call["path"]) for call in log]

    def forget(self) -> None:
        """Begin to count anew."""
        self.ask("DELETE", "/calls")

    def begun(self, project: str) -> int:
        """Return how often Heat began to create a stack for the project, asked for once or twice."""
        found = next(one for one in self.ask("GET", "")["projects"] if one["id"] == project)
        return int(found["actions"].get("CREATE", 0))
