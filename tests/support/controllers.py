"""Programs that run beside the API server while a test does, each with a log; and what they find in Git."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

HOST = "127.0.0.1"


def free_address() -> tuple[str, int]:
    """Return an address that nobody listens on, and its port."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
    return f"{HOST}:{port}", port


class Programs:
    """A context manager; what was started in it is stopped at its end, the newest first."""

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        """Programs have that environment, the machine's PATH, and a home of their own below `logs`."""
        self._logs, self._stack = logs, ExitStack()
        own = {name: str(logs / name.lower()) for name in ("HOME", "TMPDIR")}
        for folder in own.values():
            Path(folder).mkdir(parents=True, exist_ok=True)
        self._environment = {"PATH": os.environ["PATH"], **own, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        """Start a program; its output goes to `name`.log."""
        log = self._stack.enter_context((self._logs / f"{name}.log").open("ab"))
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment, cwd=self._logs
        )
        self._running[name] = process
        self._stack.callback(_stop, process)

    def check(self) -> None:
        """Fail with the end of its log if a program ended."""
        for name, process in self._running.items():
            log = self._logs / f"{name}.log"
            assert process.poll() is None, f"{name} ended: {log.read_text(errors='replace')[-3000:]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Repository:
    """A Git repository with a manifest a file, in the folder `vms`, which stays where there is none.

    Git has no empty folders, and for Argo CD a path that is missing is an error, after which it prunes nothing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "vms").mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")
        (folder / "vms" / ".gitkeep").touch()

    def push(self, *manifests: dict[str, Any]) -> None:
        """Make these VMs all that there are, and commit."""
        for file in (self.folder / "vms").glob("*.yaml"):
            file.unlink()
        for manifest in manifests:
            file = self.folder / "vms" / f"{manifest['metadata']['name']}.yaml"
            file.write_text(yaml.safe_dump(manifest))
        self._git("add", "--all")
        self._git("-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "--message=VMs")

    def _git(self, *arguments: str) -> None:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *arguments], cwd=self.folder, check=True, env=environment)
