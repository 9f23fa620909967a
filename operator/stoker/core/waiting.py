"""What a VM says while its call to OpenStack waits: for its turn, or for a cloud that is not called at all."""

from __future__ import annotations

from stoker.core.actions import Claim, Enroll, Nothing, Release, Retain, Settle
from stoker.core.common import trouble
from stoker.core.decision import Decision, Outlook, Reason
from stoker.core.faults import Fault
from stoker.core.world import World

WORTH_SAYING = 5.0
"""Shortest wait that is said in a status, seconds."""

LOCAL = (Nothing, Enroll, Claim, Settle, Retain, Release)
"""Actions that ask nothing of OpenStack. What is not named here waits its turn."""


def throttled(decision: Decision, seconds: float, scope: str) -> Decision:
    """Return what is said while the rate limit of a user, tenant or cloud delays the decision's call."""
    message = f"The next call to OpenStack waits: the {scope}'s rate limit is reached."
    return Decision(Nothing(), Reason.THROTTLED, message, requeue_after=seconds, moving=decision.moving)


def suspended(world: World, decision: Decision, fault: Fault, seconds: float) -> Decision:
    """Return what is said while the cloud is not called: nothing is known to be wrong with the VM."""
    outlook = Outlook.RETRYING if world.deleting else Outlook.UNKNOWN
    return trouble(fault, outlook=outlook, after=seconds, moving=decision.moving)


def soon_over(decision: Decision) -> bool:
    """Tell whether the wait is too short to be said."""
    return decision.reason is Reason.THROTTLED and (decision.requeue_after or 0.0) < WORTH_SAYING
