"""Kubernetes Events of a VM, as values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from stoker.api.base import StatusModel, Time


class Event(StatusModel):
    """Something that happened to a VM, once or more often."""

    time: Time | None = None
    """When it last happened."""

    type: str = "Normal"
    """Normal or Warning."""

    reason: str = ""
    message: str = ""
    count: int = 1


def event(found: dict[str, Any]) -> Event:
    """Return an Event of the API `v1`; a time stands in any of three fields, by who posted it."""
    series = found.get("series") or {}
    time = series.get("lastObservedTime") or found.get("lastTimestamp") or found.get("eventTime")
    return Event.model_validate({**found, "time": time or found["metadata"].get("creationTimestamp")})


def in_order(events: list[Event]) -> list[Event]:
    """Return events with the newest last."""
    return sorted(events, key=lambda one: (one.time.timestamp() if isinstance(one.time, datetime) else 0.0, one.reason))
