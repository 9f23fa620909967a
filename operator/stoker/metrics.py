"""Every Prometheus metric, and functions that observe our types. Nothing else imports prometheus_client.

Labels are bounded sets: no name, namespace or id of a VM (cardinality).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from stoker.api.quota import Amounts, Quota
from stoker.core.actions import Decision

REGISTRY = CollectorRegistry()

DECISIONS = Counter(
    "stoker_decisions_total", "Decisions by action and reason.", ("action", "reason"), registry=REGISTRY
)
PASSES = Histogram("stoker_reconcile_seconds", "Time of one pass over a VM.", registry=REGISTRY)
ERRORS = Counter("stoker_reconcile_errors_total", "Passes that ended in an unexpected error.", registry=REGISTRY)
CALLS = Histogram("stoker_openstack_request_seconds", "Time of OpenStack calls.", ("call", "code"), registry=REGISTRY)
WRITES = Counter("stoker_kubernetes_writes_total", "Writes to the API server.", ("what",), registry=REGISTRY)
BACKLOG = Gauge("stoker_backlog", "VMs waiting for a pass.", registry=REGISTRY)
BACKLOG_AGE = Gauge("stoker_backlog_oldest_seconds", "How long the VM waiting longest has waited.", registry=REGISTRY)
ORPHANS = Gauge("stoker_orphans", "Stacks of ours without an object.", ("tenant",), registry=REGISTRY)
ORPHANS_DELETED = Counter(
    "stoker_orphans_deleted_total", "Stacks without an object that were deleted.", ("tenant", "why"), registry=REGISTRY
)
ORPHAN_BRAKE = Gauge(
    "stoker_orphan_brake", "1 while orphans are held because they are too many.", ("tenant",), registry=REGISTRY
)
SWEEPS = Counter("stoker_sweeps_total", "Sweeps by outcome: done, or failed.", ("tenant", "outcome"), registry=REGISTRY)
QUOTA_USED = Gauge(
    "stoker_quota_used", "What a tenant's VMs take of what is limited.", ("tenant", "resource"), registry=REGISTRY
)
QUOTA_LIMIT = Gauge("stoker_quota_limit", "A tenant's quota.", ("tenant", "resource"), registry=REGISTRY)
EXPIRES = Gauge(
    "stoker_tenant_credentials_expire_timestamp_seconds",
    "When a tenant's credentials end; absent when they do not.",
    ("tenant",),
    registry=REGISTRY,
)
BREAKER = Gauge("stoker_cloud_breaker_open", "1 while a cloud is not called.", ("cloud",), registry=REGISTRY)
BREAKER_OPENED = Counter("stoker_cloud_breaker_opened_total", "How often it opened.", ("cloud",), registry=REGISTRY)
THROTTLED = Counter(
    "stoker_throttled_calls_total", "Calls that waited for a rate limit, by whose.", ("scope",), registry=REGISTRY
)
LEADER = Gauge("stoker_leader", "1 while this process leads.", registry=REGISTRY)
AUDIT_RECORDS = Counter("stoker_audit_records_total", "Audit records on the disk.", ("kind",), registry=REGISTRY)
AUDIT_FAILURES = Counter("stoker_audit_failures_total", "Writes of the audit that failed.", registry=REGISTRY)
AUDIT_SYNCED = Gauge(
    "stoker_audit_synced_timestamp_seconds", "When the audit was last known to be on the disk.", registry=REGISTRY
)
AUDIT_UNANCHORED = Gauge(
    "stoker_audit_unanchored_records", "Audit records newer than the cluster's anchor.", registry=REGISTRY
)


def observe_decision(decision: Decision) -> None:
    """Count a decision."""
    DECISIONS.labels(type(decision.action).__name__, decision.reason.value).inc()


def observe_call(call: str, code: str, seconds: float) -> None:
    """Record an OpenStack call: its name, "ok" or an error code, and its time."""
    CALLS.labels(call, code).observe(seconds)


def observe_records(kinds: Iterable[str]) -> None:
    """Count audit records that are on the disk."""
    for kind in kinds:
        AUDIT_RECORDS.labels(kind).inc()


def observe_write(what: str) -> None:
    """Count a write to the API server."""
    WRITES.labels(what).inc()


def observe_quota(tenant: str, limits: Quota | None, used: Amounts | None) -> None:
    """Set what a tenant may use and uses; what is not limited, or no longer, is not shown."""
    for resource in ("vms", "vcpus", "ram_mib", "gpus", "volumes_gib", "floating_ips"):
        limit = getattr(limits, resource, None)
        for gauge, value in ((QUOTA_LIMIT, limit), (QUOTA_USED, getattr(used, resource, None))):
            if limit is None:
                with suppress(KeyError):
                    gauge.remove(tenant, resource)
            else:
                gauge.labels(tenant, resource).set(value or 0)


def observe_breaker(cloud: str, *, is_open: bool) -> None:
    """Record that a cloud's breaker opened or closed."""
    BREAKER.labels(cloud).set(is_open)
    if is_open:
        BREAKER_OPENED.labels(cloud).inc()


def observe_expiry(tenant: str, at: float | None) -> None:
    """Record when a tenant's credentials end, seconds since the epoch."""
    if at is None:
        with suppress(KeyError):
            EXPIRES.remove(tenant)
    else:
        EXPIRES.labels(tenant).set(at)


def observe_throttled(scope: str) -> None:
    """Count a call that has to wait."""
    THROTTLED.labels(scope).inc()
