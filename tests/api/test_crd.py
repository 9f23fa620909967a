"""The definitions: as committed, structural, described and bounded everywhere, and no default that GitOps trips over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from localenv.settings import REPOSITORY
from stoker.api.crd import crds, definition, structural
from stoker.api.kinds import KINDS, Kind

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
STANDARD = {"apiVersion", "kind", "metadata"}
"""Fields whose descriptions and bounds are the API server's own."""


def schema(kind: Kind) -> dict[str, Any]:
    """Return a kind's schema without the standard fields."""
    whole = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return {**whole, "properties": {name: part for name, part in whole["properties"].items() if name not in STANDARD}}


def parts(part: dict[str, Any], path: str = "", listed: str = "") -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield path, schema, and the type of the innermost list around it (empty outside lists) of every part."""
    yield path, part, listed
    for name, below in part.get("properties", {}).items():
        yield from parts(below, f"{path}.{name}", listed)
    if "items" in part:
        yield from parts(part["items"], f"{path}[]", part.get("x-kubernetes-list-type", "atomic"))


def test_the_committed_files_are_what_the_models_give() -> None:
    """When this fails: make generate."""
    assert {file.name: file.read_text() for file in (REPOSITORY / "crds").iterdir()} == crds()


@kinds
def test_every_part_is_structural(kind: Kind) -> None:
    unwanted = {"anyOf", "oneOf", "allOf", "$ref", "title", "additionalProperties", "nullable", "const", "uniqueItems"}
    known = {
        *("type", "format", "description", "default", "enum", "properties", "required", "items", "pattern"),
        *("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"),
        *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"),
    }
    for path, part, _ in parts(schema(kind)):
        assert "type" in part, path
        assert not unwanted & set(part), path
        assert set(part) <= known, f"{path}: what pydantic could not translate"


@kinds
def test_every_field_is_described(kind: Kind) -> None:
    bare = [path for path, part, _ in parts(schema(kind)) if not path.endswith("[]") and not part.get("description")]
    assert bare == []


@kinds
def test_everything_is_bounded(kind: Kind) -> None:
    """An object without a property would take anything; etcd takes 1.5 MiB."""
    bounds = {
        "string": {"maxLength", "enum", "format"},
        "integer": {"minimum"},
        "array": {"maxItems"},
        "object": {"properties"},
        "boolean": {"type"},
    }
    loose = [path for path, part, _ in parts(schema(kind)) if not bounds[part["type"]] & set(part)]
    assert loose == []


@kinds
def test_no_default_stands_in_an_atomic_list(kind: Kind) -> None:
    """Argo CD would be OutOfSync for ever, and `kubectl apply` would say "configured" each time."""
    stored = [path for path, part, listed in parts(schema(kind)) if "default" in part and listed not in {"", "map"}]
    assert stored == []


@kinds
def test_a_default_of_a_spec_is_a_scalar(kind: Kind) -> None:
    spec = schema(kind)["properties"]["spec"]
    assert [path for path, part, _ in parts(spec) if isinstance(part.get("default"), dict | list)] == []


@kinds
def test_a_new_object_with_a_status_subresource_is_not_taken_for_ready(kind: Kind) -> None:
    """Kstatus calls an object without a status ready; -1 differs from every generation."""
    version = definition(kind)["spec"]["versions"][0]
    default = schema(kind)["properties"].get("status", {}).get("default")
    assert default == ({"observedGeneration": -1} if "subresources" in version else None)


@kinds
def test_every_printer_column_and_selectable_field_exists(kind: Kind) -> None:
    version = definition(kind)["spec"]["versions"][0]
    known = {path.split("[]")[0] for path, _, _ in parts(schema(kind))}
    used = [column["jsonPath"].split("[")[0] for column in version["additionalPrinterColumns"]]
    used += [field["jsonPath"] for field in version.get("selectableFields", [])]
    assert [path for path in used if path not in {*known, ".metadata.creationTimestamp"}] == []


@kinds
def test_every_rule_blames_a_field_that_exists(kind: Kind) -> None:
    for path, part, _ in parts(schema(kind)):
        for rule in part.get("x-kubernetes-validations", []):
            assert rule["message"], path
            assert rule.get("fieldPath", "").removeprefix(".") in {"", *part.get("properties", {})}, path


def test_every_kind_has_its_own_short_name() -> None:
    assert [kind.short for kind in KINDS] == ["osvm", "osvmop", "osvmt", "oscloud", "ostenant"]


@pytest.mark.parametrize(
    ("kind", "namespaced", "subresource"),
    [
        ("VirtualMachine", True, True),
        ("VirtualMachineOperation", True, False),
        ("VirtualMachineTemplate", False, False),
        ("Cloud", False, True),
        ("Tenant", False, True),
    ],
)
def test_users_write_in_namespaces_and_only_the_operator_writes_a_status(
    kind: str, namespaced: bool, subresource: bool
) -> None:
    """An operation is claimed by one POST, status and all: hence no subresource."""
    (found,) = (definition(known)["spec"] for known in KINDS if known.kind == kind)
    assert found["scope"] == ("Namespaced" if namespaced else "Cluster")
    assert ("subresources" in found["versions"][0]) is subresource


def test_a_union_cannot_be_made_structural() -> None:
    class Either(BaseModel):
        value: int | str

    with pytest.raises(ValueError, match="too many values"):
        structural(Either)


def test_the_files_are_named_by_group_and_plural() -> None:
    assert sorted(crds()) == [f"stoker.dev_{plural}.yaml" for plural in sorted(kind.plural for kind in KINDS)]
    assert all(yaml.safe_load(text)["kind"] == "CustomResourceDefinition" for text in crds().values())
