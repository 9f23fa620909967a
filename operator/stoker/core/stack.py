"""What Heat says of a stack, as values: one listing entry, one listing, one look by id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault

_WHOLE = {"CREATE", "UPDATE", "ADOPT", "CHECK", "RESUME", "SNAPSHOT", "RESTORE"}
"""Heat's actions that leave every resource in place and running; DELETE, SUSPEND and ROLLBACK do not."""


@dataclass(frozen=True, slots=True)
class Stack:
    """One entry of a stack listing."""

    id: str
    name: str
    project: str
    """Id of the project whose listing it was in."""

    status: str
    """`<action>_<state>` as Heat writes it, for example CREATE_COMPLETE."""

    reason: str = ""
    tags: frozenset[str] = frozenset()
    created: datetime | None = None
    updated: datetime | None = None
    """When its last update began."""

    @property
    def changed(self) -> datetime | None:
        """When its create or last update began, by Heat's clock: another time tells of another change."""
        return self.updated or self.created

    @property
    def action(self) -> str:
        """The verb: CREATE, UPDATE, DELETE and so on."""
        return self.status.rpartition("_IN_PROGRESS")[0] or self.status.rpartition("_")[0]

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS")

    @property
    def complete(self) -> bool:
        """True when the stack is whole; neither suspended nor rolled back."""
        return self.status.endswith("_COMPLETE") and self.action in _WHOLE

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")

    @property
    def deleted(self) -> bool:
        """True for DELETE_COMPLETE, which Heat still shows by id, and for a moment in listings (facts, 4b and 4c)."""
        return self.status == "DELETE_COMPLETE"

    @property
    def deleting(self) -> bool:
        return self.status == "DELETE_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class Listing:
    """The stacks of one request, or of all pages of one."""

    as_of: float
    """Monotonic seconds when the request *started*: what it shows is not older."""

    stacks: tuple[Stack, ...]
    """Without those in DELETE_COMPLETE."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The look failed: nothing is known of the stack."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Probe:
    """A look at one stack by its id."""

    as_of: float
    stack_id: str
    stack: Stack | None
    """None when Heat says it is gone: DELETE_COMPLETE, or 404 with the error type EntityNotFound."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a stack."""

    name: str
    type: str
    status: str
    """`<action>_<state>`, as of a stack."""

    reason: str = ""
    physical_id: str = ""
    """Empty before it is made."""

    gone: bool = False
    """True for a server that Nova does not have by id either: a listing that lacks it proves nothing."""


@dataclass(frozen=True, slots=True)
class Resources:
    """A look at the resources of a stack."""

    as_of: float
    """Monotonic seconds when the request for them started."""

    stack_id: str
    resources: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One thing that happened to a stack or to a resource of it."""

    id: str
    time: datetime | None
    resource: str
    """Name of the resource, or of the stack itself."""

    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StackEvents:
    """What Heat told of a stack's past, the newest first."""

    stack: Stack
    """The stack as it was seen before: once it changed there is more to tell."""

    events: tuple[StackEvent, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A look at a stack that a person asks to adopt."""

    as_of: float
    stack_id: str
    stack: Stack | None
    """None when the project has none of that id."""

    outputs: frozenset[str] = frozenset()
    """Names of the standard outputs that it has; of a server's id only when there is one."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The standard outputs of every template."""

    server_id: str
    """Empty only for a stack that is not complete."""

    private_ip: str = ""
    public_ip: str = ""
    """Empty when the VM has none."""

    volume_slots: tuple[str, ...] = ()
    """From the stack's parameters: see `core.slots`."""

    as_of: float = field(default=0.0, compare=False)
    """Monotonic seconds when the request for them started: what they name was there then."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What Heat believes that an update would do: names of resources. It cannot guarantee it."""

    unchanged: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    """The type of each resource that would be replaced or deleted."""

    unmade: frozenset[str] = frozenset()
    """Volumes whose making failed, so that they hold nothing."""

    @property
    def losses(self) -> tuple[str, ...]:
        """The servers and volumes whose data would be gone, as `name (replaced)` or `name (deleted)`.

        The deletion of a volume that was never made costs nothing. A replacement is believed: the one before it may
        still be there.
        """
        deleted = tuple(name for name in self.deleted if name not in self.unmade)
        ways = (("replaced", self.replaced), ("deleted", deleted))
        return tuple(f"{name} ({way})" for way, names in ways for name in names if self.types.get(name) in HOLDS_DATA)

    def cost(self, what: str) -> Fault:
        """Return why `what` (an update, a repair) is refused when there are losses."""
        message = f"the {what} would cost the data of {', '.join(self.losses)}"
        return Fault(ErrorCode.UPDATE_WOULD_REPLACE, message)


HOLDS_DATA = {"OS::Nova::Server", "OS::Cinder::Volume"}
"""Types of resources that hold a user's data."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an update of a stack to certain inputs would do, or why it is refused."""

    as_of: float
    """Monotonic seconds when the request for it started."""

    stack_id: str
    inputs_hash: str
    plan: Plan | Fault
    retry: str | None = None
    """The request to try now that there was when it was asked for."""
