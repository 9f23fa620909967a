"""CustomResourceDefinitions from the models: pydantic's JSON schema made structural, and what a schema cannot say.

A structural schema has no `$ref`, no `anyOf` with null and no title (API server: "must be empty to be structural").
CEL rules repeat the models' validators; a property test holds the two against each other on a real API server.
"""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import BaseModel

from stoker.api.base import GROUP, VERSION
from stoker.api.kinds import KINDS, Kind, Rule

Schema = dict[str, Any]

_DROPPED = {"title", "$defs", "additionalProperties", "uniqueItems"}


def crds() -> dict[str, str]:
    """Return file name → YAML text for every kind."""
    return {
        f"{GROUP}_{kind.plural}.yaml": yaml.safe_dump(definition(kind), sort_keys=False, width=110) for kind in KINDS
    }


def definition(kind: Kind) -> Schema:
    """Return a kind's CustomResourceDefinition."""
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object_schema(kind)},
        "additionalPrinterColumns": [_column(*column) for column in kind.columns],
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    if kind.subresource:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short],
                "categories": ["openstack", "stoker"],
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }


def _object_schema(kind: Kind) -> Schema:
    schema: Schema = {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of the schema."},
            "kind": {"type": "string", "description": "Kind of the object."},
            # Of metadata the API server lets a definition say only this; it brings the descriptions itself.
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": kind.name_length}}},
            "spec": structural(kind.spec),
        },
    }
    if kind.status:
        status = structural(kind.status)
        if kind.subresource:
            # Without it kstatus, and so Flux and Helm, call an object ready that nobody has looked at yet.
            status["default"] = {"observedGeneration": -1}
            status["properties"]["observedGeneration"].pop("default", None)
        schema["properties"]["status"] = status
    for rule in kind.rules:
        _place(schema, rule.where).setdefault("x-kubernetes-validations", []).append(_validation(rule))
    return schema


def _validation(rule: Rule) -> Schema:
    validation = {"rule": rule.rule, "message": rule.message}
    if rule.field:
        validation["fieldPath"] = rule.field
    if rule.forbidden:
        validation["reason"] = "FieldValueForbidden"
    return validation


def _place(schema: Schema, where: str) -> Schema:
    """Return the part of the schema at a path such as `spec.ingress[]`."""
    for part in where.split(".") if where else ():
        schema = schema["properties"][part.removesuffix("[]")]
        if part.endswith("[]"):
            schema = schema["items"]
    return schema


def _column(name: str, kind: str, path: str) -> Schema:
    column: Schema = {"name": name.removeprefix("+"), "type": kind, "jsonPath": path}
    return {**column, "priority": 1} if name.startswith("+") else column


def structural(model: type[BaseModel]) -> Schema:
    """Return the structural schema of a model, by its names on the wire."""
    raw = model.model_json_schema(by_alias=True, mode="validation")
    return _structure(raw, raw.get("$defs", {}))


def _structure(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    if "$ref" in schema:
        target = definitions[schema["$ref"].rsplit("/", 1)[1]]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    if "anyOf" in schema:
        (only,) = [
            choice for choice in schema["anyOf"] if choice.get("type") != "null"
        ]  # a union would not be structural
        schema = {**_structure(only, definitions), **{key: value for key, value in schema.items() if key != "anyOf"}}
    schema = {key: value for key, value in schema.items() if key not in _DROPPED}
    if schema.get("default", 0) in (None, [], ()):
        del schema["default"]  # absent and empty mean the same; a stored default would show up in every diff
    if schema.get("type") == "integer":
        schema.setdefault("format", "int64")
    if "properties" in schema:
        schema["properties"] = {name: _structure(part, definitions) for name, part in schema["properties"].items()}
    if "items" in schema:
        schema["items"] = _structure(schema["items"], definitions)
    return schema
