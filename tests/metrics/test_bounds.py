"""What users write freely does not become ever more time series."""

from __future__ import annotations

from stoker import metrics
from stoker.metrics.bounds import LONGEST, OTHER, Bounded
from stoker.metrics.census import Usage


def test_after_so_many_values_all_further_ones_are_other_and_the_known_stay() -> None:
    plans = Bounded(2)
    assert [plans.name(value) for value in ("a", "b", "c", "a", "d")] == ["a", "b", OTHER, "a", OTHER]


def test_a_value_is_cut() -> None:
    assert Bounded(1).name("x" * 1000) == "x" * LONGEST


def test_a_thousand_plans_are_as_many_series_as_the_bound_and_one() -> None:
    metrics.observe_usage([Usage("bounds", f"plan-{n}", "f", 1) for n in range(1000)], 1.0)
    try:
        samples = [sample for metric in metrics.USAGE.collect() for sample in metric.samples]
        mine = [sample for sample in samples if sample.labels["tenant"] == "bounds"]
        assert len(mine) <= metrics.PLANS.most + 1
        assert sum(sample.value for sample in mine) == 1000  # nothing is lost by it
    finally:
        metrics.forget_tenant("bounds")


def test_what_is_shown_of_a_tenant_goes_with_it() -> None:
    metrics.SWEEPS.labels("gone", "done").inc()
    metrics.observe_usage([Usage("gone", "standard", "f", 1)], 1.0)
    metrics.forget_tenant("gone")
    shown = [sample for family in metrics.REGISTRY.collect() for sample in family.samples]
    assert [sample for sample in shown if sample.labels.get("tenant") == "gone"] == []
