"""Status: derived anew on every pass, and unchanged when nothing changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from stoker.api.errors import ErrorCode
from stoker.api.quota import Amounts
from stoker.api.virtualmachine import Phase, VirtualMachineStatus
from stoker.core.common import call_failed
from stoker.core.decide import decide
from stoker.core.decision import Decision
from stoker.core.faults import Fault
from stoker.core.quota import Denied, Reserved, Unjudged
from stoker.core.stack import Outputs, StackEvent, StackEvents, Unknown
from stoker.core.status import derive
from stoker.core.world import World
from support.build import INPUTS, NOW, active, listing, operation, stack, vm, world

DOWN = Fault(ErrorCode.CLOUD_UNAVAILABLE, "list stacks: HTTP 503")


def passed(snapshot: World) -> tuple[VirtualMachineStatus, Decision]:
    """Return what one pass would write."""
    decision = decide(snapshot)
    return derive(snapshot, decision), decision


def kinds(status: VirtualMachineStatus) -> dict[str, str]:
    """Return the conditions, type → status."""
    return {condition.type: condition.status.value for condition in status.conditions}


def test_an_active_vm_is_ready_and_nothing_else() -> None:
    status, _ = passed(
        world(
            vm(),
            stack(),
            operations=(operation(state="Succeeded", outcome="Accepted"),),
            outputs=Outputs("s", "10.0.0.4"),
        )
    )
    assert kinds(status) == {"Ready": "True"}
    assert (status.phase, status.server_id, status.private_ip, status.public_ip) == (
        Phase.ACTIVE,
        "s",
        "10.0.0.4",
        None,
    )
    assert status.applied_generation == status.observed_generation == 1
    assert status.stack is not None
    assert (status.stack.inputs_hash, status.stack.template_version) == (INPUTS.hash, "ubuntu-basic@v1")


TOLD = tuple(
    StackEvent(f"e{n}", NOW, "server", "CREATE_FAILED", "no disk" if n == 11 else "") for n in reversed(range(12))
)


def test_what_heat_did_until_a_failure_is_shown_until_all_is_well() -> None:
    broken = stack("CREATE_FAILED")
    accepted = operation(outcome="Accepted", stack_id="s1")
    failing = world(None, broken, operations=(accepted,), events=StackEvents(broken, TOLD))
    failed, _ = passed(failing)
    assert len(failed.events) == 10
    newest, older = failed.events[:2]
    assert (newest.time, newest.resource, newest.status, newest.reason) == (NOW, "server", "CREATE_FAILED", "no disk")
    assert older.reason is None

    restarted, _ = passed(world(vm(events=failed.events), operations=(accepted,), events=None))
    assert restarted.events == failed.events
    removed, _ = passed(world(vm(), operations=(accepted,), events=StackEvents(broken, TOLD)))
    assert removed.events == failed.events, "the failed stack was removed before anything was said"
    again, _ = passed(
        world(vm(), stack("CREATE_IN_PROGRESS", id="s2"), operations=(accepted,), events=StackEvents(broken, TOLD))
    )
    assert again.events == (), "those of another stack tell nothing of this one"


def test_what_heat_did_before_all_was_well_is_not_shown_of_the_next_edit() -> None:
    accepted = operation(outcome="Accepted", stack_id="s1")
    broken, done = stack("CREATE_FAILED"), operation(state="Succeeded", outcome="Accepted", stack_id="s1")
    told = StackEvents(broken, TOLD)
    failed, _ = passed(world(vm(), broken, operations=(accepted,), events=told))
    well, _ = passed(world(active(events=failed.events), stack(), operations=(done,), events=told))
    assert (len(failed.events), well.events) == (10, ())
    later, _ = passed(world(active(events=well.events), stack("UPDATE_IN_PROGRESS"), operations=(done,), events=told))
    assert later.events == ()


def test_a_second_pass_changes_nothing() -> None:
    """Otherwise every write would cause the next, for ever."""
    first = world(vm(), stack("CREATE_IN_PROGRESS"), operations=(operation(outcome="Accepted", stack_id="s1"),))
    status, _ = passed(first)
    again = replace(first, vm=first.vm.model_copy(update={"status": status}), now=NOW + timedelta(seconds=9))
    assert passed(again)[0] == status


def test_the_transition_time_moves_only_with_the_status() -> None:
    status, _ = passed(world(vm(), stack("CREATE_IN_PROGRESS"), operations=(operation(outcome="Accepted"),)))
    later = world(vm(conditions=status.conditions), listing=Unknown(DOWN), now=NOW + timedelta(minutes=1))
    changed, _ = passed(later)
    before = {c.type: c.last_transition_time for c in status.conditions}
    after = {c.type: c.last_transition_time for c in changed.conditions}
    assert after["Reconciling"] == before["Reconciling"]
    assert after["Ready"] == NOW + timedelta(minutes=1)


def test_stalled_and_reconciling_never_come_together() -> None:
    blocked, _ = passed(world(admission=Fault(ErrorCode.TENANT_NOT_FOUND, "none")))
    unknown, _ = passed(world(listing=Unknown(DOWN)))
    assert kinds(blocked) == {"Ready": "False", "Stalled": "True"}
    assert kinds(unknown) == {"Ready": "Unknown", "Reconciling": "True"}


def test_what_cannot_be_seen_keeps_its_record() -> None:
    status, _ = passed(world(active(phase=Phase.ACTIVE, private_ip="10.0.0.4"), listing=Unknown(DOWN)))
    assert (status.phase, status.private_ip, status.server_id) == (Phase.ACTIVE, "10.0.0.4", "server")
    assert status.stack == active().status.stack


def test_an_error_keeps_its_first_time_and_goes_with_success() -> None:
    first, _ = passed(world(admission=Fault(ErrorCode.TENANT_NOT_FOUND, "none")))
    second, _ = passed(
        world(
            vm(last_error=first.last_error),
            admission=Fault(ErrorCode.TENANT_NOT_FOUND, "none"),
            now=NOW + timedelta(hours=1),
        )
    )
    healed, _ = passed(world(active(last_error=first.last_error), stack()))
    assert first.last_error is not None
    assert second.last_error == first.last_error
    assert healed.last_error is None


def test_claims_and_outcomes_show_at_once() -> None:
    claimed, _ = passed(world(operations=(operation(outcome="Failed", last_error="Timeout", attempts=2),)))
    settled, _ = passed(world(vm(), stack("CREATE_FAILED"), operations=(operation(outcome="Accepted", stack_id="s1"),)))
    assert claimed.operation is not None
    assert claimed.operation.attempts == 3
    assert settled.operation is not None
    assert settled.operation.next_retry_time is not None


def test_a_deleting_vm_shows_its_delete() -> None:
    from stoker.api.operation import OperationType

    status, _ = passed(
        world(
            active(deleting=True),
            stack("DELETE_IN_PROGRESS"),
            operations=(operation(OperationType.DELETE),),
            claimable=False,
        )
    )
    assert (status.phase, status.desired_state) == (Phase.DELETING, "Absent")
    assert status.operation is not None
    assert status.operation.type == "Delete"


def test_a_failed_delete_is_said_while_it_is_tried_again() -> None:
    snapshot = world(active(deleting=True), stack())
    status = derive(snapshot, call_failed(snapshot, Fault(ErrorCode.FORBIDDEN, "delete stack s1: no"), 3))
    assert kinds(status) == {"Ready": "False", "Reconciling": "True"}
    assert status.last_error is not None
    assert status.last_error.code is ErrorCode.FORBIDDEN


def test_a_failed_look_is_unknown() -> None:
    decision = call_failed(world(), DOWN, 1)
    assert decision.outlook == "unknown"
    assert decision.requeue_after is not None


def test_what_an_edit_no_longer_needs_is_given_back_when_it_is_applied_and_not_before() -> None:
    much, little = Amounts(vms=1, vcpus=4), Amounts(vms=1, vcpus=1)
    reserved = Reserved(much, little)
    done, updated = operation(state="Succeeded", outcome="Accepted", stack_id="s1"), Outputs("server", "10.0.0.4")
    smaller = world(active(generation=2, reserved=much), stack(), operations=(done,), outputs=updated, quota=reserved)

    applied, _ = passed(smaller)
    assert (applied.applied_generation, applied.reserved) == (2, little)

    waits, _ = passed(replace(smaller, listing=listing(stack("UPDATE_IN_PROGRESS"))))
    assert (waits.applied_generation, waits.reserved) == (1, much)
    settled, _ = passed(replace(smaller, vm=active(reserved=much)))
    assert settled.reserved == much, "an applied generation is applied once"
    unjudged, _ = passed(replace(smaller, quota=Unjudged()))
    assert unjudged.reserved == much


def test_the_condition_says_what_is_reserved_or_why_nothing_is() -> None:
    no_room = Denied(Fault(ErrorCode.QUOTA_EXCEEDED, "no room"))
    (*_, yes), (*_, no) = (
        passed(world(quota=quota))[0].conditions for quota in (Reserved(Amounts(vms=1), Amounts(vms=1)), no_room)
    )
    assert (yes.type, yes.status.value, yes.reason, yes.message) == (
        "QuotaReserved", "True", "Reserved", "Reserved are VMs: 1.",
    )  # fmt: skip
    assert (no.type, no.status.value, no.reason, no.message) == (
        "QuotaReserved", "False", "QuotaExceeded", no_room.fault.sentence,
    )  # fmt: skip
    assert "QuotaReserved" not in kinds(passed(world())[0])
    assert "QuotaReserved" not in kinds(passed(world(quota=Unjudged()))[0])
