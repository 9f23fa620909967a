#!/usr/bin/env python3
"""Write dashboard.json for Grafana from the table below: `make generate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("dashboard.json")
COLUMNS, WIDTH, HEIGHT = 3, 8, 7
"""Panels a row, and a panel's size in Grafana's units."""


class Panel(NamedTuple):
    """One chart over time; `legend` names its lines by their labels."""

    title: str
    unit: str
    legend: str
    query: str


PANELS = (
    Panel("VMs by phase", "short", "{{phase}}", "sum by (phase) (stoker_vms)"),
    Panel("VMs that are not Ready, by reason", "short", "{{reason}}", "sum by (reason) (stoker_vms_not_ready)"),
    Panel("Stuck, drifted and duplicate VMs, orphans", "short", "{{__name__}}",
          'sum by (__name__) ({__name__=~"stoker_stuck_vms|stoker_drifted_vms|stoker_duplicate_vms|stoker_orphans"})'),
    Panel("Time to Active, 95th percentile", "s", "{{template}}",
          "histogram_quantile(0.95, sum by (le, template) (rate(stoker_time_to_active_seconds_bucket[$__rate_interval])))"),
    Panel("Ended operations a minute", "short", "{{type}} {{result}}",
          "sum by (type, result) (rate(stoker_operations_total[$__rate_interval])) * 60"),
    Panel("Failed attempts a minute, by template and code", "short", "{{template}} {{code}}",
          'sum by (template, code) (rate(stoker_operations_total{result=~"Failed|Retried"}[$__rate_interval])) * 60'),
    Panel("Oldest VM in the backlog", "s", "age", "max(stoker_backlog_oldest_seconds)"),
    Panel("Passes a second", "short", "passes", "sum(rate(stoker_reconcile_seconds_count[$__rate_interval]))"),
    Panel("Writes to the API server a second", "short", "{{what}}",
          "sum by (what) (rate(stoker_kubernetes_writes_total[$__rate_interval]))"),
    Panel("OpenStack calls a second, by operation", "short", "{{operation}}",
          "sum by (operation) (rate(stoker_openstack_request_seconds_count[$__rate_interval]))"),
    Panel("OpenStack latency, 95th percentile, by service", "s", "{{service}}",
          "histogram_quantile(0.95, sum by (le, service) (rate(stoker_openstack_request_seconds_bucket[$__rate_interval])))"),
    Panel("OpenStack calls that failed a minute, by code", "short", "{{code}}",
          'sum by (code) (rate(stoker_openstack_request_seconds_count{code!="ok"}[$__rate_interval])) * 60'),
    Panel("Quota used", "percentunit", "{{tenant}} {{resource}}",
          "max by (tenant, resource) (stoker_quota_used) / max by (tenant, resource) (stoker_quota_limit)"),
    Panel("VMs billed, by plan", "short", "{{plan}}",
          "sum by (plan) (rate(stoker_usage_vm_seconds_total[$__rate_interval]))"),
    Panel("Clouds not called, tenants without access", "short", "{{cloud}}{{tenant}}",
          "max by (cloud) (stoker_cloud_breaker_open) == 1 or 1 - max by (tenant) (stoker_tenant_connected) > 0"),
)  # fmt: skip
"""Grafana sets `$__rate_interval` to four scrapes at least."""


def dashboard() -> dict[str, Any]:
    """Return the document that Grafana imports."""
    return {
        "title": "Stoker",
        "uid": "stoker",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [{"refId": "A", "expr": panel.query, "legendFormat": panel.legend}],
    }


def text() -> str:
    """Return the file's text."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
