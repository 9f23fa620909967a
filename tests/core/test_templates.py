"""Templates: the files of the repository keep the contract, and what breaks it is said."""

from __future__ import annotations

import pytest
import yaml

from localenv.settings import REPOSITORY
from stoker.api.template import VirtualMachineTemplate
from stoker.core.describe import document
from stoker.core.templates import check_template, template_object

FILES = sorted((REPOSITORY / "heat_templates").glob("*@v*.yaml"))
GOOD = (REPOSITORY / "heat_templates" / "ubuntu-basic@v1.yaml").read_text()


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_every_file_keeps_the_contract(file) -> None:
    made = template_object(file.name, file.read_text())
    assert VirtualMachineTemplate.model_validate(made).reference == file.name.removesuffix(".yaml")


def changed(**sections: object) -> str:
    """Return the good template with sections replaced."""
    return yaml.safe_dump({**yaml.safe_load(GOOD), **sections})


SERVER = {"type": "OS::Nova::Server", "properties": {"user_data_format": "HEAT_CFNTOOLS"}}
REFERRING = {"type": "OS::Nova::Server", "properties": {"user_data": {"if": ["c", {"get_resource": "config"}]}}}
BROKEN = {
    "more than Heat takes": ("x" * (512 * 1024 + 1), "larger than"),
    "no YAML": ("a: [", "not YAML"),
    "no HOT": ("a: 1", "heat_template_version"),
    "parameters missing": (changed(parameters={}), "parameters lacks"),
    "outputs missing": (changed(outputs={}), "private_ip"),
    "a URL for a type": (changed(resources={"x": {"type": "http://example.org/x.yaml"}}), "URL"),
    "wrapped user data": (changed(resources={"x": SERVER}), "RAW"),
    "an image that rebuilds in place": (changed(resources={"x": SERVER}), "image_update_policy must be REPLACE"),
    "user data of another resource": (changed(resources={"x": REFERRING}), "user_data must refer to no other"),
    "a file to fetch": (
        changed(resources={"x": {"type": "OS::Heat::Value", "properties": {"value": {"get_file": "x"}}}}),
        "get_file",
    ),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_contract_is_said(text: str, said: str) -> None:
    assert said in "; ".join(check_template(text))


@pytest.mark.parametrize(
    ("name", "text"), [("ubuntu.yaml", GOOD), ("ubuntu@v1.yaml", "a: 1")], ids=["a wrong name", "a wrong text"]
)
def test_a_file_that_will_not_do_is_named(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        template_object(name, text)


def test_the_page_of_phases_and_rules_is_current() -> None:
    assert (REPOSITORY / "docs" / "states.md").read_text() == document()
