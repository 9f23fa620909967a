"""Each alert says how bad it is and what to do, and watches only what there is; promtool itself is `make alerts`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from stoker.metrics.describe import described

ROOT = Path(__file__).resolve().parents[2]
(GROUP,) = yaml.safe_load((ROOT / "deploy/monitoring/alerts.yaml").read_text())["groups"]
ALERTS = {rule["alert"]: rule for rule in GROUP["rules"]}
TESTS = (ROOT / "deploy/monitoring/alerts_test.yaml").read_text()
KNOWN = {metric.name: metric for metric in described()}
GIVEN = {"alertname", "pod", "instance", "job"}
"""Labels that Prometheus adds."""


@pytest.mark.parametrize("rule", ALERTS.values(), ids=lambda rule: rule["alert"])
def test_an_alert_has_a_severity_a_summary_and_its_page(rule: dict) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook"] == f"docs/runbooks/{rule['alert']}.md"
    page = (ROOT / rule["annotations"]["runbook"]).read_text()
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["Meaning", "Impact", "Diagnosis", "What to do"]
    assert f"Severity: {rule['labels']['severity']}." in page
    assert rule["expr"] in page


@pytest.mark.parametrize("rule", ALERTS.values(), ids=lambda rule: rule["alert"])
def test_an_alert_uses_only_metrics_and_labels_that_there_are(rule: dict) -> None:
    used = re.findall(r"\bstoker_[a-z_]+", rule["expr"])
    assert used, "it watches nothing"
    assert set(used) <= set(KNOWN)
    labels = {label for name in used for label in KNOWN[name].labels} | GIVEN
    shown = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
    grouped = [word.strip() for group in re.findall(r"by \(([^)]*)\)", rule["expr"]) for word in group.split(",")]
    matched = re.findall(r"[{,]\s*(\w+)\s*(?:=|!)", rule["expr"])
    assert {*shown, *grouped, *matched} <= labels


def test_no_page_is_without_its_alert_and_the_index_has_them_all() -> None:
    pages = {page.stem for page in (ROOT / "docs/runbooks").glob("Stoker*.md")}
    assert pages == set(ALERTS)
    index = (ROOT / "docs/runbooks/README.md").read_text()
    assert re.findall(r"^\| \[(\w+)\]\(\w+\.md\) \| (\w+) \|", index, re.MULTILINE) == [
        (name, rule["labels"]["severity"]) for name, rule in ALERTS.items()
    ]


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_its_case_for_promtool(name: str) -> None:
    assert f'alertname="{name}"' in TESTS
