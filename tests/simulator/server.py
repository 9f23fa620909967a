"""All services and the simulator's own interface behind one port."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from aiohttp import web

from simulator import faults
from simulator.api import service_of
from simulator.calls import Call
from simulator.cinder import Cinder
from simulator.control import Control
from simulator.errors import RefusedError, body_of, page_of_html
from simulator.glance import Glance
from simulator.heat import Heat
from simulator.keystone import Keystone
from simulator.neutron import Neutron
from simulator.nova import Nova
from simulator.state import Project
from simulator.wire import DELIVER, FAULT

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LARGEST_REQUEST = 64 * 1024 * 1024
OWN = "/_sim"
UNANSWERED = {"lost-request", "lost-answer", "zombie"}


def application(control: Control, *outer: Any) -> web.Application:
    """Return the application: each request is counted, then perhaps spoilt, then answered by its service.

    `outer` are middlewares that it passes before all that.
    """
    own = (_counting(control), _spoiling(control), _refusing(control))
    app = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[*outer, *own])
    cloud = control.cloud
    others = (service(cloud) for service in (Keystone, Nova, Glance, Neutron, Cinder))
    for service in (Heat(cloud, control.engine), *others):
        app.add_routes(service.routes())
    for (method, path), act in own_paths(control).items():
        app.router.add_route(method, f"{OWN}{path}", _doing(act))
    return app


def _counting(control: Control) -> Any:
    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(OWN):
            return await handler(request)
        status = 0
        try:
            answer = await handler(request)
            status = answer.status
            return answer
        finally:
            resource = request.match_info.route.resource
            kind = f"{request.method} {resource.canonical if resource else request.path}"
            project, fault = _project(control, request), request.get(FAULT, "")
            status = 0 if fault in UNANSWERED else status
            client = request.headers.get("User-Agent", "")
            control.calls.add(Call(client, kind, request.path_qs, project.id if project else "", status, fault))

    return counted


def _spoiling(control: Control) -> Any:
    @web.middleware
    async def spoilt(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(OWN):
            return await handler(request)
        planned = control.plan.take(await _call(control, request)) if control.plan.entries else None
        if planned is None:
            return await handler(request)
        request[FAULT] = planned.fault.kind
        return await DELIVER[planned.fault.kind](planned, request, handler)

    return spoilt


def _refusing(control: Control) -> Any:
    @web.middleware
    async def refused(request: web.Request, handler: Handler) -> web.StreamResponse:
        service = service_of(request.path)
        headers = {"X-Openstack-Request-Id": f"req-{uuid4()}"} if service else {}
        try:
            answer = await handler(request)
        except RefusedError as error:
            answer = _refusal(service, error)
            if error.status == 401:
                answer.headers["WWW-Authenticate"] = f'Keystone uri="{request.url.origin()}/identity/v3"'
        except web.HTTPException as error:  # no such path
            answer = _refusal("", RefusedError(error.status, message=error.reason))
        answer.headers.update(headers)
        return answer

    return refused


def _refusal(service: str, error: RefusedError) -> web.Response:
    """Glance, and whatever has no service behind it, answers with a page."""
    if service in ("", "image"):
        page = page_of_html(error.status, f"{error.message or ''}<br /><br />")
        return web.Response(status=error.status, text=page, content_type="text/html", charset="UTF-8")
    return web.json_response(body_of(service, error), status=error.status)


def _project(control: Control, request: web.Request) -> Project | None:
    token = control.cloud.tokens.get(request.headers.get("X-Auth-Token", ""))
    return token.project if token else None


async def _call(control: Control, request: web.Request) -> faults.Call:
    project = _project(control, request)
    stack = request.match_info.get("name", "")
    if request.method == "POST" and not stack:
        try:
            stack = str(json.loads(await request.read()).get("stack_name", ""))
        except (ValueError, AttributeError):
            stack = ""
    names = (project.id, project.name) if project else ()
    return faults.Call(request.method, request.path, names, request.headers.get("User-Agent", ""), stack)


def own_paths(control: Control) -> dict[tuple[str, str], Callable[..., Any]]:
    """Return the control API: method and path → what is called with the JSON body, or the query, as arguments."""
    return {
        ("GET", ""): control.state,
        ("POST", "/projects"): control.add_project,
        ("PUT", "/quota"): control.set_quota,
        ("GET", "/settings"): control.settings,
        ("PUT", "/settings"): control.settings,
        ("GET", "/faults"): control.faults,
        ("POST", "/faults"): control.fail,
        ("DELETE", "/faults"): control.heal,
        ("POST", "/release"): control.release,
        ("POST", "/expire-tokens"): control.expire_tokens,
        ("POST", "/expire-credential"): control.expire_credential,
        ("POST", "/revoke"): control.revoke,
        ("POST", "/stacks"): control.add_stacks,
        ("PUT", "/stacks"): control.set_stack,
        ("POST", "/copies"): control.copy_stack,
        ("POST", "/purge"): control.purge,
        ("GET", "/calls"): control.calls.rows,
        ("GET", "/log"): control.calls.log,
        ("DELETE", "/calls"): control.calls.clear,
    }


def _doing(act: Callable[..., Any]) -> Handler:
    async def do(request: web.Request) -> web.StreamResponse:
        content = await request.read()
        try:
            given = json.loads(content) if content else dict(request.query)
            return web.json_response(act(**given))
        except (KeyError, ValueError, TypeError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    return do
