"""The metrics as a document: `python -m stoker.metrics.describe` writes docs/metrics.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import NamedTuple

from prometheus_client.metrics import MetricWrapperBase

from stoker import metrics
from stoker.metrics.census import Census

LABELS = {
    "action": "kind of the decision's action",
    "cloud": "name of the Cloud",
    "code": "error code ([conditions.md](conditions.md#error-codes)), empty or `ok` without one",
    "flavor": f"name of the flavor; {metrics.FLAVORS.most} of them, then `other`",
    "kind": "kind of the audit record",
    "operation": "name of the call, as the adapter has it",
    "outcome": "`done` or `failed`",
    "phase": "phase of the VM",
    "plan": f"the VM's plan; {metrics.PLANS.most} of them, then `other`",
    "reason": "reason of the decision, or of the condition ([conditions.md](conditions.md))",
    "resource": "`vms`, `vcpus`, `ram_mib`, `gpus`, `volumes_gib` or `floating_ips`",
    "result": "`Succeeded`, `Failed`, `Retried` or `Superseded`",
    "scope": "whose rate limit: `user`, `tenant` or `cloud`",
    "service": "`orchestration`, `compute`, `identity`, `image`, `network` or `volume`",
    "template": f"template version, family@vN; {metrics.TEMPLATES.most} of them, then `other`",
    "tenant": "name of the Tenant; empty for VMs in a namespace without one",
    "type": "type of the operation",
    "version": "version of Stoker",
    "what": "what was written",
    "why": "why the stack was deleted",
}
"""Label → what its values are, and so why they are few."""


class Metric(NamedTuple):
    """One row."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str


def described() -> list[Metric]:
    """Return every metric, by name."""
    return sorted([*_observed(), *_counted()])


def _observed() -> Iterator[Metric]:
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield Metric(name, family.type, tuple(metric._labelnames), family.documentation)  # noqa: SLF001 -- it has no other name


def _counted() -> Iterator[Metric]:
    for field in fields(Census):
        yield Metric(field.metadata["name"], "gauge", field.metadata["labels"], field.metadata["help"])


def document() -> str:
    """Return the Markdown page."""
    rows = [f"| `{m.name}` | {m.type} | {', '.join(f'`{x}`' for x in m.labels)} | {m.meaning} |" for m in described()]
    labels = [f"| `{label}` | {meaning} |" for label, meaning in sorted(LABELS.items())]
    return "\n".join(
        [
            "# Metrics",
            "",
            "Generated from the code by `make generate`; do not edit.",
            "",
            "Served on `STOKER_METRICS_PORT` by each replica; what is counted from the objects is shown by the one that leads.",
            "No label names a VM, so the number of series does not grow with theirs.",
            "A histogram has `_bucket`, `_sum` and `_count`.",
            "",
            "| Metric | Type | Labels | Meaning |",
            "|---|---|---|---|",
            *rows,
            "",
            "## Labels",
            "",
            "| Label | Values |",
            "|---|---|",
            *labels,
            "",
            "## What usage counts",
            "",
            "`stoker_usage_vm_seconds_total` grows every 15 seconds by that time for each VM that has a server, running or stopped.",
            "It is for charts and rough bills: a time without an operator that leads is not counted, and a VM's first and last seconds are to 15 s.",
            "To the second, the [audit](audit.md) says when each stack was made and deleted, and for whom.",
            "",
        ]
    )


if __name__ == "__main__":  # pragma: no cover -- the command; `document` is tested
    print(document(), end="")  # noqa: T201 -- this is the command's output
