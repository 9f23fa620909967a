"""`VirtualMachineOperation`: the operations table. One object is one command on one VM.

The name is a function of (VM id, type, cause), so a second claim of the same operation is a 409 from the API server:
that is the idempotency constraint. There is no status subresource: users only read, and a claim is one POST.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from stoker.api.base import LARGEST_INTEGER, Integer, Message, Model, Name, Resource, StatusModel, Time
from stoker.api.errors import ErrorCode

KEY_LENGTH = 255
"""Longest idempotency key, characters."""


class OperationType(StrEnum):
    """The commands."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"
    START = "Start"
    STOP = "Stop"
    RESTART = "Restart"
    REPAIR = "Repair"


class OperationState(StrEnum):
    """Where a command stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class AttemptOutcome(StrEnum):
    """What came of the last attempt's request. Absent means unresolved: it may still land."""

    ACCEPTED = "Accepted"
    FAILED = "Failed"


class OperationSpec(Model):
    """What was commanded; never changes."""

    vm_name: Annotated[Name, Field(description="Name of the VirtualMachine, in this namespace.")]
    vm_id: Annotated[str, Field(alias="vmID", min_length=1, max_length=64, description="Identity of the VM.")]
    type: Annotated[OperationType, Field(description="The command.")]
    cause: Annotated[
        str,
        Field(
            max_length=253,
            description="What this operation follows: nothing for a first create, the stack that is adopted, a stack or operation before it, the object's UID for a delete, UID and generation for an update, with the server's id for a start or stop, with what is repaired for a repair, the request's id for a restart.",
        ),
    ] = ""
    sequence: Annotated[
        Integer,
        Field(
            ge=1, le=LARGEST_INTEGER, description="1 for a VM's first operation of this type, then one more each time."
        ),
    ] = 1
    generation: Annotated[
        Integer, Field(ge=0, le=LARGEST_INTEGER, description="Generation of the VM's spec that it was claimed for.")
    ] = 0
    stack_name: Annotated[
        str | None,
        Field(max_length=255, description="Name of the stack, where it is not made from the VM's id: it was adopted."),
    ] = None
    idempotency_key: Annotated[
        str | None,
        Field(
            max_length=KEY_LENGTH,
            description="The key under which the VM was asked for; one create in a namespace has it.",
        ),
    ] = None
    spec_hash: Annotated[
        str | None, Field(max_length=64, description="Fingerprint of the spec that the key was used with.")
    ] = None
    requested_by: Annotated[
        str | None,
        Field(
            max_length=253,
            description='Who asked, as the admission policies stamped it when it was first claimed; "unknown" when nothing says so.',
        ),
    ] = None


class OperationRecord(StatusModel):
    """How it goes. Written only by the operator that holds the lease, guarded by the resource version."""

    state: Annotated[OperationState, Field(description="Pending, Running, Succeeded or Failed.")] = (
        OperationState.PENDING
    )
    attempts: Annotated[int, Field(ge=0, description="Attempts claimed so far.")] = 0
    holder: Annotated[
        str | None, Field(max_length=253, description="The operator process that claimed the last attempt.")
    ] = None
    epoch: Annotated[int | None, Field(ge=0, description="The leader lease's transitions when it was claimed.")] = None
    project_id: Annotated[
        str | None,
        Field(alias="projectID", max_length=64, description="Id of the project that the last attempt was claimed for."),
    ] = None
    started_at: Annotated[Time | None, Field(description="When the last attempt was claimed.")] = None
    outcome: Annotated[
        AttemptOutcome | None, Field(description="What came of the last attempt; absent while unresolved.")
    ] = None
    stack_id: Annotated[
        str | None, Field(max_length=64, description="The stack that it made, deleted or retained.")
    ] = None
    retained: Annotated[
        bool | None,
        Field(description="True when the stack was left behind, as deletionPolicy Retain or an abandonment asks."),
    ] = None
    abandoned: Annotated[
        bool | None, Field(description="True when the VM was abandoned: nothing was asked of Heat.")
    ] = None
    failed_stacks: Annotated[
        int, Field(ge=0, description="Attempts that Heat accepted and whose stack then failed.")
    ] = 0
    retry: Annotated[
        str | None,
        Field(max_length=64, description="The request to try now (stoker.dev/retry) that was answered last."),
    ] = None
    stack_changed_at: Annotated[
        Time | None, Field(description="By Heat's clock, when the stack was changed for it, once that is complete.")
    ] = None
    next_retry_time: Annotated[Time | None, Field(description="When the next attempt is due.")] = None
    last_error: Annotated[ErrorCode | None, Field(description="Code of the last error.")] = None
    message: Annotated[Message | None, Field(description="The last error as a sentence.")] = None
    completed_at: Annotated[Time | None, Field(description="When it succeeded or failed for good.")] = None


class VirtualMachineOperation(Resource):
    """One command on one VirtualMachine: its state, attempts and last error."""

    spec: OperationSpec
    status: OperationRecord = OperationRecord()
