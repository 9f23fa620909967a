"""The count of every call: who asked what kind of thing how often, and what came of the newest."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

NEWEST = 10_000
"""Calls that are kept one by one; beyond it only the counts grow."""


@dataclass(frozen=True)
class Call:
    """One call."""

    client: str
    """The header User-Agent."""

    kind: str
    """Method and path, with names for what differs: `GET /heat/v1/{project}/stacks`."""

    path: str
    """As it was sent, with its query."""

    project: str
    """Id of the token's project, if the token was one."""

    status: int
    """What was answered; 0 when a fault left the client without an answer."""

    fault: str = ""
    """Kind of the fault that it met."""


class Calls:
    """The counter."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self.newest: deque[Call] = deque(maxlen=NEWEST)

    def add(self, call: Call) -> None:
        self._counts[call.client, call.kind] += 1
        self.newest.append(call)

    def count(self, kind: str = "", client: str = "") -> int:
        """Return how many calls of that kind, or of any, there were from clients that begin so."""
        return sum(row["count"] for row in self.rows(client) if kind in ("", row["kind"]))

    def rows(self, client: str = "") -> list[dict[str, Any]]:
        """Return the counts as rows of client, kind and count."""
        counts = sorted(self._counts.items())
        return [{"client": who, "kind": kind, "count": n} for (who, kind), n in counts if who.startswith(client)]

    def log(self, client: str = "") -> list[dict[str, Any]]:
        """Return the newest calls, oldest first."""
        return [asdict(call) for call in self.newest if call.client.startswith(client)]

    def clear(self) -> None:
        self._counts.clear()
        self.newest.clear()
