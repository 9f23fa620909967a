"""What is recorded of an action before it is done, and of its answer. How records are chained is in `core.audit`."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from stoker.api.base import GROUP
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.actions import (
    Action,
    AdoptStack,
    Claim,
    ConvergeStack,
    CreateStack,
    DeleteStack,
    Enroll,
    LookAtResources,
    LookById,
    LookByName,
    LookToAdopt,
    MarkUnhealthy,
    Nothing,
    PowerServer,
    PreviewUpdate,
    ReadEvents,
    ReadOutputs,
    Release,
    Retain,
    Settle,
    UpdateStack,
)
from stoker.core.audit import Kind, Outcome, Record
from stoker.core.decision import Decision
from stoker.core.faults import one_line
from stoker.core.orphans import Doomed
from stoker.core.world import World

REQUESTED_BY = f"{GROUP}/requested-by"
"""The annotation that says who asked for the spec as it is, or gave the newest of our commands.

The admission policies stamp it, or refuse another name than the author's. Without them it is what its author claims.
"""

DELETE_REQUESTED_BY = f"{GROUP}/delete-requested-by"
"""The annotation by which a client says, before it deletes, who does: a deletion carries no object to stamp.

The policies guard it in the same way, and refuse a deletion by somebody else.
"""

UNKNOWN = "unknown"
OPERATOR = "operator"
"""Who asked, where nobody did: the sweeper acts by policy."""

LONGEST_NAME = 253
"""Longest name of a requester that is kept, characters."""


def requester(vm: VirtualMachine) -> str:
    """Return who asked for what is done with the VM now, in one bounded line, or "unknown".

    Of a VM that is being deleted, that is who deleted it: whoever edited it last need not have.
    """
    name = DELETE_REQUESTED_BY if vm.metadata.deletion_timestamp else REQUESTED_BY
    return one_line(vm.metadata.annotations.get(name, ""), LONGEST_NAME) or UNKNOWN


def intent(world: World, decision: Decision, *, holder: str, epoch: int, time: str) -> Record | None:
    """Return what is recorded before the decision's action, or None for one that is not recorded.

    Recorded is what changes a cloud, and what ends Stoker's care for a stack. A new action does not type-check here
    until it is said which of the two it is.
    """
    action, kept = decision.action, world.vm.status.stack
    base = Record(
        kind=Kind.INTENT,
        action=type(action).__name__,
        time=time,
        holder=holder,
        epoch=epoch,
        reason=decision.reason.value,
        requested_by=requester(world.vm),
        project=world.identity.project,
        namespace=world.identity.namespace,
        vm=world.identity.name,
        vm_id=world.identity.id,
        generation=world.generation,
        plan=world.vm.spec.plan,
        operation=_operation(world),
        template_version=(kept.template_version if kept else None) or "",
        inputs_hash=(kept.inputs_hash if kept else None) or "",
    )
    return _of(world, base, action)


def _of(world: World, base: Record, action: Action) -> Record | None:  # noqa: PLR0911 -- a row a kind of action
    match action:
        case CreateStack(operation, attempt, inputs) | UpdateStack(operation, attempt, inputs=inputs):
            version, digest = inputs.template_version, inputs.hash
            base = replace(base, operation=operation, attempt=attempt, template_version=version, inputs_hash=digest)
            return replace(base, stack_id=action.stack_id) if isinstance(action, UpdateStack) else base
        case AdoptStack(operation, attempt, _, stack_id):
            return replace(base, operation=operation, attempt=attempt, stack_id=stack_id)
        case ConvergeStack(operation, attempt, _, stack_id) | PowerServer(operation, attempt, stack_id):
            detail = f"{action.action} {action.server_id}" if isinstance(action, PowerServer) else ""
            return replace(base, operation=operation, attempt=attempt, stack_id=stack_id, detail=detail)
        case MarkUnhealthy(_, stack_id, resource):
            operation = world.job.metadata.name if world.job else base.operation
            return replace(base, operation=operation, stack_id=stack_id, detail=resource)
        case DeleteStack(_, stack_id):
            return replace(base, stack_id=stack_id)
        case Retain(operation) | Settle(operation, retained=True):
            name = "Abandon" if action.abandoned else Retain.__name__
            return replace(base, action=name, operation=operation, stack_id=action.stack_id or "")
        case Release(left):
            return replace(base, stack_id=(left.stack_id if left else world.recorded_id) or "")
        case Nothing() | Enroll() | Claim() | Settle() | LookByName() | LookById() | LookToAdopt():
            return None
        case LookAtResources() | ReadEvents() | ReadOutputs() | PreviewUpdate():
            return None
        case _:
            assert_never(action)


def orphan(doomed: Doomed, *, holder: str, epoch: int, time: str) -> Record:
    """Return what is recorded before a stack without an object is deleted."""
    return Record(
        kind=Kind.INTENT,
        action=DeleteStack.__name__,
        time=time,
        holder=holder,
        epoch=epoch,
        reason=doomed.why.value,
        requested_by=OPERATOR,
        project=doomed.stack.project,
        vm_id=doomed.vm_id,
        operation=doomed.operation,
        stack_id=doomed.stack.id,
    )


def outcome(
    of: Record, sequence: int, what: Outcome, *, time: str, error: str = "", stack_id: str = "", request_id: str = ""
) -> Record:
    """Return the record of what came of an intent, which has that sequence."""
    return replace(
        of,
        kind=Kind.OUTCOME,
        intent=sequence,
        outcome=what.value,
        time=time,
        error=one_line(error, LONGEST_NAME),
        stack_id=stack_id or of.stack_id,
        request_id=one_line(request_id, LONGEST_NAME),
    )


def _operation(world: World) -> str:
    """Return the operation that an action belongs to unless it names one itself."""
    operation = (world.deleting and world.delete) or world.create
    return operation.metadata.name if operation else ""
