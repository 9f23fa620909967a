"""Heat: stacks of one project. One REST call per method (listings page), values out, nothing repeated here."""

from __future__ import annotations

import builtins
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault, one_line
from stoker.core.inputs import Inputs
from stoker.core.stack import Listing, Outputs, Plan, Probe, Resource, Stack, StackEvent
from stoker.openstack.base import CloudError, Created
from stoker.openstack.heat_values import event_of, plan_of, resource_of, slots_of, stack_of
from stoker.openstack.rest import Reply, Rest

PAGE = 500
"""Stacks asked for at a time. Heat itself has no page size and would return everything at once."""

MOST_PAGES = 1000
LONGEST_OUTPUT = 64

Clock = Callable[[], float]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,254}")
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class HeatClient:
    """base.Heat over the orchestration endpoint."""

    def __init__(
        self, rest: Rest, project: str, create_timeout: float, *, clock: Clock = time.monotonic, page: int = PAGE
    ) -> None:
        self._rest, self._project, self._create_timeout = rest, project, create_timeout
        self._clock, self._page = clock, page

    def create(self, name: str, tags: tuple[str, ...], inputs: Inputs, *, timeout_minutes: int) -> Created:
        """Ask for a stack, once: a lost answer is the caller's to find out about."""
        operation = f"create stack {name}"
        body = {"stack_name": name, **_wanted(tags, inputs, timeout_minutes)}
        try:
            reply = self._rest.call(
                operation, "POST", "/stacks", body=body, seconds=self._create_timeout, secrets=_secrets(inputs)
            )
        except CloudError as error:
            if error.fault.code is ErrorCode.NAME_CONFLICT and not self._is_taken(name):
                message = f"create stack {name}: the deleted stack of that name is still being put away"
                raise CloudError(Fault(ErrorCode.CONFLICT, message), error.request_id) from error
            raise
        with _understood(operation, reply, definite=False):
            return Created(_checked(_ID, reply.body["stack"]["id"]), reply.request_id)

    def _is_taken(self, name: str) -> bool:
        """Tell whether a stack has the name: for a moment a stack in DELETE_COMPLETE holds it (Heat 27.0.1)."""
        try:
            return bool(self.find(name).stacks)
        except CloudError:
            return True

    def update(self, name: str, stack_id: str, tags: tuple[str, ...], inputs: Inputs, *, timeout_minutes: int) -> str:
        """Ask for a full update (its tags replace the old) and return the request's id.

        Heat takes it while another action runs, too: the newer supersedes (measured against Heat 27.0.1).
        """
        reply = self._rest.call(
            f"update stack {stack_id}",
            "PUT",
            _where(name, stack_id),
            body=_wanted(tags, inputs, timeout_minutes),
            seconds=self._create_timeout,
            secrets=_secrets(inputs),
        )
        return reply.request_id or ""

    def adopt(self, name: str, stack_id: str, tags: tuple[str, ...]) -> str:
        """Replace the tags by an update of nothing else, and return the request's id.

        A PATCH keeps template and parameters, and touches no resource (measured against Heat 27.0.1).
        """
        body, where = {"tags": ",".join(tags)}, _where(name, stack_id)
        operation = f"adopt stack {stack_id}"
        reply = self._rest.call(operation, "PATCH", where, body=body, seconds=self._create_timeout)
        return reply.request_id or ""

    def preview_update(
        self, name: str, stack_id: str, tags: tuple[str, ...], inputs: Inputs, *, timeout_minutes: int
    ) -> Plan:
        """Ask what that update would do; nothing is changed."""
        operation = f"preview the update of stack {stack_id}"
        body, where = _wanted(tags, inputs, timeout_minutes), f"{_where(name, stack_id)}/preview"
        reply = self._rest.call(operation, "PUT", where, body=body, secrets=_secrets(inputs))
        with _understood(operation, reply):
            return plan_of(reply.body["resource_changes"])

    def converge(self, name: str, stack_id: str, tags: tuple[str, ...], *, timeout_minutes: int) -> str:
        """Ask for an update to what the stack is made from already; it ends what an engine left when it died.

        What is marked unhealthy is replaced; of the rest nothing is looked at (measured against Heat 27.0.1).
        """
        body, where = {"tags": ",".join(tags), "timeout_mins": timeout_minutes}, _where(name, stack_id)
        reply = self._rest.call(f"converge stack {stack_id}", "PATCH", where, body=body, seconds=self._create_timeout)
        return reply.request_id or ""

    def mark_unhealthy(self, name: str, stack_id: str, resource: str, reason: str) -> str:
        """Have the next update replace the resource, and return the request's id."""
        operation, where = f"mark {resource} of stack {stack_id} unhealthy", f"{_where(name, stack_id)}/resources"
        if not _NAME.fullmatch(resource):
            raise CloudError(Fault(ErrorCode.UNKNOWN, f"{operation}: that is not a resource's name"))
        body = {"mark_unhealthy": True, "resource_status_reason": reason}
        reply = self._rest.call(operation, "PATCH", f"{where}/{resource}", body=body)
        return reply.request_id or ""

    def delete(self, name: str, stack_id: str) -> str:
        """Ask for the deletion by name and id, and return the request's id. By name alone Heat redirects and does nothing.

        Heat answers EntityNotFound when it is gone. Another 404 is an error: a live stack with a broken row was seen
        to answer `NotFound` (measured against Heat 27.0.1).
        """
        reply = self._rest.call(f"delete stack {stack_id}", "DELETE", _where(name, stack_id), gone=True)
        return reply.request_id or ""

    def find(self, name: str) -> Listing:
        """List the stacks of that name. A list, not a GET by name: that one is a redirect."""
        return self._listing({"name": name}, lambda stack: stack.name == name)

    def find_id(self, stack_id: str) -> Listing:
        """List the stack of that id: a GET by id alone is a redirect."""
        return self._listing({"id": stack_id}, lambda stack: stack.id == stack_id)

    def list(self, tags: tuple[str, ...]) -> Listing:
        """List all stacks that carry all the tags, whole or not at all."""
        wanted = frozenset(tags)
        return self._listing({"tags": ",".join(tags)}, lambda stack: wanted <= stack.tags)

    def probe(self, name: str, stack_id: str) -> Probe:
        """Look by id: gone is DELETE_COMPLETE, or a 404 that Heat itself calls EntityNotFound."""
        as_of, operation = self._clock(), f"look at stack {stack_id}"
        params = {"resolve_outputs": "false"}
        reply = self._rest.call(operation, "GET", _where(name, stack_id), params=params, gone=True)
        if reply.gone:
            return Probe(as_of, stack_id, None)
        with _understood(operation, reply):
            stack = stack_of(reply.body["stack"], self._project)
            return Probe(as_of, stack_id, None if stack.deleted else stack)

    def outputs(self, name: str, stack_id: str) -> Outputs:
        """Read the standard outputs and the volumes' slots; a complete stack without a server's id is of no use."""
        as_of, operation = self._clock(), f"read the outputs of stack {stack_id}"
        reply = self._rest.call(operation, "GET", _where(name, stack_id))
        with _understood(operation, reply):
            stack = reply.body["stack"]
            found = {entry["output_key"]: entry.get("output_value") for entry in stack.get("outputs") or []}
            slots = slots_of(stack.get("parameters") or {})
            complete = stack_of(stack, self._project).complete
        if complete and (not isinstance(found.get("server_id"), str) or not found["server_id"]):
            raise CloudError(Fault(ErrorCode.TEMPLATE_INVALID, f"{operation}: the template has no output server_id"))
        server_id, private_ip, public_ip = (
            str(found.get(key) or "")[:LONGEST_OUTPUT] for key in ("server_id", "private_ip", "public_ip")
        )
        return Outputs(server_id, private_ip, public_ip, slots, as_of)

    def output_names(self, name: str, stack_id: str) -> frozenset[str]:
        """Return which outputs the stack has; a server_id without a value is none."""
        operation = f"read the outputs of stack {stack_id}"
        reply = self._rest.call(operation, "GET", _where(name, stack_id))
        with _understood(operation, reply):
            found = {
                entry["output_key"]: entry.get("output_value") for entry in reply.body["stack"].get("outputs") or []
            }
        return frozenset(
            key for key, value in found.items() if key != "server_id" or (value and isinstance(value, str))
        )

    def resources(self, name: str, stack_id: str) -> tuple[Resource, ...]:
        """List the stack's resources; none once it is deleted."""
        operation = f"list the resources of stack {stack_id}"
        reply = self._rest.call(operation, "GET", f"{_where(name, stack_id)}/resources")
        with _understood(operation, reply):
            return tuple(resource_of(entry) for entry in reply.body["resources"])

    def unmade_volumes(self, name: str, stack_id: str) -> frozenset[str]:
        """Return the volumes that were never available: in CREATE_FAILED, or not begun."""
        volumes = (one for one in self.resources(name, stack_id) if one.type == "OS::Cinder::Volume")
        return frozenset(one.name for one in volumes if one.status in ("CREATE_FAILED", "INIT_COMPLETE"))

    def events(self, name: str, stack_id: str, limit: int) -> tuple[StackEvent, ...]:
        """Return the newest events, newest first. They outlive the stack's deletion."""
        operation = f"list the events of stack {stack_id}"
        params = {"limit": str(limit), "sort_keys": "event_time", "sort_dir": "desc"}
        reply = self._rest.call(operation, "GET", f"{_where(name, stack_id)}/events", params=params)
        with _understood(operation, reply):
            return tuple(event_of(entry) for entry in reply.body["events"])[:limit]

    def _listing(self, filters: dict[str, str], keep: Callable[[Stack], bool]) -> Listing:
        """Return the whole list; Heat ignores filters that it does not know, so each entry is checked again."""
        as_of = self._clock()
        stacks = {stack.id: stack for page in self._pages(filters) for stack in page}
        return Listing(as_of, tuple(stack for stack in stacks.values() if keep(stack) and not stack.deleted))

    def _pages(self, filters: dict[str, str]) -> Iterator[builtins.list[Stack]]:
        """Yield page after page.

        A marker that was purged meanwhile is ignored by Heat, which begins anew (measured against Heat 27.0.1; a 404,
        which others answer, begins anew here). So the list stays complete, and a stack met twice is the caller's to
        merge; only the number of pages needs a bound.
        """
        marker: str | None = None
        for _ in range(MOST_PAGES):
            page = self._page_after(filters, marker)
            if page is None:
                marker = None
                continue
            yield page
            if len(page) < self._page:
                return
            marker = page[-1].id
        raise CloudError(Fault(ErrorCode.CLOUD_UNAVAILABLE, f"list stacks: no end after {MOST_PAGES} pages"))

    def _page_after(self, filters: dict[str, str], marker: str | None) -> builtins.list[Stack] | None:
        query = {**filters, "limit": str(self._page), "sort_keys": "creation_time", "sort_dir": "asc"}
        if marker:
            query["marker"] = marker
        reply = self._rest.call("list stacks", "GET", "/stacks", params=query, gone=marker is not None)
        if reply.gone:
            return None
        with _understood("list stacks", reply):
            return [stack_of(entry, self._project) for entry in reply.body["stacks"]]


def _wanted(tags: tuple[str, ...], inputs: Inputs, timeout_minutes: int) -> dict[str, Any]:
    """Return what a create and an update have in common. Rollback stays off: it would keep the name of a dead stack."""
    return {
        "template": inputs.template,
        "parameters": inputs.parameters,
        "tags": ",".join(tags),
        "timeout_mins": timeout_minutes,
        "disable_rollback": True,
    }


def _secrets(inputs: Inputs) -> tuple[str, ...]:
    """User data is the one parameter that may hold secrets; Heat quotes values in its refusals."""
    return (str(inputs.parameters.get("user_data") or ""),)


def _where(name: str, stack_id: str) -> str:
    """Return the stack's path. Both parts are checked: `..` in one of them would be another path."""
    try:
        return f"/stacks/{_checked(_NAME, name)}/{_checked(_ID, stack_id)}"
    except ValueError:
        message = f"{one_line(name, 80)}/{one_line(stack_id, 80)} is not a name and an id of Heat's"
        raise CloudError(Fault(ErrorCode.UNKNOWN, message)) from None


def _checked(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError("not a name or id of Heat's")
    return value


@contextmanager
def _understood(operation: str, reply: Reply, *, definite: bool = True) -> Iterator[None]:
    """Turn an answer that lacks what it must have into a CloudError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        message = f"{operation}: the answer is not what was expected ({type(error).__name__})"
        fault = Fault(ErrorCode.CLOUD_UNAVAILABLE, message, definite=definite)
        raise CloudError(fault, reply.request_id) from error
