"""The engine: what becomes of a stack over time.

An action begins at once and ends later, on the loop's clock; a newer one supersedes it, after the resource that is
being worked on (convergence, as in Heat 27.0.1). An `Outcome` says when an action ends otherwise than well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from simulator import resources
from simulator.hot import Evaluation, Template, in_order, references
from simulator.place import Place, ResourceError
from simulator.stacks import Event, Resource, Stack, now
from simulator.state import Cloud, new_id

Work = Callable[[Stack, str, "Outcome"], None]


class ActionError(Exception):
    """An action ended badly; the text is the stack's reason."""


class EngineDiedError(Exception):
    """The engine died."""


@dataclass(frozen=True)
class Outcome:
    """What becomes of one action."""

    seconds: float = 0.0
    """Added to what the action takes."""

    failure: ResourceError | None = None
    stuck: bool = False
    """True: the engine dies over it, and it stays in progress until another action is asked for."""

    late: bool = False
    """True: it takes longer than timeout_mins."""

    at: str = ""
    """The resource at which it fails or sticks: those before it are done. Default: the server, or the first."""


FINE = Outcome()


class Engine:
    """Begins and ends actions of stacks."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def create(self, stack: Stack, outcome: Outcome = FINE) -> None:
        """Begin to create a stack that was just added."""
        for name, entry in evaluation_of(stack).resources():
            begins_now = not references(entry.get("properties"))
            status = "CREATE_IN_PROGRESS" if begins_now else "INIT_COMPLETE"
            stack.resources[name] = Resource(name, entry["type"], {}, status, updated=now())
        self._begin(stack, "CREATE", self._build, outcome, self._slowness(stack))

    def update(
        self,
        stack: Stack,
        template: Template,
        parameters: dict[str, Any],
        tags: tuple[str, ...] | None,
        outcome: Outcome = FINE,
    ) -> None:
        """Begin to make the stack like that."""
        stack.template, stack.parameters, stack.updated = template, parameters, now()
        if tags is not None:
            self._cloud.stacks.retag(stack, tags)
        self._begin(stack, "UPDATE", self._build, outcome, self._slowness(stack))

    def delete(self, stack: Stack, outcome: Outcome = FINE) -> None:
        """Begin to delete; asked for again, it begins anew."""
        self._begin(stack, "DELETE", self._tear_down, outcome)

    def copy(self, stack: Stack, name: str, tags: tuple[str, ...]) -> Stack:
        """Add a complete stack of the same template and parameters, with resources of its own, made at once."""
        made = replace(
            stack, id=new_id(), number=self._cloud.stacks.next_number(), name=name, tags=tags, created=now(),
            updated=None, resources={}, events=[], traversal=0, busy_until=0.0,
        )  # fmt: skip
        self._cloud.stacks.add(made)
        self._build(made, "CREATE", FINE)
        self._set(made, "CREATE", "COMPLETE", "Stack CREATE completed successfully")
        return made

    def act(self, stack: Stack, action: str, outcome: Outcome = FINE) -> None:
        """Begin a CHECK, SUSPEND or RESUME; a check fails when a server is gone or stopped, and counts as an update."""
        stack.updated = now() if action == "CHECK" else stack.updated
        self._begin(stack, action, self._check if action == "CHECK" else lambda *_: None, outcome)

    def _begin(
        self,
        stack: Stack,
        action: str,
        work: Work,
        outcome: Outcome,
        slowness: float = 0.0,
    ) -> None:
        stack.traversal += 1
        self._cloud.projects[stack.project].actions[action] += 1
        self._set(stack, action, "IN_PROGRESS", f"Stack {action} started")
        if outcome.stuck:
            with suppress(EngineDiedError, ActionError):
                work(stack, action, outcome)
            return
        loop = asyncio.get_running_loop()
        begins = max(loop.time(), stack.busy_until)
        seconds = self._cloud.settings.seconds[action.lower()] + outcome.seconds + slowness
        stack.busy_until = begins + slowness
        limit = stack.timeout_mins * 60 if stack.timeout_mins else None
        if limit is not None and seconds > limit:
            seconds, outcome = limit, replace(outcome, late=True)
        loop.call_at(begins + seconds, self._end, stack, stack.traversal, action, work, outcome)

    def _end(self, stack: Stack, traversal: int, action: str, work: Work, outcome: Outcome) -> None:
        if stack.traversal != traversal or stack.gone:
            return
        try:
            if outcome.late:
                raise ActionError("Timed out")
            work(stack, action, outcome)
            if outcome.failure is not None:  # nothing of it was at work on
                raise ActionError(outcome.failure.reason(outcome.at))
        except ActionError as failed:
            self._set(stack, action, "FAILED", str(failed))
            if not stack.disable_rollback and action in ("CREATE", "UPDATE"):
                self._roll_back(stack)
            return
        partly = action == "CHECK" and any(one.type != "OS::Nova::Server" for one in stack.resources.values())
        more = ". 'CHECK' not fully supported (see resources)" if partly else ""
        self._set(stack, action, "COMPLETE", f"Stack {action} completed successfully{more}")
        if action == "DELETE":
            self._bury(stack)

    def _build(self, stack: Stack, action: str, outcome: Outcome) -> None:
        """Make, change, replace and free resources until the stack is like its template. Raises ActionError."""
        place = self._place(stack)
        evaluation = evaluation_of(stack)
        wanted = dict(evaluation.resources())
        order = [name for name in in_order(stack.template) if name in wanted]
        bad = self._bad(order, wanted, outcome)
        for name in order:
            properties = evaluation.properties(wanted[name])
            resource = stack.resources.get(name)
            if resource is not None and resource.made and resource.properties == properties:
                continue
            if resource is not None and not self._stays(resource, properties):
                resources.free(place, resource)
                resource = None
            resource = resource or Resource(name, wanted[name]["type"], {})
            resource.properties = properties
            stack.resources[name] = resource
            self._work_on(place, stack, resource, action, outcome if name == bad else FINE)
        for name in stack.resources.keys() - wanted.keys():
            resources.free(place, stack.resources.pop(name))

    def _work_on(self, place: Place, stack: Stack, resource: Resource, action: str, outcome: Outcome) -> None:
        action = action if resource.physical_id else "CREATE"
        self._note(stack, resource, f"{action}_IN_PROGRESS", "state changed")
        if outcome.stuck:
            raise EngineDiedError
        try:
            if outcome.failure is not None:
                raise outcome.failure
            resources.make(place, resource)
        except ResourceError as failed:
            raise self._failed(stack, resource, action, failed) from None
        self._note(stack, resource, f"{action}_COMPLETE", "state changed")

    def _tear_down(self, stack: Stack, action: str, outcome: Outcome) -> None:
        """Free the resources, the last first. Raises ActionError."""
        place, wanted = self._place(stack), dict(stack.template.resources)
        order = [name for name in reversed(in_order(stack.template)) if name in stack.resources]
        bad = self._bad(order, wanted, outcome)
        for name in order:
            resource = stack.resources[name]
            self._note(stack, resource, "DELETE_IN_PROGRESS", "state changed")
            if name == bad and outcome.stuck:
                raise EngineDiedError
            if name == bad and outcome.failure is not None:
                raise self._failed(stack, resource, action, outcome.failure)
            resources.free(place, resource)
            self._note(stack, stack.resources.pop(name), "DELETE_COMPLETE", "state changed")

    def _check(self, stack: Stack, action: str, _outcome: Outcome) -> None:
        place = self._place(stack)
        for resource in stack.resources.values():
            server = place.project.servers.get(resource.physical_id)
            if resource.type == "OS::Nova::Server" and (server is None or server.status != "ACTIVE"):
                missing = f"Instance {resource.physical_id} could not be found. (HTTP 404)"
                failure = ResourceError("NotFound", missing if server is None else f"server is {server.status}")
                raise self._failed(stack, resource, action, failure)

    def _roll_back(self, stack: Stack) -> None:
        """Only of a create: what there was before an update is not kept. The stack stays, and so does its name."""
        self._set(stack, "ROLLBACK", "IN_PROGRESS", f"Stack ROLLBACK started ({stack.reason})")
        if stack.updated is None:
            self._tear_down(stack, "DELETE", FINE)
        self._set(stack, "ROLLBACK", "COMPLETE", "Stack ROLLBACK completed successfully")

    def _bury(self, stack: Stack) -> None:
        stack.deleted = now()
        loop, linger = asyncio.get_running_loop(), self._cloud.settings.linger_seconds
        if linger:
            loop.call_later(linger, self._cloud.stacks.bury, stack)
        else:
            self._cloud.stacks.bury(stack)

    def _set(self, stack: Stack, action: str, state: str, reason: str) -> None:
        stack.status, stack.reason = f"{action}_{state}", reason
        event = Event(new_id(), now(), stack.name, "OS::Heat::Stack", stack.status, reason, stack.id)
        stack.events.append(event)

    def _note(self, stack: Stack, resource: Resource, status: str, reason: str) -> None:
        resource.status, resource.reason, resource.updated = status, reason, now()
        stack.events.append(Event(new_id(), now(), resource.name, resource.type, status, reason, resource.physical_id))

    def _failed(self, stack: Stack, resource: Resource, action: str, failed: ResourceError) -> ActionError:
        reason = failed.reason(resource.name)
        self._note(stack, resource, f"{action}_FAILED", reason)
        return ActionError(f"Resource {action} failed: {reason}")

    @staticmethod
    def _stays(resource: Resource, properties: dict[str, Any]) -> bool:
        """Tell whether it can become what is wanted; Heat replaces what failed, or what its check missed."""
        return resource.made and not resources.replaced_by(resource, properties)

    @staticmethod
    def _bad(order: list[str], wanted: dict[str, Any], outcome: Outcome) -> str:
        """Return where it fails: the resource named, else the server, else the first."""
        servers = [name for name in order if wanted[name].get("type") == "OS::Nova::Server"]
        return next(iter([name for name in order if name == outcome.at] + servers + order), "")

    def _slowness(self, stack: Stack) -> float:
        evaluation = evaluation_of(stack)
        return sum(resources.seconds_of(evaluation.properties(entry)) for _, entry in evaluation.resources())

    def _place(self, stack: Stack) -> Place:
        return Place(self._cloud, self._cloud.projects[stack.project])


def evaluation_of(stack: Stack) -> Evaluation:
    """Return the stack's values as they are now."""

    def reference(name: str) -> Any:
        resource = stack.resources.get(name)
        return (resource.physical_id or name) if resource else None

    def attribute(name: str, path: list[Any]) -> Any:
        found: Any = stack.resources[name].attributes if name in stack.resources else None
        for step in path:
            try:
                found = found[int(step)] if isinstance(found, list) else found[step]
            except (KeyError, IndexError, TypeError, ValueError):
                return None
        return found

    return Evaluation(stack.template, stack.parameters | _pseudo(stack), reference, attribute)


def previewed(stack: Stack, template: Template, parameters: dict[str, Any]) -> Evaluation:
    """Return the values that a preview sees: no resource has an id or an attribute yet.

    So Heat believes of whatever refers to another resource that it changes (measured against Heat 27.0.1).
    """
    return Evaluation(template, parameters | _pseudo(stack))


def _pseudo(stack: Stack) -> dict[str, Any]:
    return {"OS::stack_id": stack.id, "OS::stack_name": stack.name, "OS::project_id": stack.project}
