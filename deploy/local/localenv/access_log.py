"""Read the access logs of the OpenStack services, so that tests can count which client made which calls."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from .settings import LocalSettings


@dataclass(frozen=True, slots=True)
class Access:
    """One request that a service has answered."""

    time: float
    """When it began, seconds since the epoch."""

    status: int
    milliseconds: int
    method: str
    path: str
    query: str
    """What follows the question mark, as it was sent; empty when nothing did."""

    client: str
    """The header User-Agent."""

    request_id: str | None = None
    """The service's own id of the request, None where it gives none."""

    project_id: str | None = None
    user_id: str | None = None
    """Who asked; None when the request carried no valid token."""


def read(settings: LocalSettings, service: str, *, since: float, client: str | None = None) -> list[Access]:
    """Return the requests to a service (`heat`, `nova`, ...) that began at `since` or later, in the order they ended.

    `client` is the beginning of the User-Agent header; None means any. A request is in the log before its client has
    the answer. A service that was never asked has no log, which is no error.
    """
    path = settings.logs / f"access-{service}.jsonl"
    if not path.exists():
        return []
    # What follows the last newline is a line that is being written at this moment.
    complete, _, _ = path.read_text().rpartition("\n")
    entries = (_parse(line) for line in complete.splitlines())
    return [entry for entry in entries if entry.time >= since and entry.client.startswith(client or "")]


def _parse(line: str) -> Access:
    record = json.loads(line)
    return Access(**{field.name: record[field.name] for field in fields(Access) if field.name in record})
