"""`World`: everything a decision about one VM may depend on, frozen at one instant.

If a rule needs something, it is put here; no rule fetches anything. Two clocks: `now` is the wall clock, for what is
stored and shown; `clock` is this process's monotonic clock, for fences: wall clocks jump, and differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from stoker.api.operation import AttemptOutcome, OperationState, OperationType, VirtualMachineOperation
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.attempts import Accepted, Held, Lost, Refused, Timing, is_open, newest_create
from stoker.core.faults import Fault
from stoker.core.findings import Findings
from stoker.core.identity import FINALIZER, ID_ANNOTATION, Identity, tag_value
from stoker.core.inputs import SPEC_TAG, Inputs, spec_hash
from stoker.core.quota import Verdict
from stoker.core.server import ServerLook
from stoker.core.stack import Candidate, Listing, Outputs, Preview, Probe, Resources, Stack, StackEvents, Unknown

__all__ = ["JOBS", "Accepted", "Held", "Lost", "Refused", "Timing", "World", "is_open"]

JOBS = (OperationType.START, OperationType.STOP, OperationType.RESTART, OperationType.REPAIR)
"""The commands that follow a create (core.jobs)."""


@dataclass(frozen=True)
class World:
    """The state of one VM at one instant.

    What many rules ask for is found out once: a pass over a settled VM asked 28 times for the stacks that are ours,
    which was two fifths of its time.
    """

    vm: VirtualMachine
    identity: Identity
    admission: Inputs | Fault
    """What Heat would be given now, or why that cannot be said."""

    now: datetime
    clock: float
    listing: Listing | Unknown | None
    """This VM's part of the tenant's newest listing; None before there was one."""

    quota: Verdict | None = None
    """What the Tenant's quota says of this VM; None without a quota."""

    named: Listing | None = None
    """The newest look by the stack's name: the only one that shows a foreign stack."""

    probe: Probe | None = None
    """The newest look at the recorded stack by id."""

    outputs: Outputs | None = None
    server: ServerLook | Unknown | None = None
    """The VM's server in the project's newest listing, or why there is none; None before there was one."""

    resources: Resources | None = None
    """The newest look at the stack's resources."""

    events: StackEvents | None = None
    """What Heat told last of a stack's past."""

    preview: Preview | None = None
    candidate: Candidate | None = None
    """The newest look at the stack that a person asks to adopt."""

    claimant: str | None = None
    """Another live object, as namespace/name, that has that stack or asked for it first."""

    key_holder: VirtualMachineOperation | None = None
    """Another VM's create that the same idempotency key was used for."""

    operations: tuple[VirtualMachineOperation, ...] = ()
    """All of this VM's, read live and kept by this process, their only writer."""

    held: Held | None = None
    unresolved_since: float = 0.0
    """Monotonic seconds when this process first knew of the open create attempt, or sent it."""

    last_effect: float = 0.0
    """Monotonic seconds when this process's last effect on this VM ended. No older look counts."""

    effects: int = 0
    """Deletes sent by this process for this VM; paces their repetition."""

    claimable: bool = True
    """False while the namespace is being deleted: nothing can be created in it, not even an operation."""

    duplicate_of: str | None = None
    """The older live object with the same id, as namespace/name."""

    timing: Timing = field(default_factory=Timing)
    findings: Findings = field(default_factory=Findings)

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

    @cached_property
    def seen(self) -> Listing | None:
        """The newest look that counts."""
        return max(self.looks, key=lambda look: look.as_of, default=None)

    @cached_property
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

    @cached_property
    def as_asked(self) -> bool | None:
        """Tell whether the kept stack was asked for with this very spec; None when it does not say."""
        made = tag_value(self.kept.tags, SPEC_TAG) if self.kept else None
        return None if made is None else made == spec_hash(self.vm.spec)

    @property
    def current(self) -> bool:
        """Tell whether the kept stack was made from what is asked for now."""
        match self.kept, self.admission:
            case Stack(tags=tags), Inputs() as inputs:
                return tag_value(tags, "stoker-in") == inputs.hash and self.as_asked is not False
        return False

    @property
    def fits(self) -> bool:
        """Tell whether the kept stack needs no update, whatever changed that is not in the spec."""
        return self.current or self.as_asked is True

    @property
    def edited(self) -> bool:
        """Tell whether the spec is not the one that the stack was asked for with, or is known to be complete for."""
        match self.kept, self.as_asked:
            case _, False:
                return True  # also when an older update landed after all
            case Stack(complete=True), True:
                return False
        return self.vm.status.applied_generation != self.generation and not self.updated

    @property
    def outdated(self) -> bool:
        """Tell whether Heat would be given something else for the same spec now; where that is not known, as recorded."""
        recorded = self.vm.status.stack
        if isinstance(self.admission, Inputs):
            return not self.edited and not self.current
        return bool(recorded and recorded.outdated)

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
        return newest_create(self.operations)

    @property
    def update(self) -> VirtualMachineOperation | None:
        """The newest update operation of this object.

        The cause of an update begins with the object's UID: a restored object counts its generations anew.
        """
        mine, kind = f"{self.vm.metadata.uid}/", OperationType.UPDATE
        updates = [one for one in self.operations if one.spec.type is kind and one.spec.cause.startswith(mine)]
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
    def job(self) -> VirtualMachineOperation | None:
        """The open start, stop, restart or repair; there is one at most."""
        return next(
            (operation for operation in self.operations if operation.spec.type in JOBS and is_open(operation)), None
        )

    @property
    def repaired(self) -> VirtualMachineOperation | None:
        """The open repair that was accepted: the server may be another now."""
        job = self.job if self.job and self.job.spec.type is OperationType.REPAIR else None
        return job if job and job.status.outcome is AttemptOutcome.ACCEPTED else None

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

    @property
    def claimed_job(self) -> tuple[VirtualMachineOperation, Held] | None:
        """The same for the start, stop, restart or repair."""
        return self._held_of(self.job if self.job and self.job.status.outcome is None else None)

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
        """The id of the stack that was there last, from the newest record that has one; also what an attempt left that failed."""
        if self.create and self.create.status.stack_id:
            return self.create.status.stack_id
        if self.vm.status.stack:
            return self.vm.status.stack.id
        return self.delete.status.stack_id if self.delete else None

    def name_of(self, stack_id: str) -> str:
        """Return the name that a stack of the VM has; an adopted one keeps its own."""
        known = self.vm.status.stack
        if known and known.id == stack_id:
            return known.name
        named: dict[str | None, str] = {stack.id: stack.name for stack in self.ours}
        named |= {o.status.stack_id: o.spec.stack_name for o in self.operations if o.spec.stack_name}
        return named.get(stack_id, self.identity.stack_name)

    def seen_after(self, moment: float) -> bool:
        """Tell whether a look that counts began after a moment."""
        return any(look.as_of > moment for look in self.looks)
