"""What a decision can ask for: one of these a pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stoker.api.errors import ErrorCode
from stoker.api.operation import AttemptOutcome, OperationSpec, OperationState
from stoker.core.inputs import Inputs
from stoker.core.server import PowerAction
from stoker.core.stack import Stack


@dataclass(frozen=True, slots=True)
class Nothing:
    """Leave everything as it is."""


@dataclass(frozen=True, slots=True)
class Enroll:
    """Store the finalizer and the id on the object, in one patch."""

    id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Store attempt `attempt` of an operation, unresolved: the first by POST, a later one guarded by its version."""

    operation: str
    spec: OperationSpec
    attempt: int
    stack_id: str | None = None
    """The stack that a delete is for: what was recorded must be proven gone by its id."""

    retry: str | None = None
    """The request to try now that this attempt answers."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Store what came of an operation's attempt."""

    operation: str
    state: OperationState
    outcome: AttemptOutcome
    stack_id: str | None = None
    error: ErrorCode | None = None
    message: str | None = None
    next_retry_time: datetime | None = None
    retained: bool = False
    """True for a delete that left the stack behind."""

    stack_changed: datetime | None = None
    """By Heat's clock, when the stack was changed for it."""

    abandoned: bool = False
    """True when it did so because a person abandoned the VM."""

    failed_stacks: int | None = None
    """Attempts so far whose stack failed; None when their number did not change."""


@dataclass(frozen=True, slots=True)
class Retain:
    """Store a delete operation as succeeded with the stack left behind."""

    operation: str
    spec: OperationSpec
    stack_id: str | None
    """None when a VM is abandoned of which no stack is known."""

    abandoned: bool = False


@dataclass(frozen=True, slots=True)
class LookByName:
    """List the stacks of the VM's stack name."""


@dataclass(frozen=True, slots=True)
class LookById:
    """Look at the recorded stack."""

    stack_id: str


@dataclass(frozen=True, slots=True)
class LookToAdopt:
    """Look at the stack of that id, whatever its name and whoever's."""

    stack_id: str


@dataclass(frozen=True, slots=True)
class AdoptStack:
    """Give a stack that is proven nobody's our tags; needs the claim that `operation` and `attempt` name."""

    operation: str
    attempt: int
    stack_name: str
    stack_id: str


@dataclass(frozen=True, slots=True)
class CreateStack:
    """Ask Heat for the stack; needs the claim that `operation` and `attempt` name."""

    operation: str
    attempt: int
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class PreviewUpdate:
    """Ask Heat what an update would do to the stack."""

    stack_name: str
    stack_id: str
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class UpdateStack:
    """Ask Heat to update a stack that is proven ours; needs the claim that `operation` and `attempt` name."""

    operation: str
    attempt: int
    stack_name: str
    stack_id: str
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class DeleteStack:
    """Ask Heat to delete a stack that is proven ours, by name and id."""

    stack_name: str
    stack_id: str


@dataclass(frozen=True, slots=True)
class ConvergeStack:
    """Ask Heat to take up a stack that is proven ours again; needs the claim that `operation` and `attempt` name."""

    operation: str
    attempt: int
    stack_name: str
    stack_id: str
    tags: tuple[str, ...]
    """Those that it has, but for the operation's."""


@dataclass(frozen=True, slots=True)
class MarkUnhealthy:
    """Have the next update replace a resource of a stack that is proven ours."""

    stack_name: str
    stack_id: str
    resource: str


@dataclass(frozen=True, slots=True)
class PowerServer:
    """Ask Nova to start, stop or reboot the server; needs the claim that `operation` and `attempt` name."""

    operation: str
    attempt: int
    stack_id: str
    """The stack that the server is in."""

    server_id: str
    action: PowerAction


@dataclass(frozen=True, slots=True)
class LookAtResources:
    """List the resources of the stack."""

    stack_id: str


@dataclass(frozen=True, slots=True)
class ReadEvents:
    """Read what Heat did last with a stack."""

    stack: Stack


@dataclass(frozen=True, slots=True)
class ReadOutputs:
    """Read the outputs of the complete stack."""

    stack_id: str


@dataclass(frozen=True, slots=True)
class Left:
    """A stack that is left behind on purpose; without an id, whatever stack of the VM there may be."""

    stack_id: str = ""
    stack_name: str = ""
    abandoned: bool = False
    """True when a person abandoned the VM: no stack of it is ours any more."""


@dataclass(frozen=True, slots=True)
class Release:
    """Take our finalizer off the object: nothing of the VM is left, or it is left on purpose.

    What is left is marked first, in the operator's own namespace: the VM's may be going, with every record in it.
    """

    left: Left | None = None


Action = (
    Nothing
    | Enroll
    | Claim
    | Settle
    | Retain
    | LookByName
    | LookById
    | LookToAdopt
    | AdoptStack
    | CreateStack
    | PreviewUpdate
    | UpdateStack
    | ConvergeStack
    | MarkUnhealthy
    | PowerServer
    | DeleteStack
    | LookAtResources
    | ReadEvents
    | ReadOutputs
    | Release
)
