"""`Tenant`: which namespaces use which project of which cloud, with which credentials."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from stoker.api.base import CloudName, Message, Model, Name, Resource, StatusModel, Time
from stoker.api.conditions import Condition
from stoker.api.quota import Admission, Amounts, Quota
from stoker.api.ratelimit import TenantRateLimit


class OrphanPolicy(StrEnum):
    """What becomes of a stack of this cluster that has no VirtualMachine."""

    REPORT = "Report"
    DELETE = "Delete"


class NetworkProfile(Model):
    """A choice of networks that users refer to by name."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            description="Name that users write in networkProfile.",
        ),
    ]
    network: Annotated[CloudName, Field(description="Name of the private network in Neutron.")]
    external_network: Annotated[
        CloudName | None,
        Field(description="Name of the network that floating IPs come from; without it publicIP is refused."),
    ] = None


AllowList = Annotated[
    tuple[CloudName, ...],
    Field(min_length=1, max_length=256, json_schema_extra={"x-kubernetes-list-type": "set"}),
]
"""Names, or patterns of names."""


class TenantSpec(Model):
    """What the platform admin grants."""

    cloud: Annotated[Name, Field(description="Name of the Cloud.")]
    project_id: Annotated[
        str,
        Field(
            alias="projectID",
            min_length=1,
            max_length=64,
            pattern=r"^[A-Za-z0-9-]+$",
            description="Id of the project. The credentials' token must be for exactly this one.",
        ),
    ]
    namespaces: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")], ...],
        Field(
            min_length=1,
            max_length=256,
            description="Namespaces whose VMs belong to this tenant. A namespace belongs to at most one.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]
    credentials_secret: Annotated[
        Name, Field(description="Name of the Secret with the credentials, in the operator's own namespace.")
    ]
    network_profiles: Annotated[
        tuple[NetworkProfile, ...],
        Field(
            min_length=1,
            max_length=32,
            description="Networks that users may choose.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]
    orphan_policy: Annotated[
        OrphanPolicy,
        Field(
            description="What becomes of stacks of this cluster that have no VirtualMachine: Report, or Delete once they were reported for a grace period."
        ),
    ] = OrphanPolicy.REPORT
    quota: Annotated[Quota | None, Field(description="What its VMs may take together; unlimited when absent.")] = None

    rate_limit: Annotated[
        TenantRateLimit | None,
        Field(
            description="OpenStack calls for the tenant's VMs; what is above it waits. 200 a second and 400 at once "
            "when absent."
        ),
    ] = None

    allowed_images: Annotated[
        AllowList | None,
        Field(description="Images that VMs may use, by name; `*` is any text. All that the project sees when absent."),
    ] = None
    allowed_flavors: Annotated[
        AllowList | None,
        Field(description="Flavors that VMs may use, by name; `*` is any text. All of the project when absent."),
    ] = None
    allowed_templates: Annotated[
        AllowList | None,
        Field(
            description="Templates that VMs may use: ubuntu-basic@v1, or ubuntu-basic for all its versions; `*` is any text. All of the cluster when absent."
        ),
    ] = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for field, names in (
            ("namespaces", self.namespaces),
            ("networkProfiles", [profile.name for profile in self.network_profiles]),
            ("allowedImages", self.allowed_images or ()),
            ("allowedFlavors", self.allowed_flavors or ()),
            ("allowedTemplates", self.allowed_templates or ()),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{field}: names must be unique")
        return self


class Orphan(StatusModel):
    """A stack that carries our tags and belongs to no object."""

    stack_id: Annotated[str, Field(max_length=64, description="Id of the stack.")]
    stack_name: Annotated[str, Field(max_length=255, description="Name of the stack.")]
    since: Annotated[Time, Field(description="When it was first reported.")]


class OrphanBrake(StatusModel):
    """Why orphans are held although the policy is Delete."""

    since: Annotated[Time, Field(description="When the brake was first engaged.")]
    message: Annotated[Message, Field(description="Why, and what a person can do.")]


class TenantStatus(StatusModel):
    """What Stoker knows of it."""

    observed_generation: Annotated[
        int, Field(ge=-1, description="Generation this status was computed for; -1 before the first look.")
    ] = -1
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            description="Ready, and one for each thing that was checked: token, project, endpoints, roles and so on.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
    connection: Annotated[
        str | None,
        Field(
            max_length=64, description="Fingerprint of project, Cloud and Secret that TrustsPossible was learned with."
        ),
    ] = None
    credentials_expire_at: Annotated[
        Time | None, Field(description="When the credentials end; absent when they do not, or nobody says so.")
    ] = None
    expiry_warned_days: Annotated[
        int | None, Field(ge=0, le=365, description="The last warning of that end: at 14, 7 or 1 days before it.")
    ] = None
    orphans: Annotated[
        tuple[Orphan, ...],
        Field(max_length=100, description="Stacks of ours without an object, oldest first, at most 100."),
    ] = ()
    orphan_count: Annotated[int | None, Field(ge=0, description="How many there are.")] = None
    orphan_brake: Annotated[
        OrphanBrake | None,
        Field(description="Present while orphans are held although orphanPolicy is Delete: too many at once."),
    ] = None
    last_sweep_time: Annotated[
        Time | None, Field(description="When stacks and objects were last compared and the report changed.")
    ] = None
    used: Annotated[Amounts | None, Field(description="What its VMs take of the quota; absent without one.")] = None
    admission: Annotated[Admission | None, Field(description="The newest batch of VMs that the quota admitted.")] = None


class Tenant(Resource):
    """A tenant: namespaces, a project, credentials."""

    spec: TenantSpec
    status: TenantStatus = TenantStatus()
