"""The adapter for a project of a canned cloud: its test says every answer, so any answer can be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from stoker.core.faults import Fault
from stoker.core.inputs import Inputs
from stoker.openstack.base import CloudError, Credentials, Endpoint
from stoker.openstack.client import ProjectClient, connect
from support.canned import PROJECT, TOKEN, Canned, CannedCloud

STACKS = "/heat/stacks"
SHORT = 0.3
"""A deadline that is meant to pass, seconds."""

INPUTS = Inputs(
    "t@v1", "heat_template_version: 2021-04-16", {"user_data": "chpasswd: root:hunter2", "n": {"get_param": "x"}}
)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
EMPTY = Canned(200, {"stacks": []})
CREATED = Canned(201, {"stack": {"id": "s-1"}}, {"X-Openstack-Request-Id": "req-1"})


@dataclass
class Connector:
    """Connects to canned clouds; what it opened is closed by its fixture."""

    made: list[ProjectClient] = field(default_factory=list)

    def __call__(
        self, canned: CannedCloud, *, timeout: float = 20.0, password: bool = False, **changes: Any
    ) -> ProjectClient:
        endpoint = replace(Endpoint(canned.url, "one", "public", PROJECT), **changes)
        credentials = Credentials("application-credential", "id", "the-secret")
        if password:
            credentials = Credentials("password", "bob", "the-secret", "Domain")
        self.made.append(connect(endpoint, credentials, timeout=timeout, create_timeout=timeout, user_agent="test/1"))
        return self.made[-1]


def create(project: ProjectClient) -> object:
    return project.heat.create("vm-1", ("stoker",), INPUTS, timeout_minutes=5)


def fault_of(call: Callable[[], object]) -> Fault:
    """Return the fault that a call ends with; it tells no secret."""
    with pytest.raises(CloudError) as caught:
        call()
    assert "the-secret" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    return caught.value.fault
