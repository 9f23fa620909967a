"""Small stacks for tests of the adapter: templates, and the steps of a stack's life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stoker.core.faults import Fault
from stoker.core.inputs import Inputs
from stoker.core.stack import Stack
from stoker.openstack.base import CloudError
from stoker.openstack.client import ProjectClient
from support.cluster import wait_until

HEAD = "heat_template_version: 2021-04-16\n"
VALUE = HEAD + (
    "parameters: {said: {type: json, default: {}}, text: {type: string, default: ''}}\n"
    "resources:\n"
    "  json_value: {type: OS::Heat::Value, properties: {type: json, value: {get_param: said}}}\n"
    "  text_value: {type: OS::Heat::Value, properties: {type: string, value: {get_param: text}}}\n"
    "outputs:\n"
    "  server_id: {value: {get_attr: [text_value, value]}}\n"
    "  private_ip: {value: {get_attr: [json_value, value]}}\n"
)
SLOW = HEAD + "resources: {v: {type: OS::Heat::TestResource, properties: {value: x, wait_secs: 5}}}\n"
BAD = HEAD + "resources: {v: {type: OS::Heat::TestResource, properties: {value: x, fail: true}}}\n"
ONE = HEAD + (
    "parameters: {text: {type: string}}\n"
    "resources: {v: {type: OS::Heat::Value, properties: {type: string, value: {get_param: text}}}}\n"
    "outputs: {server_id: {value: {get_attr: [v, value]}}}\n"
)
BARE = HEAD + "resources: {v: {type: OS::Heat::Value, properties: {value: x}}}\n"


def server(**properties: str) -> str:
    """Return a template that no cloud takes, since `networks` is no list; what else is wrong is said first."""
    lines = {"flavor": "m1.tiny", "image": "cirros", "networks": "none", **properties}
    return HEAD + f"resources: {{server: {{type: OS::Nova::Server, properties: {lines}}}}}\n".replace("'", "")


def server_with_port(flavor: str = "m1.tiny") -> str:
    """Return a template of a server and the port that it needs."""
    return HEAD + (
        "resources:\n"
        "  port: {type: OS::Neutron::Port, properties: {network: private}}\n"
        "  server:\n"
        "    type: OS::Nova::Server\n"
        f"    properties: {{flavor: {flavor}, image: cirros, networks: [{{port: {{get_resource: port}}}}]}}\n"
    )


def inputs(template: str = VALUE, **parameters: Any) -> Inputs:
    return Inputs("test@v1", template, parameters)


def create(cloud: ProjectClient, name: str, what: Inputs | None = None, *tags: str) -> str:
    """Create a stack with our tags; return its id at once."""
    made = cloud.heat.create(name, ("stoker", f"stoker-vm={name}", *tags), what or inputs(), timeout_minutes=5)
    assert made.request_id
    assert made.request_id.startswith("req-")
    return made.stack_id


def settled(cloud: ProjectClient, name: str, stack_id: str, patience: float = 120) -> Stack:
    """Wait until nothing is under way, and return the stack."""

    def look() -> Stack | None:
        stack = cloud.heat.probe(name, stack_id).stack
        assert stack is not None
        return None if stack.in_progress else stack

    found: Stack = wait_until(f"{name} to settle", look, patience)
    return found


def gone(cloud: ProjectClient, name: str, stack_id: str) -> None:
    """Wait until the stack is gone."""
    wait_until(f"{name} to go", lambda: cloud.heat.probe(name, stack_id).stack is None, 120)


def fault_of(call: Callable[[], object]) -> Fault:
    """Return the fault with which the call fails."""
    with pytest.raises(CloudError) as caught:
        call()
    return caught.value.fault
