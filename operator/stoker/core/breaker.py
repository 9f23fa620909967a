"""The circuit breaker of a cloud: after failures in a row nobody calls it for a while, then one call tries.

A failure is no usable answer: no connection, a time-out, a 5xx. A refusal (4xx) is an answer. Failures of one tenant
alone open it only where that tenant is the cloud's only one: what a tenant's template does to Heat is its own trouble.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stoker.api.cloud import BreakerState

FAILURES = 5
"""Failures in a row that open it."""

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
"""How long it stays open, seconds; doubled each time that the trial fails."""


@dataclass(slots=True)
class Breaker:
    """One cloud's. Times are monotonic seconds of the caller's clock."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    tenants: set[str] = field(default_factory=set)
    """Whose calls failed in a row."""

    pause: float = FIRST_PAUSE
    until: float = 0.0
    """When the next trial may go; meaningful while open."""

    def admits(self, now: float) -> bool:
        """Tell whether a call may go; when it may although the breaker is open, it is the trial, and the only one."""
        if self.state is BreakerState.OPEN and now >= self.until:
            self.state = BreakerState.HALF_OPEN
            return True
        return self.state is BreakerState.CLOSED

    def wait(self, now: float) -> float:
        """Return the seconds until it is worth asking again; 0 while it is closed."""
        if self.state is BreakerState.CLOSED:
            return 0.0
        return FIRST_PAUSE if self.state is BreakerState.HALF_OPEN else max(0.0, self.until - now)

    def answered(self) -> None:
        """Any answer, a late one too, shows that the cloud is there."""
        self.state, self.failures, self.pause = BreakerState.CLOSED, 0, FIRST_PAUSE
        self.tenants.clear()

    def failed(self, tenant: str, now: float, *, trial: bool, tenants: int) -> None:
        """A call of that tenant failed; `trial` when it was the one, `tenants` is how many the cloud has."""
        self.failures += 1
        self.tenants.add(tenant)
        if trial:
            self.pause = min(LONGEST_PAUSE, self.pause * 2)
            self._open(now)
        elif (
            self.state is BreakerState.CLOSED
            and self.failures >= FAILURES
            and len(self.tenants) >= min(2, max(1, tenants))
        ):
            self._open(now)

    def unsure(self, now: float) -> None:
        """The trial ended without telling anything (it was never sent): another may go at once."""
        if self.state is BreakerState.HALF_OPEN:
            self.state, self.until = BreakerState.OPEN, now

    def _open(self, now: float) -> None:
        self.state, self.until = BreakerState.OPEN, now + self.pause
