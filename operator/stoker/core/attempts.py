"""Attempts of what changes a cloud: the claim that this process holds, what was answered, and how long each may take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stoker.api.operation import OperationState, OperationType, VirtualMachineOperation
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


@dataclass(frozen=True, slots=True)
class Timing:
    """Spans that decisions use, seconds."""

    create_deadline: float = 120.0
    """How late an unanswered create may land. A loaded Heat took 59 s to accept one (measured, Heat 27.0.1)."""

    stuck_after: float = 3900.0
    """When an action in progress is called stuck: Heat's own `stack_action_timeout` (3600 s) and some grace."""

    delete_again: float = 600.0
    """When a deletion in progress is asked for again: an engine that died leaves it so for ever; a second request
    finishes it (measured, Heat 27.0.1)."""

    power_deadline: float = 600.0
    """When a start, stop or reboot that Nova accepted is given up. A guest that shuts down slowly gets minutes."""


def newest_create(operations: Iterable[VirtualMachineOperation]) -> VirtualMachineOperation | None:
    """Return the create operation that was claimed last, if there is one."""
    creates = (operation for operation in operations if operation.spec.type is OperationType.CREATE)
    return max(creates, key=lambda operation: operation.spec.sequence, default=None)


def is_open(operation: VirtualMachineOperation) -> bool:
    """Tell whether the operation is neither Succeeded nor Failed."""
    return operation.status.state in (OperationState.PENDING, OperationState.RUNNING)
