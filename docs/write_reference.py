#!/usr/bin/env python3
"""Write docs/reference.md: every field of every kind, and every setting, from the models.

The fields are those of the CustomResourceDefinitions, which is what the API server holds users to.
`make generate` runs it, and `make verify` fails when the page is not current.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from stoker.api.crd import definition
from stoker.api.kinds import KINDS, Kind
from stoker.settings import Settings

PAGE = Path(__file__).with_name("reference.md")

HEAD = """# Reference

Generated from the code by `make generate`; do not edit.
The words of conditions, reasons and error codes are in [conditions.md](conditions.md).
`kubectl explain osvm.spec` shows the same fields.

An unknown field of a spec is refused by the API server (`kubectl` validates by default), never ignored.
`[]` stands for each item of a list. A field in **bold** must be given, where what it belongs to is given.
"""

_RANGES = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
)
"""Keywords of the schema for the least and the most, and of what."""


def document() -> str:
    """Return the page, as Markdown."""
    return "\n".join([HEAD, *(_kind(kind) for kind in KINDS), _settings()])


def _kind(kind: Kind) -> str:
    properties = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    scope = "Namespaced" if kind.namespaced else "Cluster-scoped"
    names = f"short name `{kind.short}`, plural `{kind.plural}`; its name has at most {kind.name_length} characters"
    lines = [f"## {kind.kind}\n", kind.description, f"{scope}; {names}.\n"]
    for part in ("spec", "status"):
        if part in properties:
            rows = [_row(*found) for found in walk(properties[part], f"{part}.")]
            lines += [f"### {part} of {kind.kind}\n", _table(["Field", "Type", "Default", "Bounds", "Meaning"], rows)]
    if kind.rules:
        rows = [[f"`{rule.where or 'the object'}{rule.field}`", rule.message] for rule in kind.rules]
        lines += [f"### rules of {kind.kind}\n", "What is refused beyond the bounds of single fields:\n"]
        lines += [_table(["At", "Because"], rows)]
    return "\n".join(lines)


def walk(schema: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Return path, schema and necessity of each field below an object's schema, in its order."""
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, field, name in schema.get("required", ())
        inner, mark = (field["items"], "[]") if field["type"] == "array" else (field, "")
        yield from walk(inner, f"{path}{mark}.")


def _row(path: str, field: dict[str, Any], required: bool) -> list[str]:  # noqa: FBT001 -- as `walk` has it
    item = field.get("items", {})
    kind = f"list of {item['type']}" if item else field["type"]
    default = json.dumps(field.get("default", "")).strip('"')
    said = _bounds(field)
    if each := _bounds(item):
        said += [f"each {', '.join(each)}"]
    return [
        f"**`{path}`**" if required else f"`{path}`",
        kind,
        default and f"`{default}`",
        "; ".join(said),
        field.get("description", ""),
    ]


def _bounds(schema: dict[str, Any]) -> list[str]:
    if "enum" in schema:
        return [", ".join(f"`{value}`" for value in schema["enum"])]
    said = [_range(schema.get(least), schema.get(most), what) for least, most, what in _RANGES]
    return [text for text in [*said, f"`{schema['pattern']}`" if "pattern" in schema else ""] if text]


def _range(least: int | None, most: int | None, what: str) -> str:
    if most is None:
        return "" if least is None else f"at least {least}{what}"
    return f"at most {most}{what}" if least is None else f"{least} to {most}{what}"


def _settings() -> str:
    rows = [
        [f"`STOKER_{field.name.upper()}`", f"`{field.default}`" if field.default != "" else "", field.metadata["help"]]
        for field in fields(Settings)
    ]
    return "## Settings\n\nEnvironment variables of the operator.\n\n" + _table(
        ["Variable", "Default", "Meaning"], rows
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(document())
