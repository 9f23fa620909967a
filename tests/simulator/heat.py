"""Heat v1: the requests about stacks. How they are shown is in `heat_view`, which are listed in `heat_list`."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from simulator import heat_view as view
from simulator.api import PREFIXES, body_of, next_link, page_of, token_of
from simulator.engine import Engine, Outcome, evaluation_of, previewed
from simulator.errors import RefusedError, gone, invalid, page_of_html
from simulator.heat_body import defaults_of, stack_body, tags_of, whole_number
from simulator.heat_list import listed
from simulator.hot import Template, in_order, parameters_of, parse
from simulator.place import Place
from simulator.resources import check, replaced_by
from simulator.stacks import Resource, Stack
from simulator.state import Cloud, Project, Token, new_id

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,254}")
ACTING_LATER = ("OS::Heat::WaitConditionHandle",)
"""Types that act when nobody's token is at hand."""

ACTIONS = ("check", "suspend", "resume")
PARTS = "resources|events|outputs|preview|actions"

OUTCOME: web.RequestKey[Outcome] = web.RequestKey("outcome", Outcome)
"""What is to become of the action that this request asks for."""

RACE: web.RequestKey[bool] = web.RequestKey("race", bool)
"""True when a create shall not look whether its name is taken."""


class Heat:
    """The orchestration service."""

    def __init__(self, cloud: Cloud, engine: Engine) -> None:
        self._cloud, self._engine = cloud, engine

    def routes(self) -> list[web.RouteDef]:
        at = f"{PREFIXES['orchestration']}/v1/{{project}}"
        one, named = f"{at}/stacks/{{name}}/{{id}}", f"{at}/stacks/{{name}}"
        return [
            web.get(f"{at}/stacks", self.list),
            web.post(f"{at}/stacks", self.create),
            web.post(f"{at}/stacks/preview", self.preview),
            web.post(f"{at}/validate", self.validate),
            *(web.route(method, named, self.redirect) for method in ("GET", "PUT", "PATCH", "DELETE")),
            web.route("*", f"{named}/{{part:{PARTS}}}", self.redirect),
            web.get(one, self.show),
            web.put(one, self.update),
            web.patch(one, self.update),
            web.delete(one, self.delete),
            web.put(f"{one}/preview", self.preview_update),
            web.patch(f"{one}/preview", self.preview_update),
            web.post(f"{one}/actions", self.act),
            web.get(f"{one}/resources", self.resources),
            web.get(f"{one}/resources/{{resource}}", self.resource),
            web.patch(f"{one}/resources/{{resource}}", self.mark),
            web.get(f"{one}/events", self.events),
            web.get(f"{one}/outputs", self.outputs),
            web.get(f"{one}/outputs/{{key}}", self.output),
        ]

    async def list(self, request: web.Request) -> web.Response:
        token = self._token(request)
        stacks = listed(self._cloud.stacks, token.project.id, request.query)
        found: dict[str, Any] = {"stacks": [view.listed(request, stack) for stack in stacks]}
        if stacks and str(len(stacks)) == request.query.get("limit"):
            found["links"] = [{"rel": "next", "href": next_link(request, stacks[-1].id)}]
        if request.query.get("with_count", "").lower() == "true":
            bare = {key: value for key, value in request.query.items() if key not in ("limit", "marker")}
            found["count"] = len(listed(self._cloud.stacks, token.project.id, bare))
        return web.json_response(found)

    async def create(self, request: web.Request) -> web.Response:
        token = self._token(request)
        body = await stack_body(request)
        stack = self._new(token, body, race=request.get(RACE, False))
        self._check_credential(token, stack)
        self._cloud.stacks.add(stack)
        self._engine.create(stack, request.get(OUTCOME, Outcome()))
        url = view.url_of(request, stack)
        found = {"id": stack.id, "links": [{"href": url, "rel": "self"}]}
        return web.json_response({"stack": found}, status=201, headers={"Location": url})

    async def preview(self, request: web.Request) -> web.Response:
        token = self._token(request)
        stack = self._new(token, await stack_body(request))
        made = [
            {"resource_name": name, "resource_type": entry["type"]} for name, entry in evaluation_of(stack).resources()
        ]
        return web.json_response({"stack": {**view.shown(request, stack, with_outputs=False), "resources": made}})

    async def validate(self, request: web.Request) -> web.Response:
        token = self._token(request)
        body = await stack_body(request)
        template = parse(body.get("template"))
        self._understood(token.project, template, {**defaults_of(template), **(body.get("parameters") or {})})
        return web.json_response({"Description": template.description, "Parameters": view.parameters(template)})

    async def redirect(self, request: web.Request) -> web.Response:
        """Whatever is asked by name alone, or by id alone, is redirected and not done."""
        project, name = self._token(request).project.id, request.match_info["name"]
        stack = self._cloud.stacks.by_id.get(name)
        if stack is None or stack.project != project:
            stack = self._cloud.stacks.named(project, name)
        if stack is None or (stack.gone and name != stack.id):
            raise gone(name)
        part = request.match_info.get("part", "")
        where = f"{view.url_of(request, stack)}{part and '/' + part}"
        query = f"?{request.query_string}" if request.query_string else ""
        text = f'The resource was found at <a href="{where}{query}">{where}{query}</a>;'
        return _page(302, f"{text}\nyou should be redirected automatically.", {"Location": f"{where}{query}"})

    async def show(self, request: web.Request) -> web.Response:
        stack = self._stack(request)
        outputs = request.query.get("resolve_outputs", "true").lower() != "false" and not stack.gone
        return web.json_response({"stack": view.shown(request, stack, with_outputs=outputs)})

    async def update(self, request: web.Request) -> web.Response:
        """A PATCH keeps what it does not name; an update of a stack that is busy supersedes what runs."""
        stack, body = self._living(request), await stack_body(request)
        template, parameters = self._wanted(request, stack, body)
        tags = tags_of(body["tags"]) if body.get("tags") is not None else None
        if tags is None and request.method == "PUT":
            tags = ()
        minutes = whole_number("timeout_mins", body.get("timeout_mins"))
        stack.timeout_mins = stack.timeout_mins if minutes is None else minutes
        stack.disable_rollback = bool(body.get("disable_rollback", stack.disable_rollback))
        self._engine.update(stack, template, parameters, tags, request.get(OUTCOME, Outcome()))
        return _accepted()

    async def preview_update(self, request: web.Request) -> web.Response:
        stack = self._living(request)
        template, parameters = self._wanted(request, stack, await stack_body(request))
        evaluation = previewed(stack, template, parameters)
        changes: dict[str, list[dict[str, str]]] = {
            kind: [] for kind in ("unchanged", "updated", "replaced", "added", "deleted")
        }
        wanted = dict(evaluation.resources())
        for name, entry in wanted.items():
            resource, properties = stack.resources.get(name), evaluation.properties(entry)
            if resource is None:
                kind = "added"
            elif resource.properties == properties:
                kind = "unchanged"
            else:
                kind = "replaced" if replaced_by(resource, properties) else "updated"
            changes[kind].append({"resource_name": name, "resource_type": entry["type"]})
        for name in stack.resources.keys() - wanted.keys():
            changes["deleted"].append({"resource_name": name, "resource_type": stack.resources[name].type})
        return web.json_response({"resource_changes": changes})

    async def delete(self, request: web.Request) -> web.Response:
        self._engine.delete(self._living(request), request.get(OUTCOME, Outcome()))
        return web.Response(status=204)

    async def act(self, request: web.Request) -> web.Response:
        stack, body = self._living(request), await body_of(request)
        action = next(iter(body), "")
        if action.startswith("cancel_") and not stack.status.endswith("_IN_PROGRESS"):
            raise invalid(f"Cancelling update when stack is {stack.status} is not supported.", "NotSupported")
        if len(body) != 1 or action not in ACTIONS:
            raise invalid(f"Invalid action {action} specified", "HTTPBadRequest")
        self._engine.act(stack, action.upper(), request.get(OUTCOME, Outcome()))
        return web.json_response(None)

    async def resources(self, request: web.Request) -> web.Response:
        stack = self._stack(request)
        found = [view.resource(request, stack, one) for one in stack.resources.values()]
        return web.json_response({"resources": [] if stack.gone else found})

    async def resource(self, request: web.Request) -> web.Response:
        stack = self._stack(request)
        one = _resource_of(stack, request)
        return web.json_response({"resource": {**view.resource(request, stack, one), "attributes": one.attributes}})

    async def mark(self, request: web.Request) -> web.Response:
        """Have the next update replace a resource, or not; the stack itself does not change."""
        one, body = _resource_of(self._living(request), request), await body_of(request)
        one.status = "CHECK_FAILED" if body.get("mark_unhealthy") else "CHECK_COMPLETE"
        one.reason = str(body.get("resource_status_reason") or "")
        return web.json_response(None)

    async def events(self, request: web.Request) -> web.Response:
        """Oldest first when sorted by a key, unless `sort_dir` says otherwise. They outlive the deletion."""
        stack = self._stack(request)
        events = [view.event(request, stack, event) for event in stack.events]
        default = "asc" if request.query.get("sort_keys") else "desc"
        if request.query.get("sort_dir", default) == "desc":
            events.reverse()
        return web.json_response({"events": page_of(events, request.query)[0]})

    async def outputs(self, request: web.Request) -> web.Response:
        found = view.outputs(self._living(request))
        plain = [{key: one[key] for key in ("output_key", "description")} for one in found]
        return web.json_response({"outputs": plain})

    async def output(self, request: web.Request) -> web.Response:
        stack, key = self._living(request), request.match_info["key"]
        for found in view.outputs(stack):
            if found["output_key"] == key:
                return web.json_response({"output": found})
        raise RefusedError(404, "NotFound", "Specified output key {} not found.")  # Heat forgets the name

    def _token(self, request: web.Request) -> Token:
        token = token_of(self._cloud, request)
        if request.match_info["project"] != token.project.id:
            raise RefusedError(403, "HTTPForbidden", "Access was denied to this resource.")
        return token

    def _stack(self, request: web.Request) -> Stack:
        """Return the stack of a path, deleted or not; name and id must fit."""
        project, name = self._token(request).project.id, request.match_info["name"]
        stack = self._cloud.stacks.by_id.get(request.match_info["id"])
        if stack is None or (stack.project, stack.name) != (project, name):
            raise gone(name)
        return stack

    def _living(self, request: web.Request) -> Stack:
        stack = self._stack(request)
        if stack.gone:
            raise gone(stack.name)
        return stack

    def _new(self, token: Token, body: dict[str, Any], *, race: bool = False) -> Stack:
        name = body.get("stack_name")
        if name is None:
            raise invalid("No stack name specified", "HTTPBadRequest")
        tags, minutes = tags_of(body.get("tags")), whole_number("timeout_mins", body.get("timeout_mins"))
        template = parse(body.get("template"))
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise invalid(
                f'Invalid stack name {name} must contain only alphanumeric or "_-." characters, must start with alpha '
                "and must be 255 characters or less."
            )
        stacks, project = self._cloud.stacks, token.project
        if stacks.named(project.id, name) and not race:
            raise RefusedError(409, "StackExists", f"The Stack ({name}) already exists.")
        if stacks.count(project.id) >= self._cloud.settings.max_stacks:
            text = "You have reached the maximum stacks per tenant, "
            message = f"Request limit exceeded: {text}{self._cloud.settings.max_stacks}. Please delete some stacks."
            raise invalid(message, "RequestLimitExceeded")
        parameters = self._understood(project, template, body.get("parameters") or {})
        off = str(body.get("disable_rollback", True)).lower() != "false"
        return Stack(
            new_id(), stacks.next_number(), name, project.id, project.name, template, parameters, tags, minutes, off
        )

    def _check_credential(self, token: Token, stack: Stack) -> None:
        """Raise RefusedError when an application credential is not enough.

        Keystone refuses it a trust, of which Heat tells nothing; without trusts, what acts later lacks a password.
        """
        if token.credential is None:
            return
        if self._cloud.settings.trusts:
            raise RefusedError(403, "Forbidden")
        if any(resource["type"] in ACTING_LATER for resource in stack.template.resources.values()):
            raise invalid("Missing required credential: X-Auth-Key", "MissingCredentialError")

    def _wanted(self, request: web.Request, stack: Stack, body: dict[str, Any]) -> tuple[Template, dict[str, Any]]:
        patch, given = request.method == "PATCH", body.get("parameters") or {}
        if body.get("template") is None and not patch:
            raise invalid("No template specified", "HTTPBadRequest")
        template = stack.template if body.get("template") is None else parse(body["template"])
        project = self._cloud.projects[stack.project]
        return template, self._understood(project, template, {**stack.parameters, **given} if patch else given)

    def _understood(self, project: Project, template: Template, given: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters' values when template and parameters stand every check. Raises RefusedError."""
        parameters = parameters_of(template, given)
        in_order(template)
        check(Place(self._cloud, project), template, parameters)
        return parameters


def _resource_of(stack: Stack, request: web.Request) -> Resource:
    name = request.match_info["resource"]
    if name not in stack.resources:
        message = f"The Resource ({name}) could not be found in Stack {stack.name}."
        raise RefusedError(404, "ResourceNotFound", message)
    return stack.resources[name]


def _accepted() -> web.Response:
    """Return Heat's answer to an update: a page, and not JSON (measured against Heat 27.0.1)."""
    return _page(202, "The request is accepted for processing.<br /><br />")


def _page(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    page = page_of_html(status, text)
    return web.Response(status=status, text=page, content_type="text/html", charset="UTF-8", headers=headers)
