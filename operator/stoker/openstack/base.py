"""What Stoker needs of a cloud: protocols and values. The adapter and its stand-ins in tests both speak this.

Every method blocks, has a total deadline, and raises `CloudError` with a classified `Fault`, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from stoker.core.catalog import Part
from stoker.core.faults import Fault
from stoker.core.inputs import Inputs
from stoker.core.server import PowerAction, Servers
from stoker.core.stack import Listing, Outputs, Plan, Probe, Resource, StackEvent


class CloudError(Exception):
    """A call failed; `fault` says how, and whether it may still land."""

    def __init__(self, fault: Fault, request_id: str | None = None) -> None:
        super().__init__(f"{fault.code}: {fault.message}")
        self.fault = fault
        self.request_id = request_id
        """OpenStack's id of the failed request, for the audit."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a Tenant's Secret holds, parsed strictly."""

    kind: str
    """"application-credential" or "password"."""

    id: str
    """Application credential id, or user name."""

    secret: str
    """Never printed."""

    user_domain: str = "Default"
    """Domain of the user; only for passwords."""

    def __repr__(self) -> str:
        return f"Credentials({self.kind}, {self.id})"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how a tenant's cloud is reached: a Cloud's spec and the Tenant's pin, as plain values."""

    auth_url: str
    region: str
    interface: str
    project: str
    """Id of the pinned project."""

    ca_bundle: str | None = None
    """PEM text, or None for the system's."""

    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Created:
    """Heat accepted a create, or an update."""

    stack_id: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class CredentialsEnd:
    """When credentials end."""

    at: datetime | None
    """None when they do not."""

    server_time: datetime | None = None
    """Keystone's clock when it said so."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What the token may do, as it says itself."""

    roles: tuple[str, ...]
    by_password: bool


class Heat(Protocol):
    """Stacks of one project."""

    def create(self, name: str, tags: tuple[str, ...], inputs: Inputs, *, timeout_minutes: int) -> Created:
        """Ask for a stack. MUST NOT be retried here: the answer may be lost while the stack is not."""

    def update(self, name: str, stack_id: str, tags: tuple[str, ...], inputs: Inputs, *, timeout_minutes: int) -> str:
        """Ask for a full update, and return the request's id. Like a create, it may land unanswered."""

    def preview_update(
        self, name: str, stack_id: str, tags: tuple[str, ...], inputs: Inputs, *, timeout_minutes: int
    ) -> Plan:
        """Ask what that update would do."""

    def unmade_volumes(self, name: str, stack_id: str) -> frozenset[str]:
        """Return the names of the stack's volumes whose making failed: they hold nothing."""

    def adopt(self, name: str, stack_id: str, tags: tuple[str, ...]) -> str:
        """Ask for the tags alone to be replaced, and return the request's id. Like a create, it may land unanswered."""

    def delete(self, name: str, stack_id: str) -> str:
        """Ask for the deletion by `{name}/{id}` and return the request's id. Deleting what is gone succeeds."""

    def find(self, name: str) -> Listing:
        """List the stacks of that name, ours or not."""

    def find_id(self, stack_id: str) -> Listing:
        """List the stack of that id, whatever its name."""

    def output_names(self, name: str, stack_id: str) -> frozenset[str]:
        """Return which of the standard outputs a stack has; of a server's id only when there is one."""

    def list(self, tags: tuple[str, ...]) -> Listing:
        """List all stacks that carry all the tags, complete or raising: never part of a listing."""

    def probe(self, name: str, stack_id: str) -> Probe:
        """Look at one stack by id."""

    def outputs(self, name: str, stack_id: str) -> Outputs:
        """Read the standard outputs."""

    def resources(self, name: str, stack_id: str) -> tuple[Resource, ...]:
        """List the stack's resources."""

    def events(self, name: str, stack_id: str, limit: int) -> tuple[StackEvent, ...]:
        """Return the newest events, newest first."""

    def mark_unhealthy(self, name: str, stack_id: str, resource: str, reason: str) -> str:
        """Have the next update replace a resource, and return the request's id. Marking it again changes nothing."""

    def converge(self, name: str, stack_id: str, tags: tuple[str, ...], *, timeout_minutes: int) -> str:
        """Ask for an update to what the stack is made from already, with other tags; return the request's id."""


class Compute(Protocol):
    """Servers of one project."""

    def servers(self) -> Servers:
        """List the project's servers, complete or raising."""

    def is_gone(self, server_id: str) -> bool:
        """Tell whether Nova itself says, by id, that there is no such server."""

    def act(self, server_id: str, action: PowerAction) -> str:
        """Start, stop or reboot a server, and return the request's id. MUST NOT be retried here."""


class Project(Protocol):
    """A tenant's project, with a token for it."""

    @property
    def heat(self) -> Heat: ...

    @property
    def compute(self) -> Compute: ...

    def browse(self, part: Part) -> Any:
        """Read a part of the catalog: what the field of `Catalog` of that name holds."""

    def verify(self) -> None:
        """Get a token and check that it is for the pinned project and that Heat's endpoint is allowed."""

    def rights(self) -> Rights:
        """Return the roles of the token, and what it was given for."""

    def read_limits(self) -> None:
        """Read the project's limits in Nova."""

    def credentials_end(self) -> CredentialsEnd:
        """Ask when the credentials end."""

    def close(self) -> None:
        """Close connections; the token is left to expire."""
