"""A claim that this process stored, and what came of the request that it is for."""

from __future__ import annotations

from dataclasses import dataclass

from stoker.api.operation import VirtualMachineOperation
from stoker.core.faults import Fault


@dataclass(frozen=True, slots=True)
class Accepted:
    """Heat makes the stack, or updates it."""

    stack_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The request certainly had no effect."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came: the request may still land."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Held:
    """A claim that *this process* stored: only its holder may act on it."""

    operation: str
    attempt: int
    since: float
    """Monotonic seconds when the claim's answer came. Only a look that started later counts for its effect."""

    sent: bool = False
    """True once the effect's request may have left this process."""

    answer: Accepted | Refused | Lost | None = None

    def of(self, operation: VirtualMachineOperation) -> bool:
        """Tell whether the claim is on the operation's current attempt."""
        return (self.operation, self.attempt) == (operation.metadata.name, operation.status.attempts)
