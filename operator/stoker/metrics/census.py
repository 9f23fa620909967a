"""Metrics that are counted from the objects: taken together now and then, shown until the next time.

A scrape shows the newest census and reads nothing, so it costs neither a request nor a walk over the VMs. What is gone,
a tenant or a phase without VMs, is gone with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Counts = Mapping[tuple[str, ...], float]
"""Values of the labels → how many."""


class Usage(NamedTuple):
    """VMs with a server that are billed alike."""

    tenant: str
    plan: str
    flavor: str
    vms: int


def _metric(name: str, meaning: str, *labels: str) -> Any:
    return field(default_factory=dict, metadata={"name": name, "help": meaning, "labels": labels})


@dataclass(frozen=True)
class Census:
    """What there is at one moment; each field is one metric, with its name, meaning and labels."""

    vms: Counts = _metric("stoker_vms", "VMs by phase.", "tenant", "phase")
    not_ready: Counts = _metric(
        "stoker_vms_not_ready", "VMs that are not Ready, by the condition's reason.", "tenant", "reason"
    )
    stuck: Counts = _metric("stoker_stuck_vms", "VMs whose stack makes no progress (Stuck).", "tenant")
    drifted: Counts = _metric("stoker_drifted_vms", "VMs that were changed behind Stoker's back (Drifted).", "tenant")
    duplicates: Counts = _metric(
        "stoker_duplicate_vms", "VMs with more than one stack, or with the id of another VM.", "tenant"
    )
    orphans: Counts = _metric("stoker_orphans", "Stacks of ours without an object.", "tenant")
    brakes: Counts = _metric("stoker_orphan_brake", "1 while orphans are held because they are too many.", "tenant")
    connected: Counts = _metric("stoker_tenant_connected", "1 while the tenant's credentials are accepted.", "tenant")
    expiries: Counts = _metric(
        "stoker_tenant_credentials_expire_timestamp_seconds",
        "When a tenant's credentials end; absent when they do not, or nobody says so.",
        "tenant",
    )
    breakers: Counts = _metric("stoker_cloud_breaker_open", "1 while a cloud is not called.", "cloud")


class CensusCollector(Collector):
    """Shows the newest census. Prometheus asks from a thread of its own: the census is replaced, never changed."""

    def __init__(self) -> None:
        self.newest = Census()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        newest = self.newest
        for name, about in Census.__dataclass_fields__.items():
            said = about.metadata
            family = GaugeMetricFamily(said["name"], said["help"], labels=said["labels"])
            for labels, value in getattr(newest, name).items():
                family.add_metric(labels, value)
            yield family


CENSUS = CensusCollector()
