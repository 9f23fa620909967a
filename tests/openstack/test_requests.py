"""What a request to Heat can hold: nothing through which Heat would fetch, read or run what somebody names."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from simulator.local import Simulator
from stoker.core.inputs import Inputs
from support.simulated import World
from support.stacks import server_with_port, settled

KEYS = {
    "POST stacks": {"stack_name", "template", "parameters", "tags", "timeout_mins", "disable_rollback"},
    "PUT preview": {"template", "parameters", "tags", "timeout_mins", "disable_rollback"},
    "PUT stack": {"template", "parameters", "tags", "timeout_mins", "disable_rollback"},
    "PATCH stack": {"tags", "timeout_mins"},
    "PATCH resource": {"mark_unhealthy", "resource_status_reason"},
}
"""No environment, files, template_url or resource_registry: by them Heat fetches URLs, and takes other types for ours."""


def test_a_request_to_heat_has_these_keys_and_no_other() -> None:
    simulator, sent = Simulator(), {}

    @web.middleware
    async def read(request: web.Request, handler: Any) -> web.StreamResponse:
        kind = {"stacks": "stacks", "preview": "preview", "server": "resource"}.get(
            request.path.split("/")[-1], "stack"
        )
        if "/heat/" in request.path and request.method in ("POST", "PUT", "PATCH"):
            sent.setdefault(f"{request.method} {kind}", set()).update(json.loads(await request.read()))
        answer: web.StreamResponse = await handler(request)
        return answer

    simulator.outer.append(read)
    with simulator:
        world = World(simulator, simulator.project("team-a"))
        heat = (cloud := world.open()).heat
        inputs = Inputs("test@v1", server_with_port(), {})
        stack = heat.create("vm-1", ("stoker",), inputs, timeout_minutes=5).stack_id
        settled(cloud, "vm-1", stack)
        heat.preview_update("vm-1", stack, ("stoker",), inputs, timeout_minutes=5)
        heat.update("vm-1", stack, ("stoker",), inputs, timeout_minutes=5)
        heat.adopt("vm-1", stack, ("stoker",))
        settled(cloud, "vm-1", stack)
        heat.mark_unhealthy("vm-1", stack, "server", "gone")
        heat.converge("vm-1", stack, ("stoker",), timeout_minutes=5)
        cloud.close()
    assert sent == KEYS
