"""Templates: a file → a VirtualMachineTemplate object, and what every template must keep to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from stoker.api.base import API_VERSION
from stoker.api.template import TEMPLATE_BYTES, object_name

FILE_NAME = re.compile(r"^(?P<family>[a-z0-9]([-a-z0-9]*[a-z0-9])?)@v(?P<version>[1-9][0-9]*)\.ya?ml$")

VERSIONS = frozenset(
    {"2016-10-14", "2017-02-24", "2017-09-01", "2018-03-02", "2018-08-31", "2021-04-16"}
    | {"newton", "ocata", "pike", "queens", "rocky", "wallaby"}
)
"""Versions of HOT that have conditions; 2021-04-16 is the newest that Heat 27.0.1 knows (its entry points)."""

OUTPUTS = frozenset({"server_id", "private_ip", "public_ip"})
"""The outputs that Stoker reads of every stack."""

PARAMETERS = {
    "name": "string",
    "image": "string",
    "flavor": "string",
    "network": "string",
    "external_network": "string",
    "public_ip": "boolean",
    "key_name": "string",
    "user_data": "string",
    "volumes": "json",
    "ingress": "json",
    "gpu_count": "number",
}
"""The parameters that Stoker gives every stack, and their types; Heat refuses one that the template does not declare."""

_FORMATTING = frozenset({"str_replace", "str_replace_strict", "str_replace_vivid"})
"""Functions that put values into text."""

_SERVER: tuple[tuple[Callable[[dict[str, Any]], bool], str], ...] = (
    (lambda p: p.get("user_data_format") == "RAW", "user_data_format must be RAW, else Heat wraps the user's data"),
    (
        lambda p: p.get("image_update_policy") == "REPLACE",
        "image_update_policy must be REPLACE, else another image rebuilds the server, and no preview says so",
    ),
    (
        lambda p: not re.search("get_(resource|attr)", str(p.get("user_data"))),
        "user_data must refer to no other resource, else Heat previews every update as a replacement of the server",
    ),
)
"""What must hold of a server's properties, and what breaks otherwise (measured against Heat 27.0.1)."""

_BOOT_TEXT = frozenset({"user_data", "config", "cloud_config"})
"""Properties whose text only the VM itself reads, at boot."""


def template_object(file_name: str, text: str) -> dict[str, Any]:
    """Return the object for a file named `<family>@v<N>.yaml`.

    Raises ValueError naming the file when its name or its content will not do.
    """
    match = FILE_NAME.match(file_name)
    if match is None:
        raise ValueError(f"{file_name}: a template file is named <family>@v<N>.yaml, for example ubuntu-basic@v1.yaml")
    if problems := check_template(text):
        raise ValueError(f"{file_name}: {'; '.join(problems)}")
    family, version = match["family"], int(match["version"])
    description = str(yaml.safe_load(text).get("description", "")).strip()
    spec = {"family": family, "version": version, "description": description, "template": text}
    metadata = {"name": object_name(f"{family}@v{version}")}
    return {"apiVersion": API_VERSION, "kind": "VirtualMachineTemplate", "metadata": metadata, "spec": spec}


def check_template(text: str) -> list[str]:
    """Return what is wrong with a template, as sentences; an empty list when nothing is."""
    if len(text.encode()) > TEMPLATE_BYTES:
        return [f"the template is larger than {TEMPLATE_BYTES} bytes, Heat's limit"]
    try:
        template = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"the template is not YAML: {str(error).splitlines()[0]}"]
    if not isinstance(template, dict) or "heat_template_version" not in template:
        return ["the template has no heat_template_version"]
    problems = []
    if str(template["heat_template_version"]) not in VERSIONS:
        problems.append(f"heat_template_version is none of {', '.join(sorted(VERSIONS))}")
    sections = {}
    for name in ("parameters", "resources", "outputs"):
        found = template.get(name) or {}
        sections[name] = found if isinstance(found, dict) else {}
        if sections[name] is not found or not all(isinstance(part, dict) for part in found.values()):
            return [*problems, f"{name} is not a mapping of mappings"]
    problems += _parameter_problems(sections["parameters"])
    if missing := OUTPUTS - set(sections["outputs"]):
        problems.append(f"outputs lacks {', '.join(sorted(missing))}")
    for name, resource in sections["resources"].items():
        problems += _resource_problems(f"resource {name}", resource)
    return problems + sorted(set(_text_problems(template, boot_text=False)))


def _parameter_problems(parameters: dict[str, dict[str, Any]]) -> list[str]:
    problems = []
    if missing := set(PARAMETERS) - set(parameters):
        problems.append(f"parameters lacks {', '.join(sorted(missing))}")
    for name, parameter in parameters.items():
        if name not in PARAMETERS and "default" not in parameter:
            problems.append(f"parameter {name}: Stoker does not give it, so it needs a default")
        if name in PARAMETERS and parameter.get("type") != PARAMETERS[name]:
            problems.append(f"parameter {name}: the type must be {PARAMETERS[name]}")
    return problems


def _resource_problems(name: str, resource: dict[str, Any]) -> list[str]:
    """Check a resource and, when it is a group, what it is a group of."""
    kind = str(resource.get("type", ""))
    properties = resource.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    problems = []
    if not re.fullmatch(r"OS::[A-Za-z]+::[A-Za-z0-9]+", kind):
        problems.append(f"{name}: the type {kind!r} is not one of OpenStack's (Heat would fetch a URL or a file)")
    if kind == "OS::Nova::Server":
        problems += [f"{name}: {what}" for holds, what in _SERVER if not holds(properties)]
    for part in ("resource_def", "resource"):
        if isinstance(member := properties.get(part), dict):
            problems += _resource_problems(f"{name}, {part}", member)
    return problems


def _text_problems(part: Any, *, boot_text: bool) -> Iterator[str]:
    """Find what brings foreign text in, or puts values into text that something other than the VM reads."""
    if isinstance(part, list):
        for item in part:
            yield from _text_problems(item, boot_text=boot_text)
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "get_file":
                yield "get_file: Heat would fetch it; put the text into the template"
            if key in _FORMATTING and not boot_text:
                yield f"{key}: only in user data; elsewhere a user's value would become a part of the template's text"
            yield from _text_problems(value, boot_text=boot_text or key in _BOOT_TEXT)
