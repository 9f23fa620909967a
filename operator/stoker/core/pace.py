"""Pace: how hard a cloud is asked, found out from how long its answers take.

How many calls each of its tenants may have in flight grows by one while the cloud is about as fast as ever, and is
halved when it is many times slower or does not answer (additive increase, multiplicative decrease, as TCP does). One
number for all its tenants, and none waits for another's calls. Listings keep a distance of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FEWEST = 2
"""Calls that a tenant may have in flight, however slow the cloud is."""

NEAR, FAR = 2.0, 8.0
"""Multiples of a call's best time: up to the first the cloud is as fast as ever, from the second on it is overloaded."""

NOTICEABLE = 1.0
"""A call that is answered within so many seconds never tells of overload, however fast others were."""

FORGETTING = 1.02
"""How much a best time is raised by each call that does not reach it: the best of an idle night is no measure for ever."""

SHARE = 4
"""Pause after a listing, as a multiple of the time it took: a project's listings take at most a fifth of the time."""


def pause_after(spent: float, *, least: float, most: float) -> float:
    """Return the seconds to wait after a listing that took so long, while something moves."""
    return max(least, min(SHARE * spent, most))


@dataclass(slots=True)
class InFlight:
    """One cloud's limit for each of its tenants. Times are monotonic seconds of the caller's clock."""

    most: int = 8
    """Where it begins, and its upper bound."""

    limit: float = field(init=False)
    best: dict[str, float] = field(default_factory=dict)
    """Kind of call → the best time of late, seconds: a create takes longer than a look."""

    halved_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.limit = self.most

    @property
    def places(self) -> int:
        """How many calls of a tenant may be under way."""
        return int(self.limit)

    def answered(self, kind: str, began: float, now: float, *, full: bool) -> None:
        """Learn from a call that was answered as wanted; `full` when no place was left."""
        took = now - began
        best = self.best[kind] = min(took, self.best.get(kind, took) * FORGETTING)
        if took > max(FAR * best, NOTICEABLE):
            self.failed(began, now)
        elif full and took <= max(NEAR * best, NOTICEABLE):
            self.limit = min(self.most, self.limit + 1 / self.limit)

    def failed(self, began: float, now: float) -> None:
        """Learn from a call to which nothing usable was answered, or much too late.

        What began before the last halving tells of the load before it, and halves nothing again.
        """
        if began >= self.halved_at:
            self.limit, self.halved_at = max(min(FEWEST, self.most), self.limit / 2), now
