"""A decision: one action, why, and what a person can expect.

It is the only source of status, operation record, event, log line and metrics, so these cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stoker.api.errors import ErrorCode
from stoker.core.actions import Action
from stoker.core.catalog import Part
from stoker.core.faults import Fault


class Reason(StrEnum):
    """Why, when no error is the reason. Error codes are the other reasons; together they are the closed set."""

    ENROLLING = "Enrolling"
    RESERVING = "Reserving"
    RESERVED = "Reserved"
    CLAIMING = "Claiming"
    LOOKING = "Looking"
    CREATING = "Creating"
    AWAITING_ANSWER = "AwaitingAnswer"
    ADOPTING = "Adopting"
    IN_PROGRESS = "InProgress"
    READING_OUTPUTS = "ReadingOutputs"
    ACTIVE = "Active"
    CLEANING_UP = "CleaningUp"
    DUPLICATE_STACKS = "DuplicateStacks"
    PREVIEWING = "Previewing"
    UPDATING = "Updating"
    THROTTLED = "Throttled"
    STUCK = "Stuck"
    STARTING = "Starting"
    STOPPING = "Stopping"
    RESTARTING = "Restarting"
    REPAIRING = "Repairing"
    STOPPED = "Stopped"
    DRIFTED = "DriftFound"
    PAUSED = "Paused"
    PROTECTED = "TerminationProtected"
    DELETING = "Deleting"
    ABANDONED = "Abandoned"
    RETAINED = "Retained"
    DELETED = "Deleted"


class Outlook(StrEnum):
    """What a person can expect; the conditions follow from it."""

    PROGRESSING = "progressing"
    """On its way. Ready=False, Reconciling=True."""

    SETTLED = "settled"
    """As the spec asks. Ready=True."""

    RETRYING = "retrying"
    """Failed, and tried again by itself. Ready=False, Reconciling=True, lastError."""

    BLOCKED = "blocked"
    """Will not succeed until a person changes something. Ready=False, Stalled=True, lastError."""

    UNKNOWN = "unknown"
    """Cannot be seen. Ready=Unknown, Reconciling=True, lastError."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One action, its reason, and when to look again."""

    action: Action
    reason: Reason | ErrorCode
    message: str
    outlook: Outlook = Outlook.PROGRESSING
    requeue_after: float | None = None
    """Seconds until the next pass at the latest; None when an event or a listing will wake it."""

    moving: bool = False
    """True while something is under way in Heat: the tenant's poller looks often, and each listing wakes the VM."""

    watching: bool = False
    """True while the VM's server is awaited: the project's servers are listed often, and each listing wakes the VM."""

    fault: Fault | None = None
    """The error behind the decision, if any."""

    wants: frozenset[Part] = frozenset()
    """Parts of the tenant's catalog to be read again; the VM is woken when they were."""
