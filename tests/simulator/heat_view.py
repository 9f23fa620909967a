"""How Heat shows stacks, resources, events and outputs."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator.api import PREFIXES
from simulator.engine import evaluation_of
from simulator.hot import ABSENT, Template
from simulator.hot import shown as text_of
from simulator.stacks import Event, Resource, Stack


def url_of(request: web.Request, stack: Stack) -> str:
    """Return the stack's own URL."""
    return f"{request.url.origin()}{PREFIXES['orchestration']}/v1/{stack.project}/stacks/{stack.name}/{stack.id}"


def listed(request: web.Request, stack: Stack) -> dict[str, Any]:
    """Return a stack as an entry of a list: no template is looked at."""
    return {
        "id": stack.id,
        "links": [{"href": url_of(request, stack), "rel": "self"}],
        "stack_name": stack.name,
        "description": "",
        "stack_status": stack.status,
        "stack_status_reason": stack.reason,
        "creation_time": stack.created,
        "updated_time": stack.updated,
        "deletion_time": stack.deleted,
        "stack_owner": stack.owner,
        "parent": None,
        "stack_user_project_id": stack.project,
        "tags": list(stack.tags) or None,
    }


def shown(request: web.Request, stack: Stack, *, with_outputs: bool) -> dict[str, Any]:
    """Return a stack by itself."""
    pseudo = {"OS::project_id": stack.project, "OS::stack_id": stack.id, "OS::stack_name": stack.name}
    found = {
        **listed(request, stack),
        "description": stack.template.description,
        "template_description": stack.template.description,
        "parameters": {**pseudo, **{name: text_of(value) for name, value in stack.parameters.items()}},
        "timeout_mins": stack.timeout_mins,
        "disable_rollback": stack.disable_rollback,
        "capabilities": [],
        "tags": list(stack.tags),
        "notification_topics": [],
    }
    return found | ({"outputs": outputs(stack)} if with_outputs else {})


def outputs(stack: Stack) -> list[dict[str, Any]]:
    """Return the outputs with their values; what cannot be told yet is null."""
    evaluation = evaluation_of(stack)
    found = []
    for key, entry in stack.template.outputs.items():
        value = evaluation.value(entry.get("value"))
        description = entry.get("description", "No description given")
        found.append(
            {"output_key": key, "description": description, "output_value": None if value is ABSENT else value}
        )
    return found


def resource(request: web.Request, stack: Stack, one: Resource) -> dict[str, Any]:
    """Return a resource as an entry of a list."""
    url = url_of(request, stack)
    return {
        "resource_name": one.name,
        "logical_resource_id": one.name,
        "physical_resource_id": one.physical_id,
        "resource_type": one.type,
        "resource_status": one.status,
        "resource_status_reason": one.reason,
        "creation_time": stack.created,
        "updated_time": one.updated,
        "required_by": [],
        "links": [{"href": f"{url}/resources/{one.name}", "rel": "self"}, {"href": url, "rel": "stack"}],
    }


def event(request: web.Request, stack: Stack, one: Event) -> dict[str, Any]:
    """Return an event as an entry of a list."""
    url = url_of(request, stack)
    return {
        "id": one.id,
        "event_time": one.time,
        "resource_name": one.name,
        "logical_resource_id": one.name,
        "physical_resource_id": one.physical_id,
        "resource_status": one.status,
        "resource_status_reason": one.reason,
        "links": [
            {"href": f"{url}/resources/{one.name}/events/{one.id}", "rel": "self"},
            {"href": f"{url}/resources/{one.name}", "rel": "resource"},
            {"href": url, "rel": "stack"},
        ],
    }


def parameters(template: Template) -> dict[str, dict[str, Any]]:
    """Return what a validation says of the parameters."""
    found = {}
    for name, schema in template.parameters.items():
        kind = str(schema.get("type", "string")).title().replace("_", "")
        hidden = str(bool(schema.get("hidden", False))).lower()
        about = {"Type": kind, "Description": schema.get("description", ""), "NoEcho": hidden, "Label": name}
        found[name] = about | ({"Default": schema["default"]} if "default" in schema else {})
    return found
