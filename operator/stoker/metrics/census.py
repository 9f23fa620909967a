"""Metrics that are counted from the objects: taken together now and then, shown until the next time.

A scrape shows the newest census and reads nothing, so it costs neither a request nor a walk over the VMs. What is gone,
a tenant or a phase without VMs, is gone with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

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


@dataclass(frozen=True)
class Census:
    """What there is at one moment; each field is one metric, its metadata the name, meaning and labels."""

    vms: Counts = field(
        default_factory=dict,
        metadata={"name": "stoker_vms", "help": "VMs by phase.", "labels": ("tenant", "phase")},
    )
    not_ready: Counts = field(
        default_factory=dict,
        metadata={
            "name": "stoker_vms_not_ready",
            "help": "VMs that are not Ready, by the condition's reason.",
            "labels": ("tenant", "reason"),
        },
    )
    stuck: Counts = field(
        default_factory=dict,
        metadata={
            "name": "stoker_stuck_vms",
            "help": "VMs whose stack makes no progress (Stuck).",
            "labels": ("tenant",),
        },
    )
    drifted: Counts = field(
        default_factory=dict,
        metadata={
            "name": "stoker_drifted_vms",
            "help": "VMs that were changed behind Stoker's back (Drifted).",
            "labels": ("tenant",),
        },
    )
    duplicates: Counts = field(
        default_factory=dict,
        metadata={
            "name": "stoker_duplicate_vms",
            "help": "VMs with more than one stack, or with the id of another VM.",
            "labels": ("tenant",),
        },
    )
    orphans: Counts = field(
        default_factory=dict,
        metadata={"name": "stoker_orphans", "help": "Stacks of ours without an object.", "labels": ("tenant",)},
    )
    brakes: Counts = field(
        default_factory=dict,
        metadata={
            "name": "stoker_orphan_brake",
            "help": "1 while orphans are held because they are too many.",
            "labels": ("tenant",),
        },
    )
    connected: Counts = field(
        default_factory=dict,
        metadata={
            "name": "stoker_tenant_connected",
            "help": "1 while the tenant's credentials are accepted.",
            "labels": ("tenant",),
        },
    )
    expiries: Counts = field(
        default_factory=dict,
        metadata={
            "name": "stoker_tenant_credentials_expire_timestamp_seconds",
            "help": "When a tenant's credentials end; absent when they do not, or nobody says so.",
            "labels": ("tenant",),
        },
    )
    breakers: Counts = field(
        default_factory=dict,
        metadata={
            "name": "stoker_cloud_breaker_open",
            "help": "1 while a cloud is not called.",
            "labels": ("cloud",),
        },
    )


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
