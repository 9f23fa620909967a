"""Tenants: what was seen of one → its conditions; when its credentials' end is said; when it may go.

Only `Seen.connected` stops a tenant's VMs. Everything else is told, and shows in what it affects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from stoker.api.base import GROUP
from stoker.api.conditions import ConditionStatus, ConditionType
from stoker.api.errors import ErrorCode
from stoker.api.tenant import Tenant, TenantStatus
from stoker.core.admission import claims_of, tenant_of
from stoker.core.faults import Fault, Retry

FINALIZER = f"{GROUP}/tenant"
"""Our finalizer on a Tenant. kopf's own goes as soon as its timer stops, whatever VMs there are."""

WARNED_DAYS = (14, 7, 1)
"""Days before the credentials end at which it is said, each once."""

NAMED = 5
"""Most VMs named in a message."""


class TenantReason(StrEnum):
    """Reasons of conditions and Events of Tenants and Clouds that are no error codes: a closed set as well."""

    CONNECTED = "Connected"
    REACHABLE = "Reachable"
    VERIFIED = "Verified"
    NOT_LOOKED_AT = "NotLookedAt"
    PASSWORD_CREDENTIAL = "PasswordCredential"  # noqa: S105 -- a reason
    SEEN_TO_WORK = "SeenToWork"
    NOT_KNOWN = "NotKnown"
    NAMESPACE_CONFLICT = "NamespaceConflict"
    VIRTUAL_MACHINES_EXIST = "VirtualMachinesExist"
    CREDENTIALS_EXPIRE = "CredentialsExpire"
    BREAKER_OPENED = "BreakerOpened"
    BREAKER_CLOSED = "BreakerClosed"
    ORPHAN_FOUND = "OrphanFound"
    ORPHAN_DELETED = "OrphanDeleted"
    BRAKE_ENGAGED = "BrakeEngaged"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What OpenStack said when the tenant was looked at; each None is well."""

    heat: Fault | None = None
    quota: Fault | None = None
    roles: tuple[str, ...] = ()
    by_password: bool = False
    """The credentials are a user's name and password, not an application credential."""

    expires: datetime | Fault | None = None
    """When the credentials end; None when they do not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition's content."""

    status: ConditionStatus
    reason: str
    message: str

    @property
    def content(self) -> tuple[ConditionStatus, str, str]:
        return self.status, self.reason, self.message


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a tenant now."""

    conflicts: tuple[str, ...] = ()
    """Namespaces that other Tenants claim as well, each with their names."""

    connected: Fault | None = None
    """Why there is no token for the pinned project."""

    preflight: Preflight | None = None
    """None when it was not looked at with the present credentials."""

    trusts: Verdict | None = None
    """What the present credentials' creates told of trusts, if anything (`trusts_after`)."""

    blocking: tuple[str, ...] | None = None
    """The VMs, as namespace/name, that hold a Tenant which is being deleted; None while it is not."""


_T, _S, _R = ConditionType, ConditionStatus, TenantReason
_BEFORE = {ErrorCode.PROJECT_MISMATCH: 1, ErrorCode.ENDPOINT_NOT_ALLOWED: 2, ErrorCode.TENANT_NOT_READY: 2}
_CONNECTS = (
    (_T.CREDENTIALS_VALID, "Keystone gives a token."),
    (_T.PROJECT_MATCHES, "The token is for the pinned project."),
    (_T.ENDPOINTS_ALLOWED, "Heat's endpoint is in the catalogue and on an allowed host."),
)
_NOT_LOOKED_AT = Verdict(_S.UNKNOWN, _R.NOT_LOOKED_AT, "Not looked at: what comes before it is not well.")
_OPTIONAL = {_T.QUOTA_READABLE, _T.TRUSTS_POSSIBLE}
"""Ready does not need to know these; a trust that was refused is known."""


def conditions(seen: Seen) -> dict[ConditionType, tuple[ConditionStatus, str, str]]:
    """Return all conditions of a Tenant, Ready first: the sum of the others."""
    checks = {_T.NAMESPACES_EXCLUSIVE: _exclusive(seen), **_connection(seen.connected), **_preflight(seen)}
    ready, outlook = _sum(checks)
    found = {_T.READY: ready, **({outlook: Verdict(_S.TRUE, ready.reason, ready.message)} if outlook else {}), **checks}
    if seen.blocking:
        found[_T.DELETION_BLOCKED] = Verdict(_S.TRUE, _R.VIRTUAL_MACHINES_EXIST, blocked_message(seen.blocking))
    return {kind: verdict.content for kind, verdict in found.items()}


def _exclusive(seen: Seen) -> Verdict:
    if not seen.conflicts:
        return Verdict(_S.TRUE, _R.VERIFIED, "No other Tenant claims its namespaces.")
    message = f"Claimed by several Tenants, and so of none: {'; '.join(seen.conflicts)}. Take each out of all but one."
    return Verdict(_S.FALSE, _R.NAMESPACE_CONFLICT, message)


def _connection(fault: Fault | None) -> dict[ConditionType, Verdict]:
    """Say how far the connection came: token, project, endpoint; what failed says why, and the rest nothing."""
    reached = len(_CONNECTS) if fault is None else _BEFORE.get(fault.code, 0)
    sure = fault is None or fault.code is not ErrorCode.TENANT_NOT_READY  # that may be for want of a Cloud
    found = {}
    for step, (kind, message) in enumerate(_CONNECTS):
        well = step < reached and sure
        found[kind] = Verdict(_S.TRUE, _R.VERIFIED, message) if well else _NOT_LOOKED_AT
        if fault is not None and step == reached:
            found[kind] = _of(fault)
    return found


def _preflight(seen: Seen) -> dict[ConditionType, Verdict]:
    preflight = seen.preflight
    if preflight is None:
        return dict.fromkeys((_T.ROLES_SUFFICIENT, _T.TRUSTS_POSSIBLE, _T.QUOTA_READABLE), _NOT_LOOKED_AT)
    roles = ", ".join(preflight.roles) or "none"
    return {
        _T.ROLES_SUFFICIENT: _well(preflight.heat, f"Heat lists the project's stacks; the token's roles: {roles}."),
        _T.TRUSTS_POSSIBLE: _trusts(seen, preflight),
        _T.QUOTA_READABLE: _well(preflight.quota, "Nova tells the project's limits."),
    }


def _trusts(seen: Seen, preflight: Preflight) -> Verdict:
    """Whether Heat makes trusts cannot be read anywhere; only a create tells."""
    if seen.trusts:
        return seen.trusts
    if preflight.by_password:
        return Verdict(_S.TRUE, _R.PASSWORD_CREDENTIAL, "A user with a password may make trusts, unless its roles end.")
    message = (
        "An application credential cannot make trusts on a current Keystone, and needs none when Heat runs with "
        "deferred_auth_method=password; neither can be read. The first create tells."
    )
    return Verdict(_S.UNKNOWN, _R.NOT_KNOWN, message)


def trusts_after(create: Fault | None) -> Verdict | None:
    """Return what the end of a create tells of trusts; None when nothing."""
    if create is None:
        return Verdict(_S.TRUE, _R.SEEN_TO_WORK, "Heat took a create with these credentials.")
    return _of(create) if create.code is ErrorCode.CREDENTIAL_CANNOT_CREATE_TRUSTS else None


def trusts_recorded(status: TenantStatus, connection: str) -> Verdict | None:
    """Return what a create told before this process began, if it was of the very same connection."""
    if status.connection != connection:
        return None
    kept = (condition for condition in status.conditions if condition.type == _T.TRUSTS_POSSIBLE)
    told = (_R.SEEN_TO_WORK, ErrorCode.CREDENTIAL_CANNOT_CREATE_TRUSTS)
    return next((Verdict(one.status, one.reason, one.message) for one in kept if one.reason in told), None)


def _well(fault: Fault | None, message: str) -> Verdict:
    return Verdict(_S.TRUE, _R.VERIFIED, message) if fault is None else _of(fault)


def _of(fault: Fault) -> Verdict:
    """What passes by itself proves nothing against the tenant."""
    status = _S.UNKNOWN if fault.policy.retry is Retry.BACKOFF else _S.FALSE
    return Verdict(status, fault.code.value, fault.sentence)


def _sum(checks: dict[ConditionType, Verdict]) -> tuple[Verdict, ConditionType | None]:
    """Return Ready, and which of Stalled and Reconciling goes with it."""
    for kind, verdict in checks.items():
        if verdict.status is _S.FALSE and kind is not _T.QUOTA_READABLE:
            return verdict, _T.STALLED
    for kind, verdict in checks.items():
        if verdict.status is _S.UNKNOWN and kind not in _OPTIONAL:
            return verdict, _T.RECONCILING
    return Verdict(
        _S.TRUE, _R.CONNECTED, "The credentials give a token for the pinned project, and Heat answers."
    ), None


# ---- the end of the credentials


def warning_due(expires: datetime, warned: int | None, now: datetime) -> int | None:
    """Return the days of the warning that is due, or None. `warned` is the last one said of this very end."""
    left = expires - now
    due = min((days for days in WARNED_DAYS if left <= timedelta(days=days)), default=None)
    return due if due is not None and (warned is None or due < warned) else None


def expiry_message(expires: datetime, now: datetime) -> str:
    """Return what is said of it."""
    when = expires.strftime("%Y-%m-%d %H:%M UTC")
    if expires <= now:
        return f"The credentials ended on {when}: put new ones into the Tenant's Secret."
    hours = int((expires - now).total_seconds() // 3600)
    left = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
    return f"The credentials end on {when}, in {left}: put new ones into the Tenant's Secret; no restart is needed."


# ---- namespaces, and the Tenant's own end


def conflicts(tenant: Tenant, tenants: Iterable[Tenant]) -> tuple[str, ...]:
    """Return the tenant's namespaces that belong to nobody, since others claim them as well."""
    everybody = tuple(tenants)
    found = []
    for namespace in tenant.spec.namespaces:
        if isinstance(tenant_of(namespace, everybody), Fault):
            others = [one.metadata.name for one in claims_of(namespace, everybody) if one is not tenant]
            found.append(f"{namespace} (also {', '.join(others)})")
    return tuple(found)


def holds(tenant: Tenant, vm: dict[str, Any], tenants: Iterable[Tenant]) -> bool:
    """Tell whether a VM keeps the Tenant from going.

    A VM with a stack is held by the Tenant of the stack's project, even where the namespace was taken from it, unless
    another one has both; a VM without, by the namespace's Tenant, which among several claims is the oldest.
    """
    namespace = vm["metadata"]["namespace"]
    claims = claims_of(namespace, tenants)
    project = ((vm.get("status") or {}).get("stack") or {}).get("projectID")
    if not project:
        return bool(claims) and claims[0].metadata.name == tenant.metadata.name
    if project != tenant.spec.project_id:
        return False
    others = (one for one in claims if one.metadata.name != tenant.metadata.name)
    return namespace in tenant.spec.namespaces or not any(one.spec.project_id == project for one in others)


def finalizers(tenant: Tenant, blocking: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the finalizers that the Tenant should have, or None when they are as they should be.

    Ours is put on before anything is done for the tenant, and goes only from a Tenant that is being deleted and that
    no VM holds any more.
    """
    has = tenant.metadata.finalizers
    if tenant.metadata.deletion_timestamp is None:
        return None if FINALIZER in has else (*has, FINALIZER)
    if FINALIZER not in has or blocking is None or blocking:
        return None
    return tuple(name for name in has if name != FINALIZER)


def blocked_message(blocking: tuple[str, ...]) -> str:
    """Return what holds a Tenant."""
    named = ", ".join(blocking[:NAMED]) + (", …" if len(blocking) > NAMED else "")
    return (
        f"{len(blocking)} VirtualMachines are left: {named}. The Tenant goes when they are deleted; until then it "
        "serves those of its namespaces, and takes no new ones."
    )
