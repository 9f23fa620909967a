"""The dashboard shows only what there is. Its queries are answered by a real Prometheus in `make dashboard`."""

from __future__ import annotations

import re

import pytest
import write_dashboard
from write_dashboard import PANELS, Panel

from stoker.metrics.describe import described

KNOWN = {metric.name: metric for metric in described()}
SUFFIX = re.compile(r"_(bucket|count|sum)$")


def test_the_file_is_current() -> None:
    assert write_dashboard.text() == write_dashboard.FILE.read_text(), "run `make generate`"


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_asks_only_for_metrics_and_labels_that_there_are(panel: Panel) -> None:
    used = {word if word in KNOWN else SUFFIX.sub("", word) for word in re.findall(r"\bstoker_[a-z_]+", panel.query)}
    assert used
    assert used <= set(KNOWN)
    labels = {label for name in used for label in KNOWN[name].labels} | {"le", "__name__"}
    grouped = [word.strip() for group in re.findall(r"by \(([^)]*)\)", panel.query) for word in group.split(",")]
    matched = re.findall(r"[{,]\s*(\w+)\s*(?:=|!)", panel.query)
    assert {*grouped, *matched} <= labels
    assert set(re.findall(r"{{(\w+)}}", panel.legend)) <= set(grouped)
