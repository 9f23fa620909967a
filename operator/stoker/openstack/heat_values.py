"""Heat's JSON as values. Whatever lacks what it must have raises KeyError or TypeError, which `HeatClient` translates."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from stoker.core.classify import redacted
from stoker.core.faults import one_line
from stoker.core.slots import VOLUME_SLOTS
from stoker.core.stack import Plan, Resource, Stack, StackEvent


def stack_of(entry: dict[str, Any], project: str) -> Stack:
    """Return an entry of a listing, or a stack shown."""
    tags = entry.get("tags") or []
    return Stack(
        id=_text(entry["id"]),
        name=_text(entry["stack_name"]),
        project=str(entry.get("project") or project),
        status=_text(entry["stack_status"]),
        reason=str(entry.get("stack_status_reason") or ""),
        tags=frozenset(str(tag) for tag in (tags.split(",") if isinstance(tags, str) else tags)),
        created=_time(entry.get("creation_time")),
        updated=_time(entry.get("updated_time")),
    )


def resource_of(entry: dict[str, Any]) -> Resource:
    """Return one resource."""
    return Resource(
        _text(entry["resource_name"]),
        _text(entry["resource_type"]),
        _text(entry["resource_status"]),
        one_line(redacted(str(entry.get("resource_status_reason") or ""))),
        str(entry.get("physical_resource_id") or ""),
    )


def event_of(entry: dict[str, Any]) -> StackEvent:
    """Return one event."""
    return StackEvent(
        _text(entry["id"]),
        _time(entry.get("event_time")),
        str(entry.get("resource_name") or ""),
        _text(entry["resource_status"]),
        one_line(redacted(str(entry.get("resource_status_reason") or ""))),
    )


def plan_of(changes: dict[str, Any]) -> Plan:
    """Return a preview's answer."""

    def names(kind: str) -> tuple[str, ...]:
        return tuple(sorted(_text(entry["resource_name"]) for entry in changes.get(kind) or ()))

    lost = [*(changes.get("replaced") or ()), *(changes.get("deleted") or ())]
    types = {_text(entry["resource_name"]): str(entry.get("resource_type")) for entry in lost}
    return Plan(names("unchanged"), names("updated"), names("replaced"), names("added"), names("deleted"), types)


def slots_of(parameters: dict[str, Any]) -> tuple[str, ...]:
    """Return the volumes' names by slot, from a stack's parameters, where a list is JSON text.

    An adopted stack may have a parameter of that name that means something else: then no slot is known.
    """
    volumes = parameters.get("volumes") or "[]"
    try:
        entries = json.loads(volumes) if isinstance(volumes, str) else volumes
    except ValueError:
        return ()
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return ()
    names = [str(entry.get("name") or "")[:63] for entry in entries[:VOLUME_SLOTS]]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


def _time(text: Any) -> datetime | None:
    """Heat writes UTC, with or without a Z."""
    try:
        return datetime.fromisoformat(str(text).removesuffix("Z")).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None
