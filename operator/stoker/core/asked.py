"""What people ask by annotation, beside the spec: pause, try again now, abandon, adopt. No rule is here, only what was asked.

An annotation is used and not spec, because it asks for something once, or of the operator, and is none of the VM's
properties; a GitOps tool leaves it alone.
"""

from __future__ import annotations

from dataclasses import replace

from stoker.api.base import GROUP
from stoker.core.actions import Enroll, Nothing, Settle
from stoker.core.decision import Decision, Outlook, Reason
from stoker.core.faults import one_line
from stoker.core.world import World

PAUSED = f"{GROUP}/paused"
RETRY = f"{GROUP}/retry"
ABANDON = f"{GROUP}/abandon"
ADOPT = f"{GROUP}/adopt-stack"
IDEMPOTENCY_KEY = f"{GROUP}/idempotency-key"

LONGEST_REQUEST = 64
"""Characters of a request to try again that count: it is kept in operations and status."""


def is_paused(world: World) -> bool:
    """Tell whether nothing is to be asked of OpenStack for the VM."""
    return world.vm.metadata.annotations.get(PAUSED) == "true"


def retry_value(world: World) -> str | None:
    """Return what the annotation says, used or not."""
    return one_line(world.vm.metadata.annotations.get(RETRY, ""), LONGEST_REQUEST) or None


def retry_asked(world: World) -> bool:
    """Tell whether a person asked to try now, and no attempt was claimed with that request yet."""
    value = retry_value(world)
    used = {world.vm.status.retry, *(operation.status.retry for operation in world.operations)}
    return value is not None and value not in used


def is_abandoned(world: World) -> bool:
    """Tell whether a person let go of this very VM, which counts once it is being deleted."""
    return world.vm.metadata.annotations.get(ABANDON) == world.identity.id


def stack_to_adopt(world: World) -> str | None:
    """Return the id of the stack that a VM is to adopt which never had one; afterwards the annotation means nothing."""
    if world.vm.status.stack or any(operation.status.stack_id for operation in world.operations):
        return None
    return world.vm.metadata.annotations.get(ADOPT) or None


def held_back(decision: Decision) -> Decision:
    """Return what a paused VM does instead: what Heat answered is still recorded, and nothing else is done.

    An action that is not named here, because it is new, is held back too. What is settled stays so, and what cannot be seen is unknown;
    everything else waits for a person.
    """
    match decision.action:
        case Enroll() | Settle(retained=False):
            return decision
        case Nothing() if decision.reason is Reason.LOOKING:
            return decision  # it passes with the next listing, which is of the project and goes on
    waits = isinstance(decision.action, Nothing)
    stays = decision.outlook in (Outlook.SETTLED, Outlook.UNKNOWN)
    return replace(
        decision,
        action=Nothing(),
        reason=Reason.PAUSED,
        message=f"Nothing is asked of OpenStack while the annotation {PAUSED} is true. {decision.message}",
        outlook=decision.outlook if stays else Outlook.BLOCKED,
        moving=waits and decision.moving,
    )


def explained(world: World, decision: Decision) -> Decision:
    """Return the decision on a VM that is being deleted, with what a person can do about whatever holds it."""
    if not isinstance(decision.action, Nothing):
        return decision
    said, asked = "", world.vm.metadata.annotations.get(ABANDON)
    if decision.outlook is not Outlook.PROGRESSING:
        left = f"the stack {world.recorded_id} is left as it is" if world.recorded_id else "what is in Heat is left"
        said = f" If that cannot be: with the annotation {ABANDON}={world.identity.id} the object goes, and {left}."
    if asked is not None and asked != world.identity.id:
        said = f" The annotation {ABANDON} does nothing: its value is not this VM's id, {world.identity.id}."
    return replace(decision, message=f"{decision.message}{said}")
