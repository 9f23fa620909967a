"""Templates: enough of HOT to check what a client sends, and to know a stack's resources and outputs.

Conditions, parameters with types and ranges, and the functions of `FUNCTIONS`; anything else in braces is a plain map.
A value that a condition leaves out is `ABSENT`, and so is its key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from simulator.errors import RefusedError, invalid

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # both are safe; that in C is ten times as fast
SECTIONS = {
    "parameter_groups",
    "parameters",
    "conditions",
    "resources",
    "outputs",
    "description",
    "parameter_merge_strategies",
}
VERSIONS = ("2013-05-23", "2014-10-16", "2015-04-30", "2015-10-15", "2016-04-08", "2016-10-14", "2017-02-24",
            "2017-09-01", "2018-03-02", "2018-08-31", "2021-04-16", "newton", "ocata", "pike", "queens", "rocky",
            "wallaby")  # fmt: skip
LARGEST_TEMPLATE = 512 * 1024
PSEUDO = ("OS::stack_id", "OS::stack_name", "OS::project_id")

ABSENT: Any = object()
"""What an `if` without an else gives."""


@dataclass(frozen=True)
class Template:
    """A parsed template; shared by all stacks that were given the same text, hence never changed."""

    description: str = "No description"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


def parse(given: Any) -> Template:
    """Return the template of a text or a map. Raises RefusedError as Heat words it."""
    if isinstance(given, dict):
        return _parsed(json.dumps(given))
    if not isinstance(given, str):
        raise invalid("No template specified", "HTTPBadRequest")
    if len(given.encode()) > LARGEST_TEMPLATE:
        message = f"Request limit exceeded: Template size ({len(given)} bytes) exceeds maximum allowed size ({LARGEST_TEMPLATE} bytes)."
        raise invalid(message, "RequestLimitExceeded")
    return _parsed(given)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Template:
    try:
        found = yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise invalid(
            f"Template not in valid format: Error parsing template [root stack] {error}", "HTTPBadRequest"
        ) from None
    if not isinstance(found, dict):
        message = "Template not in valid format: The template is not a JSON object or YAML mapping."
        raise invalid(message, "HTTPBadRequest")
    version = str(found.pop("heat_template_version", None) or "")
    if not version:
        raise invalid("Template not in valid format: Template format version not found.", "HTTPBadRequest")
    if version not in VERSIONS:
        wanted = f'"heat_template_version: {version}". "heat_template_version" should be one of: {", ".join(VERSIONS)}'
        raise invalid(f"The template version is invalid: {wanted}", "InvalidTemplateVersion")
    for section in found.keys() - SECTIONS:
        raise invalid(f"The template section is invalid: {section}")
    parts = {key: found.get(key) or {} for key in ("parameters", "conditions", "resources", "outputs")}
    return Template(description=str(found.get("description") or "No description"), **parts)


def parameters_of(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the typed value of every parameter, defaults included. Raises RefusedError."""
    for name in given:
        if name not in template.parameters:
            message = f"The Parameter ({name}) was not defined in template."
            raise invalid(message, "UnknownUserParameter")
    values = {}
    for name, schema in template.parameters.items():
        if given.get(name) is None and "default" not in schema:
            raise invalid(f"The Parameter ({name}) was not provided.", "UserParameterMissing")
        value = given[name] if given.get(name) is not None else schema["default"]
        try:
            values[name] = _typed(schema.get("type", "string"), value)
            for constraint in schema.get("constraints") or ():
                _check(constraint, values[name])
        except ValueError as error:
            raise invalid(f"Parameter '{name}' is invalid: {error}") from None
    if twice := template.parameters.keys() & template.resources.keys():
        raise invalid(f"Duplicate names {set(twice)}")
    return values


def _typed(kind: str, value: Any) -> Any:
    if kind == "number" and not isinstance(value, (int, float)):
        found = float(value)
        return int(found) if found.is_integer() and "." not in str(value) else found
    if kind == "boolean":
        word = str(value).lower()
        if word not in ("t", "true", "on", "y", "yes", "1", "f", "false", "off", "n", "no", "0"):
            raise ValueError(f"Unrecognized value '{value}', acceptable values are: 'true', 'false'")
        return word in ("t", "true", "on", "y", "yes", "1")
    if kind == "json" and isinstance(value, str):
        return json.loads(value) if value else {}
    if kind == "comma_delimited_list" and isinstance(value, str):
        return value.split(",") if value else []
    return (json.dumps(value) if isinstance(value, (dict, list)) else str(value)) if kind == "string" else value


def _check(constraint: Mapping[str, Any], value: Any) -> None:
    """Check a range or a choice; what a custom constraint names is checked where it is used, as a property."""
    limits = constraint.get("range") or {}
    low, high = limits.get("min"), limits.get("max")
    if (low is not None and value < low) or (high is not None and value > high):
        text = f"{value} is out of range (min: {low}, max: {high})"
        raise ValueError(constraint.get("description") or text)
    allowed = constraint.get("allowed_values")
    if allowed is not None and value not in allowed:
        raise ValueError(constraint.get("description") or f"{value} is not an allowed value {allowed}")


def shown(value: Any) -> str:
    """Return a parameter's value as Heat shows it: a text, whatever its type."""
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, (dict, list)) else str(value)


@dataclass
class Evaluation:
    """The values of one stack's template."""

    template: Template
    parameters: Mapping[str, Any]
    reference: Callable[[str], Any] = lambda name: name
    """Resource → what get_resource gives."""

    attribute: Callable[[str, list[Any]], Any] = lambda _name, _path: None

    def resources(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the resources whose condition holds, as they are written."""
        for name, entry in self.template.resources.items():
            if self.holds(entry.get("condition", True)):
                yield name, entry

    def properties(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a resource's properties."""
        found: dict[str, Any] = self.value(entry.get("properties") or {})
        return found

    def value(self, node: Any) -> Any:
        """Return what the node stands for."""
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((key, argument),) = node.items()
            if key in FUNCTIONS:
                return FUNCTIONS[key](self, argument)
        values = {key: self.value(item) for key, item in node.items()}
        return {key: value for key, value in values.items() if value is not ABSENT}

    def holds(self, condition: Any) -> bool:
        """Tell whether a condition, or the condition of that name, is true."""
        if isinstance(condition, str) and condition in self.template.conditions:
            return self.holds(self.template.conditions[condition])
        return bool(self.value(condition))


def _get_param(this: Evaluation, argument: Any) -> Any:
    """A path that leads nowhere is an empty text."""
    name, *path = argument if isinstance(argument, list) else [argument]
    if name not in this.parameters:
        raise invalid(f"The Parameter ({name}) was not provided.", "UserParameterMissing")
    found = this.parameters[name]
    for step in this.value(path):
        try:
            found = found[int(step)] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return ""
    return found


def _get_resource(this: Evaluation, name: Any) -> Any:
    return this.reference(name)


def _get_attr(this: Evaluation, argument: Any) -> Any:
    name, *path = argument
    return this.attribute(name, this.value(path))


def _if(this: Evaluation, argument: Any) -> Any:
    condition, then, *otherwise = argument
    if this.holds(condition):
        return this.value(then)
    return this.value(otherwise[0]) if otherwise else ABSENT


def _list_join(this: Evaluation, argument: Any) -> str:
    separator, *lists = this.value(argument)
    return str(separator).join(shown(item) for items in lists for item in items or ())


def _str_replace(this: Evaluation, argument: Any) -> str:
    given = this.value(argument)
    text = str(given["template"])
    for key, value in given["params"].items():
        text = text.replace(key, shown(value))
    return text


FUNCTIONS: dict[str, Callable[[Evaluation, Any], Any]] = {
    "get_param": _get_param,
    "get_resource": _get_resource,
    "get_attr": _get_attr,
    "if": _if,
    "list_join": _list_join,
    "str_replace": _str_replace,
    "equals": lambda this, pair: this.value(pair[0]) == this.value(pair[1]),
    "not": lambda this, condition: not this.holds(condition),
    "and": lambda this, conditions: all(this.holds(condition) for condition in conditions),
    "or": lambda this, conditions: any(this.holds(condition) for condition in conditions),
}


def references(node: Any) -> set[str]:
    """Return the resources that get_resource and get_attr name anywhere in it."""
    if isinstance(node, list):
        return set().union(*map(references, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    found: set[str] = set()
    for key, argument in node.items():
        if key == "get_resource" and isinstance(argument, str):
            found.add(argument)
        elif key == "get_attr" and isinstance(argument, list) and argument:
            found |= {str(argument[0])} | references(argument[1:])
        else:
            found |= references(argument)
    return found


def in_order(template: Template) -> list[str]:
    """Return the resources, each after those it needs. Raises RefusedError for a reference to nothing or a circle."""
    needs = {}
    for name, entry in template.resources.items():
        depends = entry.get("depends_on") or []
        needs[name] = references(entry.get("properties")) | set([depends] if isinstance(depends, str) else depends)
        for key, value in (entry.get("properties") or {}).items():
            for other in sorted(references(value) - template.resources.keys()):
                raise _no_reference(other, f"{name}.Properties.{key}")
        for other in sorted(needs[name] - template.resources.keys()):
            raise _no_reference(other, name)
    for other in sorted(references(list(template.outputs.values())) - template.resources.keys()):
        raise _no_reference(other, "outputs")
    done: list[str] = []
    while len(done) < len(needs):
        ready = [name for name in needs if name not in done and needs[name] <= set(done)]
        if not ready:
            circle = ", ".join(sorted(needs.keys() - set(done)))
            raise invalid(f"Circular Dependency Found: {circle}", "CircularDependencyException")
        done += ready
    return done


def _no_reference(name: str, where: str) -> RefusedError:
    return invalid(f'The specified reference "{name}" (in {where}) is incorrect.', "InvalidTemplateReference")
