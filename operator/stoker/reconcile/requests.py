"""Which request an action is: its name in the metrics, and the one call that makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from stoker.core.actions import (
    AdoptStack,
    ConvergeStack,
    CreateStack,
    DeleteStack,
    MarkUnhealthy,
    PowerServer,
    UpdateStack,
)
from stoker.core.identity import Identity
from stoker.openstack.base import Created, Project

Change = CreateStack | AdoptStack | UpdateStack | ConvergeStack | DeleteStack | MarkUnhealthy | PowerServer
"""Actions that change a cloud."""

Request = Callable[[Project], Created]

ADOPTED = "adopted"
"""What an adopted stack has for the hash of its inputs: that of none of ours, so what differs is seen."""

WHY_UNHEALTHY = "Stoker: the server is gone or in ERROR"


def request_of(action: Change, identity: Identity, minutes: int) -> tuple[str, Request]:  # noqa: PLR0911 -- a row a kind
    """Return the action's name and its request; `minutes` is the stack's time-out."""
    match action:
        case CreateStack(operation, _, inputs):
            name, tags = identity.stack_name, identity.tags(operation, inputs.hash, *inputs.tags)
            return "create", lambda project: project.heat.create(name, tags, inputs, timeout_minutes=minutes)
        case AdoptStack(operation, _, name, stack):
            tags = identity.tags(operation, ADOPTED)
            return "adopt", lambda project: Created(stack, project.heat.adopt(name, stack, tags))
        case UpdateStack(operation, _, name, stack, inputs):
            tags = identity.tags(operation, inputs.hash, *inputs.tags)
            return "update", lambda project: Created(
                stack, project.heat.update(name, stack, tags, inputs, timeout_minutes=minutes)
            )
        case ConvergeStack(_, _, name, stack, tags):
            return "converge", lambda project: Created(
                stack, project.heat.converge(name, stack, tags, timeout_minutes=minutes)
            )
        case DeleteStack(name, stack):
            return "delete", lambda project: Created(stack, project.heat.delete(name, stack))
        case MarkUnhealthy(name, stack, resource):
            return "mark", lambda project: Created(
                stack, project.heat.mark_unhealthy(name, stack, resource, WHY_UNHEALTHY)
            )
        case PowerServer(_, _, stack, server, power):
            return power.value, lambda project: Created(stack, project.compute.act(server, power))
        case _:
            assert_never(action)
