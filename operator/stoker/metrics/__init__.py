"""Every Prometheus metric, and functions that observe our types. Nothing else imports prometheus_client.

Labels are bounded: no name, namespace or id of a VM, and of what users write freely only so many values (`Bounded`).
What is counted from the objects, and not as it happens, is in `census`. docs/metrics.md is generated from both.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from stoker import __version__
from stoker.api.operation import AttemptOutcome, OperationState, VirtualMachineOperation
from stoker.api.quota import Amounts, Quota
from stoker.core.actions import Retain, Settle
from stoker.core.decision import Decision
from stoker.metrics.bounds import Bounded
from stoker.metrics.census import CENSUS, Usage

__all__ = ["CENSUS", "Usage"]

disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter is two time series
REGISTRY = CollectorRegistry()
REGISTRY.register(CENSUS)

TEMPLATES = Bounded(50)
"""Template versions are made by platform admins; the bound is for what a backup of years brings along."""

FLAVORS, PLANS = Bounded(100), Bounded(20)

LIFE = (2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3600)
"""Buckets of what takes as long as a server does, seconds."""

REQUEST = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Buckets of OpenStack calls, seconds: a loaded Heat takes a minute to accept a create."""

SERVICES = {
    "servers": "compute",
    "server": "compute",
    "start": "compute",
    "stop": "compute",
    "reboot": "compute",
    "reset": "compute",
    "verify": "identity",
    "preflight": "identity",
    "catalog-flavors": "compute",
    "catalog-key_pairs": "compute",
    "catalog-compute_limits": "compute",
    "catalog-images": "image",
    "catalog-networks": "network",
    "catalog-network_limits": "network",
    "catalog-volume_types": "volume",
    "catalog-volume_limits": "volume",
}
"""Call → the service that it is for; all others are Heat's."""

BUILD = Gauge("stoker_build_info", "1; the version that runs.", ("version",), registry=REGISTRY)
BUILD.labels(__version__).set(1)
LEADER = Gauge("stoker_leader", "1 while this process leads.", registry=REGISTRY)

DECISIONS = Counter(
    "stoker_decisions_total", "Decisions by action and reason.", ("action", "reason"), registry=REGISTRY
)
PASSES = Histogram("stoker_reconcile_seconds", "Time of the passes over a VM in one go.", registry=REGISTRY)
ERRORS = Counter("stoker_reconcile_errors_total", "Passes that ended in an unexpected error.", registry=REGISTRY)
BACKLOG = Gauge("stoker_backlog", "VMs waiting for a pass.", registry=REGISTRY)
BACKLOG_AGE = Gauge("stoker_backlog_oldest_seconds", "How long the VM waiting longest has waited.", registry=REGISTRY)

TIME_TO_ACTIVE = Histogram(
    "stoker_time_to_active_seconds",
    "From a VM's creation to the first time that it is Active.",
    ("template",),
    buckets=LIFE,
    registry=REGISTRY,
)
OPERATIONS = Counter(
    "stoker_operations_total",
    "Ended attempts of operations: Succeeded, Failed for good, Retried when they failed and are tried again, or Superseded by an edit or a deletion after that.",
    ("type", "result", "template", "code"),
    registry=REGISTRY,
)
USAGE = Counter(
    "stoker_usage_vm_seconds_total",
    "Seconds for which VMs had a server, running or stopped.",
    ("tenant", "plan", "flavor"),
    registry=REGISTRY,
)

CALLS = Histogram(
    "stoker_openstack_request_seconds",
    "Time of OpenStack calls; the code is ok or an error code.",
    ("service", "operation", "code"),
    buckets=REQUEST,
    registry=REGISTRY,
)
BREAKER_OPENED = Counter(
    "stoker_cloud_breaker_opened_total", "How often calls to a cloud were suspended.", ("cloud",), registry=REGISTRY
)
THROTTLED = Counter(
    "stoker_throttled_calls_total", "Calls that waited for a rate limit, by whose.", ("scope",), registry=REGISTRY
)
WRITES = Counter("stoker_kubernetes_writes_total", "Writes to the API server.", ("what",), registry=REGISTRY)

ORPHANS_DELETED = Counter(
    "stoker_orphans_deleted_total", "Stacks without an object that were deleted.", ("tenant", "why"), registry=REGISTRY
)
SWEEPS = Counter("stoker_sweeps_total", "Sweeps by outcome: done, or failed.", ("tenant", "outcome"), registry=REGISTRY)
QUOTA_USED = Gauge(
    "stoker_quota_used", "What a tenant's VMs take of what is limited.", ("tenant", "resource"), registry=REGISTRY
)
QUOTA_LIMIT = Gauge("stoker_quota_limit", "A tenant's quota.", ("tenant", "resource"), registry=REGISTRY)

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


def observe_operation(action: Settle | Retain, known: VirtualMachineOperation | None, template: str) -> None:
    """Count an attempt that ended, once that is stored; one that Heat only accepted did not end.

    `known` is the operation as it was, None for one that is stored with its end; `template` is family@vN or empty.
    """
    failed_before = known is not None and known.status.outcome is AttemptOutcome.FAILED
    if isinstance(action, Retain):
        kind, result, code = action.spec.type, "Succeeded", ""
    elif action.state is OperationState.FAILED and known and (failed_before or action.error is None):
        kind, result, code = known.spec.type, "Superseded", action.error or ""
    elif action.state in (OperationState.SUCCEEDED, OperationState.FAILED) and known:
        kind, result, code = known.spec.type, action.state.value, action.error or ""
    elif action.outcome is AttemptOutcome.FAILED and known:
        kind, result, code = known.spec.type, "Retried", action.error or ""
    else:
        return
    OPERATIONS.labels(kind.value, result, TEMPLATES.name(template), str(code)).inc()


def observe_active(seconds: float, template: str) -> None:
    """Record that a VM is Active for the first time, so long after it was made."""
    TIME_TO_ACTIVE.labels(TEMPLATES.name(template)).observe(max(0.0, seconds))


def observe_usage(usage: Iterable[Usage], seconds: float) -> None:
    """Add the seconds since the last time to what each group of VMs used."""
    for group in usage:
        labels = group.tenant, PLANS.name(group.plan), FLAVORS.name(group.flavor)
        USAGE.labels(*labels).inc(group.vms * seconds)


def observe_call(call: str, code: str, seconds: float) -> None:
    """Record an OpenStack call: its name, "ok" or an error code, and its time."""
    CALLS.labels(SERVICES.get(call, "orchestration"), call, code).observe(seconds)


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
    if is_open:
        BREAKER_OPENED.labels(cloud).inc()


def observe_throttled(scope: str) -> None:
    """Count a call that has to wait."""
    THROTTLED.labels(scope).inc()


def forget_tenant(tenant: str) -> None:
    """Drop what is shown of a tenant that is gone."""
    for metric in (ORPHANS_DELETED, SWEEPS, QUOTA_USED, QUOTA_LIMIT, USAGE):
        metric.remove_by_labels({"tenant": tenant})
