"""What Heat refuses a stack for, in its own words: the adapter tells one error from another by them."""

from __future__ import annotations

from typing import Any

import pytest

from support.clouds import Bare, error_of
from support.stacks import HEAD, VALUE

NUMBER = HEAD + "parameters: {n: {type: number, constraints: [{range: {min: 1}, description: too few}]}}\n"
FLAVOR = HEAD + "parameters: {f: {type: string, constraints: [{custom_constraint: nova.flavor}]}}\n"
CIRCLE = HEAD + "resources: {a: {type: OS::Heat::None, depends_on: b}, b: {type: OS::Heat::None, depends_on: a}}\n"
TWICE = HEAD + "parameters: {a: {type: string, default: x}}\nresources: {a: {type: OS::Heat::None}}\n"

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no name": ({"stack_name": None}, "HTTPBadRequest", "No stack name specified"),
    "a name with a digit first": ({"stack_name": "9x"}, "StackValidationFailed", "9x"),
    "a name with an umlaut": ({"stack_name": "vm-ä"}, "StackValidationFailed", "vm-ä"),
    "a name too long": ({"stack_name": "v" * 256}, "StackValidationFailed", "255 characters"),
    "no template": ({"template": None}, "HTTPBadRequest", "No template specified"),
    "broken YAML": ({"template": "{["}, "HTTPBadRequest", "Template not in valid format"),
    "no version": ({"template": "a: b"}, "HTTPBadRequest", "Template format version not found"),
    "another version": ({"template": "heat_template_version: 1999-01-01"}, "InvalidTemplateVersion", "1999-01-01"),
    "another section": ({"template": HEAD + "nosuch: {}"}, "StackValidationFailed", "section is invalid: nosuch"),
    "a circle": ({"template": CIRCLE}, "CircularDependencyException", "Circular Dependency Found"),
    "one name for two": ({"template": TWICE}, "StackValidationFailed", "Duplicate names"),
    "a parameter not given": ({"template": NUMBER}, "UserParameterMissing", "(n) was not provided"),
    "an unknown parameter": ({"parameters": {"x": 1}}, "UnknownUserParameter", "(x) was not defined"),
    "a number that is none": ({"template": NUMBER, "parameters": {"n": "x"}}, "StackValidationFailed", "'n' is inv"),
    "out of range": ({"template": NUMBER, "parameters": {"n": 0}}, "StackValidationFailed", "too few"),
    "an unknown flavor": ({"template": FLAVOR, "parameters": {"f": "x"}}, "StackValidationFailed", "No Flavor match"),
    "a long tag": ({"tags": "t" * 81}, "HTTPBadRequest", "longer than"),
    "minutes below zero": ({"timeout_mins": -1}, "HTTPBadRequest", "'timeout_mins'"),
    "minutes that are none": ({"timeout_mins": "x"}, "HTTPBadRequest", "'timeout_mins'"),
    "a large template": ({"template": f"{HEAD}#{'x' * 600_000}"}, "RequestLimitExceeded", "Request limit exceeded"),
    "a large body": ({"template": f"{HEAD}#{'x' * 1_100_000}"}, "RequestLimitExceeded", "JSON body size"),
}


@pytest.mark.parametrize(("change", "kind", "text"), REFUSED.values(), ids=REFUSED)
def test_what_a_create_is_refused_for(bare: Bare, name: str, change: dict[str, Any], kind: str, text: str) -> None:
    body = {"stack_name": name, "template": VALUE, **change}
    error = error_of(bare.send("POST", "/stacks", json={k: v for k, v in body.items() if v is not None}), 400)
    assert error["type"] == kind, error
    assert text in error["message"]
    assert bare.send("GET", "/stacks", params={"name": name}).json()["stacks"] == []


def test_tags_are_a_text_and_no_list(bare: Bare, name: str) -> None:
    answer = bare.send("POST", "/stacks", json={"stack_name": name, "template": VALUE, "tags": ["a"]})
    assert error_of(answer, 400) == {"type": "AttributeError", "traceback": None}


def test_a_validation_describes_the_parameters(bare: Bare) -> None:
    answer = bare.send("POST", "/validate", json={"template": VALUE}).json()
    assert answer["Parameters"]["said"] == {
        "Type": "Json", "Description": "", "NoEcho": "false", "Label": "said", "Default": {},
    }  # fmt: skip
    error = error_of(bare.send("POST", "/validate", json={"template": CIRCLE}), 400)
    assert error["type"] == "CircularDependencyException"


def test_a_preview_of_a_create_makes_nothing(bare: Bare, name: str) -> None:
    answer = bare.send("POST", "/stacks/preview", json={"stack_name": name, "template": VALUE}).json()
    assert {one["resource_name"] for one in answer["stack"]["resources"]} == {"json_value", "text_value"}
    assert bare.send("GET", "/stacks", params={"name": name}).json()["stacks"] == []
