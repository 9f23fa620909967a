"""A real scrape of the operator after one life with a failure, an update and a delete: what docs/metrics.md has, and nothing secret."""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from localenv.settings import LocalSettings
from stoker.metrics.describe import LABELS, described, document
from support.cluster import wait_until
from support.operator import OperatorProcess
from support.simulated_cluster import SimulatedCluster

PAGE = (Path(__file__).resolve().parents[2] / "docs/metrics.md").read_text()

OF_A_LIFE = {
    "stoker_time_to_active_seconds_count": {"template": "ubuntu-basic@v1"},
    "stoker_decisions_total": {"action": "CreateStack", "reason": "Creating"},
    "stoker_kubernetes_writes_total": {"what": "status"},
    "stoker_audit_records_total": {"kind": "Intent"},
    "stoker_usage_vm_seconds_total": {"plan": "gold", "flavor": "m1.small"},
    "stoker_leader": {},
    "stoker_backlog": {},
    "stoker_reconcile_seconds_count": {},
    "stoker_tenant_connected": {},
    "stoker_cloud_breaker_open": {},
    "stoker_quota_used": {"resource": "vms"},
    "stoker_quota_limit": {"resource": "vms"},
    "stoker_vms": {"phase": "Active"},
}
"""Samples that such a life leaves, with some of their labels."""

ENDED = [
    {"type": "Create", "result": "Retried", "code": "NoValidHost"},
    {"type": "Create", "result": "Succeeded", "code": ""},
    {"type": "Update", "result": "Succeeded", "code": ""},
    {"type": "Delete", "result": "Succeeded", "code": ""},
]


def test_the_page_is_current() -> None:
    assert document() == PAGE, "run `make generate`"


def test_every_label_is_explained_and_none_that_no_metric_has() -> None:
    assert {label for metric in described() for label in metric.labels} == set(LABELS)


def test_names_keep_the_conventions_of_prometheus() -> None:
    for metric in described():
        assert re.fullmatch(r"stoker(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        assert metric.type != "histogram" or metric.name.endswith("_seconds"), metric.name
        assert metric.meaning.endswith((".", ")")), metric.name


class Scraped:
    """The operator's metrics, over HTTP."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/metrics"

    def text(self) -> str:
        answer = requests.get(self._url, timeout=10)
        answer.raise_for_status()
        return answer.text

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of that name that have those labels."""
        samples = (s for family in text_string_to_metric_families(self.text()) for s in family.samples)
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


@pytest.fixture
def scraped(onboarded: LocalSettings, tmp_path: Path) -> Iterator[Scraped]:
    """The operator as a process of its own, with an audit."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"STOKER_METRICS_PORT": str(port), "STOKER_BIND_ADDRESS": "127.0.0.1"}
    # An identity of its own: its audit goes with the test, and the anchor of any other must not ask for it.
    settings |= {"STOKER_AUDIT_DIR": str(tmp_path), "STOKER_IDENTITY": f"scrape-{uuid.uuid4().hex[:8]}"}
    with OperatorProcess(onboarded, str(tmp_path / "operator.log"), **settings) as operator:
        yield Scraped(port)
        assert operator.stop() == 0


def _live(simulated: SimulatedCluster, scraped: Scraped) -> None:
    """Two VMs: one fails at first, is made, edited and deleted; the other stays."""
    simulated.patch_tenant({"spec": {"quota": {"vms": 5}}})
    simulated.project.simulator.fail("fails", "POST", "/stacks$", reason="no-valid-host")
    simulated.create(plan="gold")
    simulated.wait_reason("NoValidHost")
    simulated.patch("web-1", {"metadata": {"annotations": {"stoker.dev/retry": "1"}}})
    simulated.create("web-2", plan="gold", flavor="m1.small")
    simulated.wait_active("web-1", "web-2")
    simulated.patch("web-1", {"spec": {"flavor": "m1.small"}})
    wait_until("the update", lambda: scraped.value("stoker_operations_total", **ENDED[2]))
    simulated.wait_active("web-1")
    simulated.delete("web-1")
    wait_until("its end", lambda: simulated.vm("web-1") is None)


@pytest.mark.kubernetes
def test_one_life_shows_in_a_real_scrape_and_the_page_has_every_metric_of_it(
    simulated: SimulatedCluster, scraped: Scraped
) -> None:
    _live(simulated, scraped)
    for name, labels in OF_A_LIFE.items():
        wait_until(f"{name}{labels}", lambda: _has(scraped, name, labels))  # noqa: B023 -- waited for at once
    for labels in ENDED:
        assert scraped.value("stoker_operations_total", template="ubuntu-basic@v1", **labels) == 1 + (
            labels == ENDED[1]
        ), labels
    for operation in ("create", "preview", "update", "delete", "list"):
        found = {"service": "orchestration", "operation": operation, "code": "ok"}
        assert scraped.value("stoker_openstack_request_seconds_count", **found)

    text = scraped.text()
    families = {(f"{f.name}_total" if f.type == "counter" else f.name): f for f in text_string_to_metric_families(text)}
    shown = {name: (family.type, family.documentation) for name, family in families.items()}
    assert shown == {metric.name: (metric.type, metric.meaning) for metric in described()}
    secrets = simulated.project.application_credential_secret, simulated.project.application_credential_id
    ids = [stack.id for stack in simulated.stacks()] + [str((simulated.vm("web-2") or {})["metadata"]["uid"])]
    assert [word for word in (*secrets, *ids, "web-1", "web-2") if word in text] == []


def _has(scraped: Scraped, name: str, labels: dict[str, str]) -> bool:
    samples = (s for family in text_string_to_metric_families(scraped.text()) for s in family.samples)
    return any(s.name == name and labels.items() <= s.labels.items() for s in samples)
