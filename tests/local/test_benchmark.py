"""What the benchmark counts, and how it shows it. What it measures is no test's business."""

from __future__ import annotations

from collections import Counter

import pytest
from prometheus_client import generate_latest

from benchmark import counters, settled, simulated
from benchmark.figures import Column, Row, missed, table
from stoker import metrics
from stoker.core.actions import Nothing
from stoker.core.decision import Decision, Reason

ROWS = {"seconds": Row("from start to end, s", 30.0), "events": Row("Events"), "none": Row("not measured", 1.0)}
COLUMNS = [Column("one", {"seconds": 1.25, "events": 3.0}), Column("many", {"seconds": 31.0, "events": 1234.0})]

METRICS = """
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="stoker.dev",resource="virtualmachines",subresource="status",verb="PATCH"} 7
apiserver_request_total{code="409",group="stoker.dev",resource="virtualmachines",subresource="status",verb="PATCH"} 1
apiserver_request_total{code="201",group="stoker.dev",resource="virtualmachines",subresource="",verb="POST"} 5
apiserver_request_total{code="200",group="stoker.dev",resource="tenants",subresource="status",verb="PATCH"} 2
apiserver_request_total{code="200",group="stoker.dev",resource="virtualmachines",subresource="",verb="LIST"} 99
apiserver_request_total{code="201",group="",resource="events",subresource="",verb="POST"} 4
apiserver_request_total{code="201",group="",resource="pods",subresource="",verb="POST"} 8
"""

CALLS = {
    "a token": ("POST", "/identity/v3/auth/tokens", "token"),
    "a project's listing": ("GET", "/heat/v1/p/stacks?tags=stoker,stoker-cluster=c&limit=500", "project"),
    "a further page of it": ("GET", "/heat/v1/p/stacks?tags=stoker&limit=500&marker=s", "page"),
    "a listing of servers": ("GET", "/compute/v2.1/servers/detail?limit=1000", "project"),
    "a look by name": ("GET", "/heat/v1/p/stacks?limit=500&name=vm-1", "vm"),
    "a create": ("POST", "/heat/v1/p/stacks", "vm"),
    "outputs": ("GET", "/heat/v1/p/stacks/vm-1/s", "vm"),
    "a look at a server": ("GET", "/compute/v2.1/servers/s", "vm"),
}


def test_a_table_has_a_column_for_each_run_and_marks_what_misses_its_bound() -> None:
    lines = [line.split("  ") for line in table(ROWS, COLUMNS).splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["one", "many", "at most"],
        ["from start to end, s", "1.25", "!31.00", "30"],
        ["Events", "3.00", "1234"],
    ]


def test_what_misses_its_bound_is_said_as_a_sentence() -> None:
    assert missed(ROWS, COLUMNS) == ["many: from start to end, s: 31 instead of at most 30"]


def test_writes_are_counted_whatever_their_answer_and_the_user_s_own_and_events_left_out() -> None:
    spent = counters.writes(METRICS)
    assert spent == Counter(
        {
            "PATCH virtualmachines/status": 8,
            "POST virtualmachines": 5,
            "PATCH tenants/status": 2,
            "POST events": 4,
        }
    )
    assert (counters.ours(spent), counters.of_vms(spent)) == (10, 8)


@pytest.mark.parametrize(("method", "path", "kind"), CALLS.values(), ids=CALLS)
def test_a_call_is_for_a_vm_or_for_its_project(method: str, path: str, kind: str) -> None:
    assert counters.kind(method, path) == kind


def test_calls_are_shown_without_ids_and_values() -> None:
    stack = "0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f"
    calls = [("GET", f"/heat/v1/{'a' * 32}/stacks/vm-{stack}/{stack}?resolve_outputs=false")]
    assert counters.shapes(calls) == {"GET /heat/v1/ID/stacks/ID/ID?resolve_outputs": 1}


def test_the_metrics_that_the_benchmark_waits_for_are_the_operator_s() -> None:
    waited = (simulated.LISTED, settled.PASSES, settled.ACTIVE)
    before = [counters.total(generate_latest(metrics.REGISTRY).decode(), *one) for one in waited]
    metrics.observe_call("list", "ok", 0.1)
    metrics.PASSES.observe(0.1)
    metrics.observe_decision(Decision(Nothing(), Reason.ACTIVE, "as asked"))
    text = generate_latest(metrics.REGISTRY).decode()
    assert [counters.total(text, *one) for one in waited] == [number + 1 for number in before]
