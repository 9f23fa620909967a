"""Words for people: how old, how a VM stands, what went wrong, who must act. Pure."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from stoker.api.errors import ErrorCode
from stoker.api.virtualmachine import VirtualMachine
from stoker.client.progress import Standing, Verdict, standing
from stoker.core.faults import POLICIES, Retry
from stoker.osvm.screen import STYLES, Cell

_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))

TRIED = {
    Retry.BACKOFF: "Stoker tries again by itself.",
    Retry.SLOW: "Stoker looks again by itself now and then; it goes on when that is mended.",
    Retry.NEVER: "Stoker waits for an edit of the spec.",
}


def age(then: datetime | None, now: datetime) -> str:
    """Return how long ago something was, in one or two units: 45s, 5m, 3h20m, 12d."""
    if then is None:
        return ""
    seconds = max(0, int((now - then).total_seconds()))
    for (unit, letter), (below, small) in pairwise(_UNITS):
        if seconds >= unit:
            rest = seconds % unit // below
            return f"{seconds // unit}{letter}{f'{rest}{small}' if rest and seconds < 10 * unit and unit > 60 else ''}"
    return f"{seconds}s"


def ready(vm: VirtualMachine) -> tuple[Cell, Cell]:
    """Return the cells READY and STATUS."""
    seen = standing(vm)
    words = {Verdict.READY: "True", Verdict.WAITING: "…", Verdict.STALLED: "False"}
    return (words[seen.verdict], STYLES[seen.verdict]), (seen.reason, STYLES[seen.verdict])


def what_to_do(vm: VirtualMachine, seen: Standing) -> list[str]:
    """Return what a person should know of a VM that is not ready: who must act, what happens by itself."""
    if seen.verdict is Verdict.READY or seen.reason not in set(ErrorCode):
        return []
    policy = POLICIES[ErrorCode(seen.reason)]
    operation = vm.status.operation
    due = f" Next try: {operation.next_retry_time:%H:%M:%S} UTC." if operation and operation.next_retry_time else ""
    name = f"kubectl osvm retry {vm.metadata.name} -n {vm.metadata.namespace}"
    now = f" To have it tried now: {name}" if policy.retry is not Retry.NEVER else ""
    return [f"Who must act: {policy.actor.value}.", f"{TRIED[policy.retry]}{due}{now}"]
