"""`World`: everything a decision about one VM may depend on, frozen at one instant.

If a rule needs something, it is put here; no rule fetches anything. Two clocks: `now` is the wall clock, for what is
stored and shown; `clock` is this process's monotonic clock, for fences: a wall clock may jump, and another process's
may be minutes off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from stoker.api.operation import AttemptOutcome, OperationState, OperationType, VirtualMachineOperation
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.faults import Fault
from stoker.core.findings import Findings
from stoker.core.identity import FINALIZER, ID_ANNOTATION, Identity, tag_value
from stoker.core.inputs import Inputs
from stoker.core.stack import Listing, Outputs, Preview, Probe, Stack, Unknown


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


@dataclass(frozen=True, slots=True)
class World:
    """The state of one VM at one instant."""

    vm: VirtualMachine
    identity: Identity
    admission: Inputs | Fault
    """What Heat would be given now, or why that cannot be said."""

    now: datetime
    clock: float
    listing: Listing | Unknown | None
    """This VM's part of the tenant's newest listing; None before there was one."""

    named: Listing | None = None
    """The newest look by the stack's name: the only one that shows a foreign stack."""

    probe: Probe | None = None
    """The newest look at the recorded stack by id."""

    outputs: Outputs | None = None
    preview: Preview | None = None
    operations: tuple[VirtualMachineOperation, ...] = ()
    """All of this VM's, read live and kept by this process, their only writer."""

    held: Held | None = None
    unresolved_since: float = 0.0
    """Monotonic seconds when this process first knew of the open create attempt, or sent it."""

    last_effect: float = 0.0
    """Monotonic seconds when this process's last effect on this VM ended. No older look counts."""

    findings: Findings = field(default_factory=Findings)
    """What the tenant's catalog and grants have against it."""

    effects: int = 0
    """Deletes sent by this process for this VM; paces their repetition."""

    claimable: bool = True
    """False while the namespace is being deleted: nothing can be created in it, not even an operation."""

    duplicate_of: str | None = None
    """The older live object with the same id, as namespace/name."""

    timing: Timing = field(default_factory=Timing)

    @property
    def enrolled(self) -> bool:
        metadata = self.vm.metadata
        return FINALIZER in metadata.finalizers and metadata.annotations.get(ID_ANNOTATION) == self.identity.id

    @property
    def deleting(self) -> bool:
        return self.vm.metadata.deletion_timestamp is not None

    @property
    def generation(self) -> int:
        return self.vm.metadata.generation

    @property
    def looks(self) -> list[Listing]:
        """The looks that began after the last effect: no other counts."""
        looks = (look for look in (self.listing, self.named) if isinstance(look, Listing))
        return [look for look in looks if look.as_of > self.last_effect]

    @property
    def seen(self) -> Listing | None:
        """The newest look that counts."""
        return max(self.looks, key=lambda look: look.as_of, default=None)

    @property
    def ours(self) -> tuple[Stack, ...]:
        """The stacks proven ours, the one to keep first: the recorded one, else the earliest."""
        if self.seen is None:
            return ()
        proven = [stack for stack in self.seen.stacks if self.identity.owns(stack.tags, stack.project)]
        return tuple(sorted(proven, key=lambda s: (s.id != self.recorded_id, s.created or self.now, s.id)))

    @property
    def kept(self) -> Stack | None:
        """The one stack to keep, if any is proven ours."""
        return next(iter(self.ours), None)

    @property
    def current(self) -> bool:
        """Tell whether the kept stack was made from what is asked for now."""
        match self.kept, self.admission:
            case Stack(tags=tags), Inputs() as inputs:
                return tag_value(tags, "stoker-in") == inputs.hash
        return False

    @property
    def edited(self) -> bool:
        """Tell whether the spec is not the one that the stack is known to be complete for."""
        return self.vm.status.applied_generation != self.generation and not self.updated

    @property
    def updated(self) -> bool:
        """Tell whether an update to this generation's spec succeeded."""
        match self.update:
            case VirtualMachineOperation(spec=spec, status=status):
                return spec.generation == self.generation and status.state is OperationState.SUCCEEDED
        return False

    @property
    def update_failed(self) -> bool:
        """Tell whether the kept stack is what an update of an edit left: another may mend it."""
        match self.kept:
            case Stack(status="UPDATE_FAILED"):
                return self.edited
        return False

    @property
    def foreign(self) -> tuple[Stack, ...]:
        """Stacks of our name that are not proven ours, from the look by name: a listing by tags never shows one."""
        return tuple(
            stack
            for stack in (self.named.stacks if self.named else ())
            if stack.name == self.identity.stack_name and not self.identity.owns(stack.tags, stack.project)
        )

    @property
    def create(self) -> VirtualMachineOperation | None:
        """The newest create operation."""
        creates = [operation for operation in self.operations if operation.spec.type is OperationType.CREATE]
        return max(creates, key=lambda operation: operation.spec.sequence, default=None)

    @property
    def update(self) -> VirtualMachineOperation | None:
        """The newest update operation of this object.

        The cause of an update begins with the object's UID: a restored object counts its generations anew.
        """
        mine = f"{self.vm.metadata.uid}/"
        updates = [operation for operation in self.operations if operation.spec.cause.startswith(mine)]
        return max(updates, key=lambda operation: operation.spec.generation, default=None)

    @property
    def delete(self) -> VirtualMachineOperation | None:
        """The delete operation of this object (the cause of a delete is the object's UID)."""
        return next(
            (
                operation
                for operation in self.operations
                if operation.spec.type is OperationType.DELETE and operation.spec.cause == self.vm.metadata.uid
            ),
            None,
        )

    @property
    def unanswered(self) -> VirtualMachineOperation | None:
        """The create that was claimed, as long as nothing is recorded of what came of it."""
        return self.create if self.create and self.create.status.outcome is None else None

    @property
    def unanswered_update(self) -> VirtualMachineOperation | None:
        """The newest update, as long as nothing is recorded of what came of it."""
        return self.update if self.update and self.update.status.outcome is None else None

    @property
    def claimed(self) -> tuple[VirtualMachineOperation, Held] | None:
        """The unanswered create and this process's claim on it, if it is this process's."""
        return self._held_of(self.unanswered)

    @property
    def claimed_update(self) -> tuple[VirtualMachineOperation, Held] | None:
        """The same for the unanswered update."""
        return self._held_of(self.unanswered_update)

    def _held_of(self, operation: VirtualMachineOperation | None) -> tuple[VirtualMachineOperation, Held] | None:
        if operation and self.held and self.held.of(operation):
            return operation, self.held
        return None

    @property
    def accepted(self) -> VirtualMachineOperation | None:
        """The create whose stack Heat accepted, as long as it is not known to be complete."""
        create = self.create
        return create if create and is_open(create) and create.status.outcome is AttemptOutcome.ACCEPTED else None

    @property
    def failed(self) -> VirtualMachineOperation | None:
        """The create, if its last attempt failed."""
        return self.create if self.create and self.create.status.outcome is AttemptOutcome.FAILED else None

    @property
    def recorded_id(self) -> str | None:
        """The id of the stack that was there last, from the newest record that has one."""
        create = self.create
        if create and is_open(create):
            return self.accepted.status.stack_id if self.accepted else None
        if create and create.status.stack_id:
            return create.status.stack_id
        if self.vm.status.stack:
            return self.vm.status.stack.id
        return self.delete.status.stack_id if self.delete else None

    def seen_after(self, moment: float) -> bool:
        """Tell whether a look that counts began after a moment."""
        return any(look.as_of > moment for look in self.looks)


def is_open(operation: VirtualMachineOperation) -> bool:
    """Tell whether the operation is neither Succeeded nor Failed."""
    return operation.status.state in (OperationState.PENDING, OperationState.RUNNING)
