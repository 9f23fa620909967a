"""How a VM stands for whoever waits: as its spec asks, on its way, or in need of a person. Pure.

A condition of an older generation than the object's says nothing about the present spec.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stoker.api.conditions import Condition, ConditionStatus, ConditionType
from stoker.api.virtualmachine import VirtualMachine


class Verdict(StrEnum):
    """What a person can expect."""

    READY = "Ready"
    WAITING = "Waiting"
    """Stoker is on its way, or did not look yet."""

    STALLED = "Stalled"
    """It needs a person."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A VM's verdict with its reason and sentence."""

    verdict: Verdict
    reason: str
    message: str


UNSEEN = Standing(Verdict.WAITING, "NotObserved", "Stoker did not look at the present spec yet.")


def condition(vm: VirtualMachine, kind: ConditionType) -> Condition | None:
    """Return a condition of the VM's present spec, or None."""
    generation = vm.metadata.generation
    if vm.status.observed_generation != generation:
        return None
    found = (one for one in vm.status.conditions if one.type == kind and one.observed_generation == generation)
    return next(found, None)


def standing(vm: VirtualMachine) -> Standing:
    """Return how the VM stands. A deletion in progress is on its way, unless it is stalled."""
    ready, stalled = condition(vm, ConditionType.READY), condition(vm, ConditionType.STALLED)
    if ready is None:
        return UNSEEN
    verdict = Verdict.STALLED if stalled and stalled.status is ConditionStatus.TRUE else Verdict.WAITING
    if ready.status is ConditionStatus.TRUE and vm.metadata.deletion_timestamp is None:
        verdict = Verdict.READY
    return Standing(verdict, ready.reason, ready.message)


def is_ready(vm: VirtualMachine) -> bool:
    """Tell whether the VM is as its present spec asks; one that is stopped as asked is."""
    return standing(vm).verdict is Verdict.READY
