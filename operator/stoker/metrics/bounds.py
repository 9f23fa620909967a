"""Labels whose values others choose: so many of them, and no more."""

from __future__ import annotations

OTHER = "other"
"""What every further value is shown as."""

LONGEST = 128
"""Characters of a label's value."""


class Bounded:
    """The first `most` values of a label, for the life of the process. Each is a time series at least."""

    def __init__(self, most: int) -> None:
        self.most, self._known = most, set[str]()

    def name(self, value: str) -> str:
        """Return the value to show."""
        value = value[:LONGEST]
        if value not in self._known:
            if len(self._known) >= self.most:
                return OTHER
            self._known.add(value)
        return value
