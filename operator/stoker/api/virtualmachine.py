"""`VirtualMachine`: what a user asks for, and what Stoker reports.

Spec holds names, status holds ids. The operator never writes spec (a GitOps tool would put it back for ever), and
defaults stand only on scalars outside lists or inside list-type maps, for the same reason.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from stoker.api.base import Boolean, CloudName, Integer, Message, Model, Resource, StatusModel, Time
from stoker.api.conditions import Condition
from stoker.api.errors import ErrorCode
from stoker.api.parts import IngressRule, UserDataSource, Volume
from stoker.api.quota import Amounts

USER_DATA_BYTES = 49_149
"""Most bytes of user data, UTF-8. Nova refuses more than 65,535 characters of base64 (nova schema `user_data`)."""


class MissingPolicy(StrEnum):
    """What to do when a stack that was there is gone."""

    RECREATE = "Recreate"
    ERROR = "Error"


class DeletionPolicy(StrEnum):
    """What happens to the stack when the object is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"


class PowerState(StrEnum):
    """Whether the server shall run. Never On and Off: YAML 1.1 reads them as booleans."""

    RUNNING = "Running"
    STOPPED = "Stopped"


class DriftPolicy(StrEnum):
    """What to do about what somebody changed behind Stoker's back."""

    REPORT = "Report"
    REPAIR = "Repair"


class VirtualMachineSpec(Model):
    """What the user asks for."""

    template: Annotated[
        str,
        Field(
            min_length=1,
            max_length=128,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(@v[1-9][0-9]{0,5})?$",
            description='Template family and version, "ubuntu-basic@v1"; the family alone is pinned to its newest version at first sight.',
        ),
    ]
    image: Annotated[CloudName, Field(description="Name of the image in Glance.")]
    flavor: Annotated[CloudName, Field(description="Name of the flavor in Nova.")]
    network_profile: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            description="Name of one of the Tenant's network profiles.",
        ),
    ] = "default"
    ssh_authorized_keys: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=8192, pattern=r"^[^\x00-\x1f\x7f]+$")], ...],
        Field(max_length=16, description="Public SSH keys for the image's default user, one line each."),
    ] = ()
    key_name: Annotated[CloudName | None, Field(description="Name of a key pair that already exists in Nova.")] = None
    gpu_count: Annotated[
        Integer, Field(ge=0, le=64, description="GPUs that the flavor must give; checked by the template.")
    ] = 0
    user_data: Annotated[
        str | None,
        Field(max_length=USER_DATA_BYTES, description="cloud-init user data, at most 49,149 bytes of UTF-8."),
    ] = None
    user_data_from: Annotated[
        UserDataSource | None, Field(description="User data from a Secret, instead of userData.")
    ] = None
    public_ip: Annotated[
        Boolean, Field(description="Give the VM a floating IP from the profile's external network?")
    ] = False
    volumes: Annotated[
        tuple[Volume, ...],
        Field(
            max_length=8,
            description="Additional block volumes.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = ()
    ingress: Annotated[tuple[IngressRule, ...], Field(max_length=32, description="Traffic that may reach the VM.")] = ()
    power_state: Annotated[PowerState, Field(description="Shall the server run?")] = PowerState.RUNNING
    drift_policy: Annotated[
        DriftPolicy,
        Field(description="What somebody changed behind Stoker's back: only report it, or put it right as well?"),
    ] = DriftPolicy.REPORT
    plan: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            description="What the VM is billed as: in the usage metric and the audit. It changes nothing in the cloud.",
        ),
    ] = "standard"
    allow_replace: Annotated[
        Boolean, Field(description="May an update replace or delete the server or a volume, and lose its data?")
    ] = False
    on_stack_missing: Annotated[
        MissingPolicy,
        Field(description="When the stack of a VM that was Active is gone: make it anew, or report an error?"),
    ] = MissingPolicy.RECREATE
    deletion_policy: Annotated[
        DeletionPolicy, Field(description="When the VM is deleted: delete its stack, or leave it and forget it?")
    ] = DeletionPolicy.DELETE
    termination_protection: Annotated[
        Boolean,
        Field(description="Refuse to delete the VM? A protected VM that is deleted all the same keeps its stack."),
    ] = False

    @model_validator(mode="after")
    def _user_data_comes_once_and_fits(self) -> Self:
        if self.user_data is not None and self.user_data_from is not None:
            raise ValueError("userData and userDataFrom: use one of them")
        if self.user_data is not None and len(self.user_data.encode()) > USER_DATA_BYTES:
            raise ValueError(f"userData: {len(self.user_data.encode())} bytes of UTF-8 exceed {USER_DATA_BYTES}")
        names = [volume.name for volume in self.volumes]
        if len(set(names)) != len(names):
            raise ValueError("volumes: names must be unique")
        return self


class Phase(StrEnum):
    """One word for people and printer columns; no rule reads it."""

    REQUESTED = "Requested"
    PROVISIONING = "Provisioning"
    ACTIVE = "Active"
    DELETING = "Deleting"
    ERROR = "Error"


class DesiredState(StrEnum):
    """From the object's life: Absent once it has a deletion timestamp."""

    PRESENT = "Present"
    ABSENT = "Absent"


EVENTS = 10
"""Most events of a stack that are kept."""


class StackStatus(StatusModel):
    """The VM's stack as last recorded."""

    name: Annotated[str, Field(max_length=255, description="Name of the stack in Heat.")]
    id: Annotated[str | None, Field(max_length=64, description="Id of the stack in Heat.")] = None
    status: Annotated[str | None, Field(max_length=64, description="Status in Heat, for example CREATE_COMPLETE.")] = (
        None
    )
    project_id: Annotated[str | None, Field(max_length=64, description="Id of the stack's project.")] = None
    status_reason: Annotated[Message | None, Field(description="Heat's reason for the status.")] = None
    inputs_hash: Annotated[
        str | None, Field(max_length=64, description="Fingerprint of template and parameters that Heat has.")
    ] = None
    template_version: Annotated[
        str | None, Field(max_length=128, description="Template version in use, family@vN.")
    ] = None
    changed_at: Annotated[
        Time | None,
        Field(description="When Stoker last had it created or updated, by Heat's clock; another time is drift."),
    ] = None
    outdated: Annotated[
        bool | None,
        Field(
            description="True when a Secret, network profile or template changed since: the next edit of the VM applies it."
        ),
    ] = None


class StackEvent(StatusModel):
    """One thing that Heat did with the stack or a resource of it."""

    time: Annotated[Time | None, Field(description="When, by Heat's clock.")] = None
    resource: Annotated[str, Field(max_length=255, description="Name of the resource, or of the stack.")]
    status: Annotated[str, Field(max_length=64, description="What it became, for example CREATE_FAILED.")]
    reason: Annotated[Message | None, Field(description="Heat's reason.")] = None


class OperationStatus(StatusModel):
    """The VM's current or last operation, in short."""

    id: Annotated[str, Field(max_length=253, description="Name of the VirtualMachineOperation.")]
    type: Annotated[str, Field(max_length=32, description="Create, Delete, …")]
    state: Annotated[str, Field(max_length=32, description="Pending, Running, Succeeded or Failed.")]
    attempts: Annotated[int, Field(ge=0, description="Attempts so far.")] = 0
    next_retry_time: Annotated[Time | None, Field(description="When the next attempt is due.")] = None


class LastError(StatusModel):
    """The last error, until something succeeds."""

    code: Annotated[ErrorCode, Field(description="One of the documented error codes.")]
    message: Annotated[Message, Field(description="What failed, where, and what to do.")]
    time: Annotated[Time, Field(description="When it was first seen.")]


class VirtualMachineStatus(StatusModel):
    """What Stoker reports; derived from (desired, observed) on every pass."""

    observed_generation: Annotated[
        int,
        Field(ge=-1, description="Generation of the spec that this status was computed for; -1 before the first look."),
    ] = -1
    id: Annotated[
        str | None,
        Field(max_length=64, description="The VM's identity: its first UID, which survives backup and restore."),
    ] = None
    phase: Annotated[Phase | None, Field(description="Requested, Provisioning, Active, Deleting or Error.")] = None
    desired_state: Annotated[
        DesiredState | None, Field(description="Present, or Absent once the object is being deleted.")
    ] = None
    applied_generation: Annotated[
        int | None, Field(ge=0, description="Generation of the spec that Heat acknowledged.")
    ] = None
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            description="Ready, Reconciling, Stalled, QuotaReserved, Drifted.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
    stack: Annotated[StackStatus | None, Field(description="The VM's stack in Heat.")] = None
    server_id: Annotated[str | None, Field(max_length=64, description="Id of the server in Nova.")] = None
    power_state: Annotated[
        str | None, Field(max_length=32, description="What the server was last seen as: Running, Stopped, Paused, …")
    ] = None
    applied_power_state: Annotated[
        PowerState | None,
        Field(description="The power state that the server was last brought to; a difference from it is drift."),
    ] = None
    restart_id: Annotated[
        str | None,
        Field(max_length=253, description="The last restart request that is over, or came before there was a server."),
    ] = None
    volume_slots: Annotated[
        tuple[Annotated[str, Field(max_length=63)], ...],
        Field(max_length=8, description="Names of the volumes by the template's slots; empty for a free one."),
    ] = ()
    private_ip: Annotated[str | None, Field(max_length=64, description="Address in the private network.")] = None
    public_ip: Annotated[str | None, Field(max_length=64, description="Floating address, when asked for.")] = None
    operation: Annotated[OperationStatus | None, Field(description="The current or last operation.")] = None
    last_error: Annotated[LastError | None, Field(description="The last error, until something succeeds.")] = None
    events: Annotated[
        tuple[StackEvent, ...],
        Field(
            max_length=EVENTS,
            description="What Heat did last with the stack when a create or update failed, newest first; empty when all is well.",
        ),
    ] = ()
    reserved: Annotated[Amounts | None, Field(description="What is reserved for it of the Tenant's quota.")] = None
    retry: Annotated[
        str | None,
        Field(max_length=64, description="The request to try now (stoker.dev/retry) that was answered last."),
    ] = None
    requested_at: Annotated[Time | None, Field(description="When Stoker first saw the VM.")] = None
    provisioning_at: Annotated[Time | None, Field(description="When Heat first accepted a stack for it.")] = None
    active_at: Annotated[Time | None, Field(description="When the VM first became Active.")] = None
    deleting_at: Annotated[Time | None, Field(description="When its deletion began.")] = None


class VirtualMachine(Resource):
    """A virtual machine: one object, one Heat stack."""

    spec: VirtualMachineSpec
    status: VirtualMachineStatus = VirtualMachineStatus()
