"""Builders of snapshots: valid by default, a keyword to differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from stoker.api.base import GROUP, ObjectMeta
from stoker.api.operation import OperationRecord, OperationSpec, OperationType, VirtualMachineOperation
from stoker.api.tenant import NetworkProfile, Tenant, TenantSpec
from stoker.api.virtualmachine import StackStatus, VirtualMachine, VirtualMachineSpec, VirtualMachineStatus
from stoker.core.identity import FINALIZER, ID_ANNOTATION, OPERATION_FINALIZER, Identity, operation_name
from stoker.core.inputs import SPEC_TAG, Inputs, spec_hash
from stoker.core.server import Server, ServerLook
from stoker.core.stack import Listing, Stack, StackEvents
from stoker.core.world import World

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
CLOCK = 1000.0
MADE = NOW - timedelta(minutes=1)
"""When stacks were made."""

UID = "11111111-1111-4111-8111-111111111111"
IDENTITY = Identity("cluster", "project", UID, "team-a", "web-1")
INPUTS = Inputs("ubuntu-basic@v1", "heat_template_version: 2021-04-16\n", {"name": "web-1"})
CREATE = operation_name("web-1", UID, OperationType.CREATE, "")
UPDATE = operation_name("web-1", UID, OperationType.UPDATE, f"{UID}/2")
DELETE = operation_name("web-1", UID, OperationType.DELETE, UID)


def vm(
    *,
    enrolled: bool = True,
    annotated: bool | None = None,
    deleting: bool = False,
    generation: int = 1,
    spec: dict[str, Any] | None = None,
    asked: dict[str, str] | None = None,
    **status: Any,
) -> VirtualMachine:
    """Return a VM; `spec` differs from the default on the wire, other keywords are status fields.

    `asked` are annotations, without their `stoker.dev/`.

    `enrolled` VMs have our finalizer, and the annotation unless `annotated` says otherwise.
    """
    metadata = ObjectMeta(
        name="web-1",
        namespace="team-a",
        uid=UID,
        generation=generation,
        resource_version="1",
        finalizers=(FINALIZER,) if enrolled else (),
        annotations={
            **({ID_ANNOTATION: UID} if (enrolled if annotated is None else annotated) else {}),
            **{f"{GROUP}/{name}": value for name, value in (asked or {}).items()},
        },
        deletion_timestamp=NOW if deleting else None,
    )
    wire = {"template": "ubuntu-basic@v1", "image": "cirros", "flavor": "m1.tiny", **(spec or {})}
    return VirtualMachine(
        metadata=metadata, spec=VirtualMachineSpec.model_validate(wire), status=VirtualMachineStatus(**status)
    )


def active(**changes: Any) -> VirtualMachine:
    """Return a VM whose stack `s1` was complete when last seen."""
    recorded = StackStatus(
        name=IDENTITY.stack_name,
        id="s1",
        inputs_hash=INPUTS.hash,
        template_version="ubuntu-basic@v1",
        changed_at=MADE,
    )
    known = {"stack": recorded, "server_id": "server", "applied_generation": 1, "active_at": NOW}
    return vm(**{**known, **changes})


def looked(status: str = "ACTIVE", *, as_of: float = CLOCK - 1, **changes: Any) -> ServerLook:
    """Return a look at the VM's server; keywords are fields of `Server`."""
    server = Server("server", "web-1", status, "NoState", addresses=frozenset({"10.0.0.4"}), flavor="m1.tiny")
    return ServerLook(as_of, "server", replace(server, **changes))


def gone(as_of: float = CLOCK - 1) -> ServerLook:
    """Return a look that found no server."""
    return ServerLook(as_of, "server", None)


def stack(
    status: str = "CREATE_COMPLETE",
    *,
    id: str = "s1",
    ours: bool = True,
    inputs: str = INPUTS.hash,
    by: str = CREATE,
    of: VirtualMachine | None = None,
    **changes: Any,
) -> Stack:
    """Return a stack of the VM's name; without `ours`, it lacks our tags. `of` is the VM whose spec its tags tell."""
    told = (f"{SPEC_TAG}={spec_hash(of.spec)}",) if of else ()
    tags = frozenset(IDENTITY.tags(by, inputs, *told)) if ours else frozenset()
    made = Stack(id, IDENTITY.stack_name, "project", status, "", tags, MADE)
    return replace(made, **changes)


def operation(
    kind: OperationType = OperationType.CREATE,
    *,
    cause: str | None = None,
    sequence: int = 1,
    generation: int = 1,
    **status: Any,
) -> VirtualMachineOperation:
    """Return an operation; keywords are fields of its record."""
    because = cause if cause is not None else ("" if kind is OperationType.CREATE else UID)
    name = operation_name("web-1", UID, kind, because)
    spec = OperationSpec(vm_name="web-1", vm_id=UID, type=kind, cause=because, sequence=sequence, generation=generation)
    record = OperationRecord(**{"state": "Running", "attempts": 1, **status})
    metadata = ObjectMeta(name=name, namespace="team-a", finalizers=(OPERATION_FINALIZER,), resource_version="1")
    return VirtualMachineOperation(metadata=metadata, spec=spec, status=record)


def listing(*stacks: Stack, as_of: float = CLOCK - 1) -> Listing:
    """Return a listing that started a second ago."""
    return Listing(as_of, stacks)


def world(machine: VirtualMachine | None = None, *stacks: Stack, **changes: Any) -> World:
    """Return the world of a VM with those stacks in a fresh listing; keywords are fields of `World`.

    What Heat did with the stack is read, unless a keyword says otherwise.
    """
    base = replace(World(machine or vm(), IDENTITY, INPUTS, NOW, CLOCK, listing(*stacks)), **changes)
    return replace(base, events=changes.get("events", base.kept and StackEvents(base.kept, ())))


def tenant(
    name: str = "a", *namespaces: str, age: int = 0, going: bool = False, project: str = "p", **metadata: Any
) -> Tenant:
    """Return a tenant that was made `age` days before others."""
    profile = NetworkProfile(name="default", network="private")
    spec = TenantSpec(
        cloud="c",
        project_id=project,
        namespaces=namespaces or ("team-a",),
        credentials_secret="s",
        network_profiles=(profile,),
    )
    made, ends = NOW - timedelta(days=age), NOW if going else None
    return Tenant(
        metadata=ObjectMeta(name=name, creation_timestamp=made, deletion_timestamp=ends, **metadata), spec=spec
    )
