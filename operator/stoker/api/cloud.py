"""`Cloud`: an OpenStack cloud as the platform admin describes it. Tenants name it; no URL comes from a tenant."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from stoker.api.base import Message, Model, Resource, StatusModel, Time
from stoker.api.conditions import Condition
from stoker.api.ratelimit import RateLimit

Host = Annotated[
    str, Field(min_length=1, max_length=260, pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?$")
]
"""A host name or address, with an optional port."""


class Interface(StrEnum):
    """Which endpoints of the service catalogue are used."""

    PUBLIC = "public"
    INTERNAL = "internal"
    ADMIN = "admin"


class BreakerState(StrEnum):
    """Whether the cloud is called."""

    CLOSED = "Closed"
    """It is."""

    OPEN = "Open"
    """It is not, for a while."""

    HALF_OPEN = "HalfOpen"
    """One call tries whether it answers again."""


class CloudSpec(Model):
    """How to reach the cloud."""

    auth_url: Annotated[
        str,
        Field(
            alias="authURL",
            min_length=1,
            max_length=2048,
            pattern=r"^https?://[A-Za-z0-9._:\[\]-]+(/[^\x00-\x20\x7f?#@]*)?$",
            description="Keystone's URL, for example https://keystone.example.org/v3.",
        ),
    ]
    region: Annotated[str, Field(min_length=1, max_length=255, description="Region in the service catalogue.")]
    interface: Annotated[Interface, Field(description="public, internal or admin endpoints.")] = Interface.PUBLIC
    ca_bundle: Annotated[
        str | None,
        Field(
            alias="caBundle",
            min_length=1,
            max_length=262_144,
            description="CA certificates in PEM; the system's when absent. TLS verification is never off.",
        ),
    ] = None
    allowed_hosts: Annotated[
        tuple[Host, ...],
        Field(
            max_length=32,
            description="Hosts (with port where it is not the scheme's) that may be called besides the one of authURL.",
        ),
    ] = ()
    rate_limit: Annotated[
        RateLimit | None,
        Field(description="Calls for VMs of all tenants together; 400 a second and 800 at once when absent."),
    ] = None


class BreakerStatus(StatusModel):
    """The cloud's circuit breaker."""

    state: Annotated[
        BreakerState, Field(description="Closed: the cloud is called. Open: not for a while. HalfOpen: one call tries.")
    ]
    since: Annotated[Time, Field(description="When it last opened or closed.")]
    message: Annotated[Message | None, Field(description="The failure that opened it.")] = None


class CloudStatus(StatusModel):
    """What Stoker knows of it."""

    observed_generation: Annotated[
        int, Field(ge=-1, description="Generation this status was computed for; -1 before the first look.")
    ] = -1
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            description="Ready: Keystone answers. None before a Tenant uses the Cloud, since nobody calls it.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
    breaker: Annotated[
        BreakerStatus | None, Field(description="The circuit breaker; absent as long as it never opened.")
    ] = None


class Cloud(Resource):
    """An OpenStack cloud."""

    spec: CloudSpec
    status: CloudStatus = CloudStatus()
