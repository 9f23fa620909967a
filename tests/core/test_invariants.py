"""What holds in every scenario, whatever rule answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.test_scenarios import SCENARIOS
from stoker.api.errors import ErrorCode
from stoker.core.actions import CreateStack, DeleteStack, Nothing
from stoker.core.decide import decide
from stoker.core.decision import Decision, Outlook
from stoker.core.faults import Fault
from stoker.core.identity import FINALIZER
from stoker.core.quota import Unjudged
from stoker.core.stack import Outputs, Unknown
from stoker.core.status import derive
from stoker.core.world import World
from support.build import active, operation, stack, world

ACCEPTED = operation(outcome="Accepted", stack_id="s1")
DONE = operation(state="Succeeded", outcome="Accepted", stack_id="s1")
ROWS = pytest.mark.parametrize("snapshot", [row[0] for row in SCENARIOS.values()], ids=SCENARIOS)


def written(snapshot: World) -> tuple[World, Decision]:
    """Return the world after its status was written, and its decision."""
    status = derive(snapshot, decide(snapshot))
    again = replace(
        snapshot, vm=snapshot.vm.model_copy(update={"status": status}), now=snapshot.now + timedelta(milliseconds=1)
    )
    return again, decide(again)


@ROWS
def test_status_is_stable(snapshot: World) -> None:
    """A status that changed without a reason would wake the VM by its own write, for ever."""
    second, decision = written(snapshot)
    third = derive(second, decision)
    assert derive(replace(second, vm=second.vm.model_copy(update={"status": third})), decision) == third


@ROWS
def test_conditions_are_ready_and_at_most_one_other(snapshot: World) -> None:
    decision = decide(snapshot)
    kinds = [c.type for c in derive(snapshot, decision).conditions if c.type != "Drifted"]
    other = {Outlook.SETTLED: [], Outlook.BLOCKED: ["Stalled"]}.get(decision.outlook, ["Reconciling"])
    quota = [] if isinstance(snapshot.quota, Unjudged | None) else ["QuotaReserved"]
    assert kinds == ["Ready", *other, *quota]


@ROWS
def test_a_decision_says_why(snapshot: World) -> None:
    decision = decide(snapshot)
    assert decision.message.endswith(".")
    if isinstance(decision.reason, ErrorCode):
        assert decision.fault is not None
        assert decision.fault.code is decision.reason


@ROWS
def test_what_waits_and_moves_looks_again(snapshot: World) -> None:
    decision = decide(snapshot)
    if isinstance(decision.action, Nothing) and decision.outlook in (Outlook.PROGRESSING, Outlook.RETRYING):
        leaving = FINALIZER not in snapshot.vm.metadata.finalizers
        assert leaving or (decision.requeue_after or 0) > 0


@ROWS
def test_in_the_dark_nothing_is_made_or_deleted(snapshot: World) -> None:
    dark = replace(snapshot, listing=Unknown(Fault(ErrorCode.CLOUD_UNAVAILABLE, "down")), named=None)
    assert not isinstance(decide(dark).action, CreateStack | DeleteStack)


@ROWS
def test_without_its_claim_in_hand_nothing_is_created(snapshot: World) -> None:
    assert not isinstance(decide(replace(snapshot, held=None)).action, CreateStack)


@ROWS
def test_a_stack_without_our_tags_is_never_deleted(snapshot: World) -> None:
    def stripped(look):
        return replace(look, stacks=tuple(replace(s, tags=frozenset()) for s in look.stacks)) if look else None

    if isinstance(snapshot.listing, Unknown):
        return
    bare = replace(snapshot, listing=stripped(snapshot.listing), named=stripped(snapshot.named))
    assert not isinstance(decide(bare).action, DeleteStack)


def test_a_secret_in_heat_s_reason_reaches_no_status() -> None:
    reason = "Resource CREATE failed: password=hunter22 was refused"
    snapshot = world(None, stack("CREATE_FAILED", reason=reason), operations=(ACCEPTED,))
    assert "hunter22" not in derive(snapshot, decide(snapshot)).model_dump_json()


def test_a_vm_that_was_edited_away_from_its_stack_is_not_of_its_generation_until_it_is_edited_back() -> None:
    edited = world(active(generation=2), stack(inputs="other"), operations=(DONE,), outputs=Outputs("server"))
    back = world(active(generation=3), stack(), operations=(DONE,), outputs=Outputs("server"))
    assert decide(edited).reason == "Previewing"
    assert derive(edited, decide(edited)).applied_generation == 1
    assert (decide(back).reason, derive(back, decide(back)).applied_generation) == ("Active", 3)
