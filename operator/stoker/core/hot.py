"""HOT: which resources a template has for some parameters, and with which properties.

Enough of it to compare two sets of parameters without Heat. What only a running stack has (`get_resource`, `get_attr`)
and functions that are not named here stay as they are written, with the parameters put in: equal text, equal value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_ABSENT: Any = object()
"""What an `if` without an else gives: its key is left out."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A resource that a template asks for."""

    type: str
    properties: Mapping[str, Any]


def planned(template: str, parameters: Mapping[str, Any]) -> dict[str, Planned]:
    """Return the resources whose conditions hold, by name.

    The template has passed `templates.check_template`. Raises ValueError naming a condition that only Heat can decide.
    """
    document = yaml.safe_load(template)
    defaults = {name: schema.get("default") for name, schema in (document.get("parameters") or {}).items()}
    values = _Values(document.get("conditions") or {}, {**defaults, **parameters})
    return {
        name: Planned(str(entry.get("type")), values.of(entry.get("properties") or {}))
        for name, entry in document["resources"].items()
        if values.holds(entry.get("condition", True))
    }


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of a template's parts."""

    conditions: Mapping[str, Any]
    parameters: Mapping[str, Any]

    def of(self, node: Any) -> Any:
        """Return what a node stands for."""
        if isinstance(node, list):
            return [value for value in map(self.of, node) if value is not _ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((key, argument),) = node.items()
            if key in _FUNCTIONS:
                return _FUNCTIONS[key](self, argument)
        values = {key: self.of(part) for key, part in node.items()}
        return {key: value for key, value in values.items() if value is not _ABSENT}

    def holds(self, condition: Any) -> bool:
        """Tell whether a condition, or the one of that name, is true. Raises ValueError when only Heat can tell."""
        if isinstance(condition, str) and condition in self.conditions:
            return self.holds(self.conditions[condition])
        value = self.of(condition)
        if not isinstance(value, bool):
            raise ValueError(f"Only Heat can decide the condition {condition}")
        return value


def _get_param(values: _Values, argument: Any) -> Any:
    """A path that leads nowhere is an empty text, as in Heat."""
    name, *path = argument if isinstance(argument, list) else [argument]
    found = values.parameters.get(name, "")
    for step in path:
        try:
            found = found[int(step)] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return ""
    return found


def _if(values: _Values, argument: Any) -> Any:
    condition, then, *otherwise = argument
    if values.holds(condition):
        return values.of(then)
    return values.of(otherwise[0]) if otherwise else _ABSENT


def _list_join(values: _Values, argument: Any) -> Any:
    """Join texts; lists of what only Heat knows stay lists."""
    separator, *lists = values.of(argument)
    items = [item for part in lists for item in (part if isinstance(part, list) else [part])]
    if any(isinstance(item, dict) for item in items):
        return {"list_join": [separator, items]}
    return str(separator).join(map(str, items))


_FUNCTIONS: dict[str, Callable[[_Values, Any], Any]] = {
    "get_param": _get_param,
    "if": _if,
    "list_join": _list_join,
    "equals": lambda values, pair: values.of(pair[0]) == values.of(pair[1]),
    "not": lambda values, condition: not values.holds(condition),
    "and": lambda values, conditions: all(values.holds(condition) for condition in conditions),
    "or": lambda values, conditions: any(values.holds(condition) for condition in conditions),
}
