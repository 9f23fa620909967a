"""Tenants: what was seen → conditions; when the end of credentials is said; what holds a Tenant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stoker.api.conditions import Condition, ConditionStatus, ConditionType
from stoker.api.errors import ErrorCode
from stoker.api.tenant import TenantStatus
from stoker.core.faults import Fault
from stoker.core.tenancy import (
    FINALIZER,
    Preflight,
    Seen,
    blocked_message,
    conditions,
    expiry_message,
    finalizers,
    trusts_after,
    trusts_recorded,
    warning_due,
)
from support.build import NOW, tenant

C, T = ErrorCode, ConditionType
WELL = Preflight(roles=("member", "reader"))
DAY = timedelta(days=1)


def fault(code: ErrorCode) -> Fault:
    return Fault(code, "it broke")


MADE, REFUSED = trusts_after(None), trusts_after(fault(C.CREDENTIAL_CANNOT_CREATE_TRUSTS))

# What was seen → Ready's status and reason, what goes with it, and the conditions that are not True.
SEEN: dict[str, tuple[Seen, str, str, str, dict[str, str]]] = {
    "all is well, by password": (Seen(preflight=Preflight(by_password=True)), "True", "Connected", "", {}),
    "an application credential before its first create": (
        Seen(preflight=WELL), "True", "Connected", "", {"TrustsPossible": "Unknown NotKnown"},
    ),
    "after its first create": (Seen(preflight=WELL, trusts=MADE), "True", "Connected", "", {}),
    "a trust was refused": (
        Seen(preflight=WELL, trusts=REFUSED), "False", "CredentialCannotCreateTrusts", "Stalled",
        {"TrustsPossible": "False CredentialCannotCreateTrusts"},
    ),
    "Keystone refuses the credentials": (
        Seen(connected=fault(C.UNAUTHORIZED)), "False", "Unauthorized", "Stalled",
        {
            "CredentialsValid": "False Unauthorized", "ProjectMatches": "Unknown NotLookedAt",
            "EndpointsAllowed": "Unknown NotLookedAt", "RolesSufficient": "Unknown NotLookedAt",
            "TrustsPossible": "Unknown NotLookedAt", "QuotaReadable": "Unknown NotLookedAt",
        },
    ),
    "no Secret": (
        Seen(connected=fault(C.CREDENTIALS_INVALID), preflight=WELL, trusts=MADE), "False", "CredentialsInvalid",
        "Stalled",
        {
            "CredentialsValid": "False CredentialsInvalid", "ProjectMatches": "Unknown NotLookedAt",
            "EndpointsAllowed": "Unknown NotLookedAt",
        },
    ),
    "another project": (
        Seen(connected=fault(C.PROJECT_MISMATCH), preflight=WELL, trusts=MADE), "False", "ProjectMismatch", "Stalled",
        {"ProjectMatches": "False ProjectMismatch", "EndpointsAllowed": "Unknown NotLookedAt"},
    ),
    "a host that is not allowed": (
        Seen(connected=fault(C.ENDPOINT_NOT_ALLOWED), preflight=WELL, trusts=MADE), "False", "EndpointNotAllowed",
        "Stalled", {"EndpointsAllowed": "False EndpointNotAllowed"},
    ),
    "no Cloud": (
        Seen(connected=fault(C.TENANT_NOT_READY), preflight=WELL, trusts=MADE), "False", "TenantNotReady", "Stalled",
        {
            "CredentialsValid": "Unknown NotLookedAt", "ProjectMatches": "Unknown NotLookedAt",
            "EndpointsAllowed": "False TenantNotReady",
        },
    ),
    "Keystone is out of reach": (
        Seen(connected=fault(C.CLOUD_UNAVAILABLE), preflight=WELL, trusts=MADE), "Unknown", "CloudUnavailable",
        "Reconciling",
        {
            "CredentialsValid": "Unknown CloudUnavailable", "ProjectMatches": "Unknown NotLookedAt",
            "EndpointsAllowed": "Unknown NotLookedAt",
        },
    ),
    "too few roles": (
        Seen(preflight=Preflight(heat=fault(C.FORBIDDEN)), trusts=MADE), "False", "Forbidden", "Stalled",
        {"RolesSufficient": "False Forbidden"},
    ),
    "Heat is out of reach": (
        Seen(preflight=Preflight(heat=fault(C.TIMEOUT)), trusts=MADE), "Unknown", "Timeout", "Reconciling",
        {"RolesSufficient": "Unknown Timeout"},
    ),
    "limits that cannot be read": (
        Seen(preflight=Preflight(quota=fault(C.FORBIDDEN)), trusts=MADE), "True", "Connected", "",
        {"QuotaReadable": "False Forbidden"},
    ),
    "limits out of reach": (
        Seen(preflight=Preflight(quota=fault(C.TIMEOUT)), trusts=MADE), "True", "Connected", "",
        {"QuotaReadable": "Unknown Timeout"},
    ),
    "a namespace of two": (
        Seen(conflicts=("team-a (also b)",), preflight=WELL, trusts=MADE), "False", "NamespaceConflict", "Stalled",
        {"NamespacesExclusive": "False NamespaceConflict"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "ready", "reason", "outlook", "others"), SEEN.values(), ids=SEEN)
def test_what_was_seen_is_a_condition_each_and_ready_their_sum(
    seen: Seen, ready: str, reason: str, outlook: str, others: dict[str, str]
) -> None:
    found = conditions(seen)
    assert next(iter(found)) is T.READY
    status, why, message = found.pop(T.READY)
    assert (status, why) == (ready, reason)
    for kind in (T.STALLED, T.RECONCILING):
        assert found.pop(kind, None) == ((ConditionStatus.TRUE, reason, message) if kind == outlook else None)
    assert {kind.value: f"{s} {r}" for kind, (s, r, _) in found.items() if s != "True"} == others
    assert len(found) == 7


def test_a_condition_says_what_to_do() -> None:
    _, _, message = conditions(Seen(conflicts=("team-a (also b)", "team-c (also d)")))[T.NAMESPACES_EXCLUSIVE]
    assert message == (
        "Claimed by several Tenants, and so of none: team-a (also b); team-c (also d). Take each out of all but one."
    )
    _, _, message = conditions(Seen(connected=fault(C.UNAUTHORIZED)))[T.CREDENTIALS_VALID]
    assert message == "it broke. Renew the credentials in the Tenant's Secret."
    assert "roles: none" in conditions(Seen(preflight=Preflight()))[T.ROLES_SUFFICIENT][2]


def test_a_tenant_that_vms_hold_says_so_and_is_ready_all_the_same() -> None:
    found = conditions(Seen(preflight=WELL, blocking=("team-a/web-1",)))
    assert found[T.READY][0] is ConditionStatus.TRUE
    assert found[T.DELETION_BLOCKED][:2] == (ConditionStatus.TRUE, "VirtualMachinesExist")
    assert T.DELETION_BLOCKED not in conditions(Seen(preflight=WELL, blocking=()))


def test_what_holds_a_tenant_is_counted_and_the_first_are_named() -> None:
    assert blocked_message(("a/1",)).startswith("1 VirtualMachines are left: a/1. The Tenant goes")
    many = blocked_message(tuple(f"a/{n}" for n in range(9)))
    assert many.startswith("9 VirtualMachines are left: a/0, a/1, a/2, a/3, a/4, …. ")


# ---- the end of the credentials

WARNINGS = {
    "long before": (15, None, None),
    "at 14 days": (14, None, 14),
    "once": (13, 14, None),
    "at 7 days": (7, 14, 7),
    "once again": (2, 7, None),
    "at one day": (1, 7, 1),
    "and then no more": (0, 1, None),
    "first seen when it is late already": (3, None, 7),
    "first seen when it is over": (-5, None, 1),
}


@pytest.mark.parametrize(("days", "warned", "due"), WARNINGS.values(), ids=WARNINGS)
def test_the_end_is_said(days: int, warned: int | None, due: int | None) -> None:
    assert warning_due(NOW + days * DAY, warned, NOW) == due


def test_between_two_days_the_earlier_warning_counts() -> None:
    assert warning_due(NOW + 14 * DAY + timedelta(seconds=1), None, NOW) is None
    assert warning_due(NOW + 7 * DAY + timedelta(seconds=1), None, NOW) == 14


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=13, hours=5), "The credentials end on 2026-01-14 17:00 UTC, in 13 days: put"),
        (timedelta(hours=47), "in 47 hours: put new ones into the Tenant's Secret; no restart is needed."),
        (timedelta(0), "The credentials ended on 2026-01-01 12:00 UTC: put new ones into the Tenant's Secret."),
    ],
)
def test_a_warning_says_when_and_what_to_do(left: timedelta, said: str) -> None:
    assert said in expiry_message(NOW + left, NOW)


# ---- the Tenant's own end


OTHER = "stoker.dev/kopf"
FINALIZERS = {
    "put on at first sight": ((OTHER,), False, None, (OTHER, FINALIZER)),
    "left where it is": ((FINALIZER, OTHER), False, None, None),
    "never put on one that goes": ((OTHER,), True, (), None),
    "kept while it is not known what is left": ((FINALIZER,), True, None, None),
    "kept while a VM is left": ((FINALIZER,), True, ("a/b",), None),
    "taken off when none is": ((OTHER, FINALIZER), True, (), (OTHER,)),
}


@pytest.mark.parametrize(("has", "going", "blocking", "wanted"), FINALIZERS.values(), ids=FINALIZERS)
def test_our_finalizer_is(has: tuple[str, ...], going: bool, blocking: Any, wanted: Any) -> None:
    assert finalizers(tenant(going=going, finalizers=has), blocking) == wanted


def status_with(reason: str, status: ConditionStatus = ConditionStatus.TRUE) -> TenantStatus:
    """Return a Tenant's status that says so of trusts, learned with the connection "c1"."""
    ready = Condition(
        type=T.READY, status=ConditionStatus.TRUE, reason="Connected", message="", last_transition_time=NOW
    )
    said = ready.model_copy(update={"type": T.TRUSTS_POSSIBLE, "status": status, "reason": reason, "message": "m"})
    return TenantStatus(conditions=(ready, said), connection="c1")


@pytest.mark.parametrize("verdict", [MADE, REFUSED], ids=["made", "refused"])
def test_what_a_create_told_of_trusts_outlives_the_process_with_its_connection(verdict):
    status = status_with(verdict.reason, verdict.status)
    kept = trusts_recorded(status, "c1")
    assert (kept.status, kept.reason, kept.message) == (verdict.status, verdict.reason, "m")
    assert trusts_recorded(status, "c2") is None


def test_what_no_create_told_is_not_kept():
    assert trusts_recorded(status_with("PasswordCredential"), "c1") is None
    assert trusts_recorded(TenantStatus(connection="c1"), "c1") is None


def test_of_trusts_only_a_create_tells_that_was_taken_or_refused_for_them():
    assert (MADE.status, MADE.reason) == (ConditionStatus.TRUE, "SeenToWork")
    assert (REFUSED.status, REFUSED.reason) == (ConditionStatus.FALSE, "CredentialCannotCreateTrusts")
    assert trusts_after(fault(C.FORBIDDEN)) is None
