"""Conditions: `metav1.Condition` in full, our types and reasons, and how a new set replaces an old one.

Types and reasons are a closed set and part of the API: a name is never changed once released.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from stoker.api.base import StatusModel, Time

MESSAGE_LENGTH = 1024
"""Longest message we write, characters. `metav1.Condition` allows 32,768; etcd and `kubectl describe` thank us."""


class ConditionStatus(StrEnum):
    """Whether the condition holds; Unknown is an honest answer."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class ConditionType(StrEnum):
    """The types we write."""

    READY = "Ready"
    """The object is as its spec asks, and can be used. Always present."""

    RECONCILING = "Reconciling"
    """Stoker is on its way, and looks again by itself. Present only when True (kstatus)."""

    STALLED = "Stalled"
    """It will not succeed until a person changes something. Present only when True (kstatus)."""

    QUOTA_RESERVED = "QuotaReserved"
    """What the spec asks for is reserved of the Tenant's quota. Present only under a quota."""

    DRIFTED = "Drifted"
    """Something was changed behind Stoker's back. Present only when True."""

    # Of Tenants only.
    NAMESPACES_EXCLUSIVE = "NamespacesExclusive"
    """No other Tenant claims one of its namespaces."""

    CREDENTIALS_VALID = "CredentialsValid"
    """The Secret's credentials give a token."""

    PROJECT_MATCHES = "ProjectMatches"
    """The token is for the pinned project."""

    ENDPOINTS_ALLOWED = "EndpointsAllowed"
    """The services that are called are in the catalogue, on hosts that the Cloud allows."""

    ROLES_SUFFICIENT = "RolesSufficient"
    """Heat answers with the token's roles."""

    TRUSTS_POSSIBLE = "TrustsPossible"
    """Heat can make the trust that it may need for each stack. Unknown until a create tells."""

    QUOTA_READABLE = "QuotaReadable"
    """The project's limits in Nova can be read. Ready does not depend on it."""

    DELETION_BLOCKED = "DeletionBlocked"
    """The Tenant is being deleted and still has VMs. Present only when True."""


class Condition(StatusModel):
    """A `metav1.Condition`."""

    type: Annotated[str, Field(max_length=316, description="Type of the condition, in CamelCase.")]
    status: Annotated[ConditionStatus, Field(description="True, False or Unknown.")]
    reason: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            description="Why, as one CamelCase word of a documented set.",
        ),
    ]
    message: Annotated[str, Field(max_length=32768, description="Why, as a sentence for people.")]
    last_transition_time: Annotated[Time, Field(description="When the status last changed.")]
    observed_generation: Annotated[
        int | None, Field(ge=0, description="The generation of the object that this condition was computed for.")
    ] = None


def merge(
    old: tuple[Condition, ...],
    wanted: dict[ConditionType, tuple[ConditionStatus, str, str]],
    *,
    generation: int,
    now: datetime,
) -> tuple[Condition, ...]:
    """Return the conditions to write: those of `wanted` (type → status, reason, message), in its order.

    `last_transition_time` moves only with the status. A type that `wanted` lacks is dropped: kstatus reads the mere
    presence of Stalled=False as noise, and so do people.
    """
    before = {condition.type: condition for condition in old}

    def condition(kind: ConditionType, status: ConditionStatus, reason: str, message: str) -> Condition:
        previous = before.get(kind)
        unchanged = previous is not None and previous.status == status
        return Condition(
            type=kind,
            status=status,
            reason=reason,
            message=message[:MESSAGE_LENGTH],
            last_transition_time=previous.last_transition_time if previous and unchanged else now,
            observed_generation=generation,
        )

    return tuple(condition(kind, *values) for kind, values in wanted.items())
