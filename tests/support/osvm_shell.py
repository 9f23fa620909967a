"""`kubectl osvm` in this process, with what it prints."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from rich.console import Console

from stoker.osvm.main import main
from stoker.osvm.screen import Screen


@dataclass
class Shell:
    """A user's shell in a namespace."""

    kubeconfig: str
    namespace: str
    out: str = ""
    err: str = ""
    login: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.login = ["-n", self.namespace, "--kubeconfig", self.kubeconfig]

    def run(self, *arguments: str, terminal: bool = False) -> int:
        """Run a command; what it printed is then in `out` and `err`."""
        out, err = io.StringIO(), io.StringIO()
        consoles = [
            Console(file=file, force_terminal=terminal, width=120 if terminal else 100_000, highlight=False)
            for file in (out, err)
        ]
        code = main([*arguments, *self.login], Screen(*consoles))
        self.out, self.err = out.getvalue(), err.getvalue()
        return code
