"""Faults: which request is to go wrong, and how.

A plan is a list; the first fault that matches a request and is due takes it. What it then does to the answer is in
`wire`, and what it does to the stack in `engine`.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, fields
from itertools import count
from typing import Any, Self

from simulator.engine import FINE, Outcome
from simulator.place import ResourceError
from simulator.resources import OVER_QUOTA
from simulator.servers import NO_HOST

KINDS: dict[str, str] = {
    "lost-request": "nothing is done, and the connection is cut",
    "lost-answer": "it is done, and the connection is cut",
    "late-answer": "it is done, and answered after `seconds`, or on release",
    "late-request": "it is done and answered after `seconds`, or on release",
    "zombie": "the connection is cut; it is done after `seconds`, or on release",
    "status": "nothing is done; `status`, with the body that the service gives it",
    "status-after": "it is done; the same answer all the same",
    "html": "nothing is done; `status` with a proxy's page of HTML",
    "cut": "it is done; the answer ends in the middle of the body",
    "huge": "it is done; the answer has 64 MiB",
    "slow": "it is done; the answer comes a byte each `seconds`",
    "wrong": "it is done; the answer is `body`, by default JSON of another shape",
    "half-page": "it is done; a list is answered with the first half of its entries",
    "name-race": "a create does not look whether its name is taken",
    "fails": "it is done and answered; the stack's action fails with `reason`, at the resource `at`",
    "times-out": "it is done and answered; the stack's action fails as after timeout_mins",
    "slow-action": "it is done and answered; the stack's action takes `seconds` more",
    "engine-dies": "it is done and answered; the stack's action gets as far as `at`, and stays in progress",
}
"""Kind → what it does."""

REASONS: dict[str, ResourceError] = {
    "quota": ResourceError(
        "Forbidden",
        "Quota exceeded for cores: Requested 4, but already used 0 of 3 cores (HTTP 403) (Request-ID: req-sim)",
    ),
    "floating-ip-quota": ResourceError("OverQuotaClient", OVER_QUOTA.format("sim")),
    "no-valid-host": ResourceError("ResourceInError", NO_HOST),
}
"""Short name → Heat's own words, as measured; another `reason` is taken as it is."""


@dataclass(frozen=True)
class Fault:
    """One way in which requests go wrong. What selects them first; an empty text matches all."""

    kind: str
    method: str = ""
    path: str = ""
    """A regular expression, searched in the path."""

    project: str = ""
    """Id or name."""

    client: str = ""
    """The beginning of the User-Agent."""

    stack: str = ""
    """A regular expression, searched in the stack's name, of a create too."""

    first: int = 1
    """The call at which it begins, among those that match, from 1."""

    times: int | None = 1
    """For how many calls; None is for ever."""

    seconds: float | None = None
    """None waits for a release, where it waits."""

    status: int = 500
    type: str = ""
    """Of a status: the error's type (Heat, Neutron)."""

    message: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    reason: str = ""
    at: str = ""

    @classmethod
    def of(cls, given: dict[str, Any]) -> Self:
        """Return the fault of a JSON object. Raises ValueError for what it does not know."""
        unknown = given.keys() - {part.name for part in fields(cls)}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        if given.get("kind") not in KINDS:
            raise ValueError(f"kind: one of {', '.join(KINDS)}")
        for part in ("path", "stack"):
            try:
                re.compile(given.get(part, ""))
            except re.error as error:
                raise ValueError(f"{part}: {error}") from None
        return cls(**given)

    @property
    def outcome(self) -> Outcome:
        """What becomes of the action that the request asks for."""
        if self.kind == "fails":
            return Outcome(failure=REASONS.get(self.reason, ResourceError("Error", self.reason)), at=self.at)
        if self.kind == "slow-action":
            return Outcome(seconds=self.seconds or 0.0)
        if self.kind == "times-out":
            return Outcome(late=True)
        return Outcome(stuck=True, at=self.at) if self.kind == "engine-dies" else FINE


@dataclass(frozen=True)
class Call:
    """What a fault is matched against."""

    method: str
    path: str
    projects: tuple[str, ...]
    """Id and name of the token's project."""

    client: str
    stack: str


class Planned:
    """A fault in the plan."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number, self.fault = number, fault
        self.seen = self.hit = 0
        self.released = asyncio.Event()

    def counts(self, call: Call) -> bool:
        """Count a call that matches, and tell whether it is due."""
        if not self._matches(call):
            return False
        self.seen += 1
        fault = self.fault
        return self.seen >= fault.first and (fault.times is None or self.hit < fault.times)

    def _matches(self, call: Call) -> bool:
        fault = self.fault
        return (
            fault.method in ("", call.method)
            and bool(re.search(fault.path, call.path))
            and (not fault.project or fault.project in call.projects)
            and call.client.startswith(fault.client)
            and (not fault.stack or bool(re.search(fault.stack, call.stack)))
        )

    async def wait(self) -> None:
        """Wait the fault's seconds, or for its release."""
        if self.fault.seconds is None:
            await self.released.wait()
            return
        try:
            await asyncio.wait_for(self.released.wait(), self.fault.seconds)
        except TimeoutError:
            return


class Plan:
    """What is to go wrong, in the order in which it was planned."""

    def __init__(self) -> None:
        self.entries: dict[int, Planned] = {}
        self._number = count(1)

    def add(self, fault: Fault) -> int:
        """Plan a fault and return its number."""
        number = next(self._number)
        self.entries[number] = Planned(number, fault)
        return number

    def take(self, call: Call) -> Planned | None:
        """Return what is to happen to the call. Every fault counts the calls that match it."""
        due = [entry for entry in self.entries.values() if entry.counts(call)]
        if not due:
            return None
        due[0].hit += 1
        return due[0]

    def release(self, number: int | None = None) -> None:
        """Let what is held go on: of one fault, or all."""
        for entry in self.entries.values():
            if number in (None, entry.number):
                entry.released.set()

    def clear(self) -> None:
        """Plan nothing any more, and let go what is held."""
        self.release()
        self.entries.clear()
