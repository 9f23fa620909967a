"""What the scenarios of power and drift leave open: what actions hold, what is said, and what the status keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core.job_scenarios import (
    BUSY,
    DOWN,
    DUE_STOP,
    ERROR,
    GOOD_STOP,
    HALTED,
    LISTED,
    LONG_AGO,
    MARKED,
    OPEN_MISSING,
    OPEN_RESTART,
    OPEN_STACK,
    OPEN_STUCK,
    OUTPUTS,
    RUNS,
    SENT_MISSING,
    STOPPED,
    drifted,
    ended,
    foreign,
    held,
    machine,
    op,
    restart,
    restarting,
    stop,
    stopping,
    stuck,
    with_server,
)
from stoker.api.operation import OperationType
from stoker.api.virtualmachine import OperationStatus
from stoker.core.actions import Claim, ConvergeStack, MarkUnhealthy, PowerServer, Settle
from stoker.core.decide import decide
from stoker.core.drift import Kind, differences
from stoker.core.power import LONGEST_REQUEST, looks_as_asked, restarted
from stoker.core.server import PowerAction, Server
from stoker.core.stack import Unknown
from stoker.core.status import derive
from stoker.core.world import Refused, World
from support.build import CLOCK, NOW, UID, active, gone, looked, stack, vm, world


def drift(snapshot: World) -> list[str]:
    """Return what the condition Drifted says, if it is there."""
    conditions = derive(snapshot, decide(snapshot)).conditions
    return [condition.message for condition in conditions if condition.type == "Drifted"]


def kinds(snapshot: World) -> list[Kind]:
    return [difference.kind for difference in differences(snapshot) or ()]


# ---- actions


def test_a_stop_is_claimed_for_generation_and_server_and_sent_for_its_claim() -> None:
    claim = decide(stopping(RUNS)).action
    assert isinstance(claim, Claim)
    assert (claim.spec.type, claim.spec.cause, claim.attempt) == ("Stop", f"{UID}/2/server", 1)
    sent = decide(stopping(RUNS, stop(), held=held(stop()))).action
    assert sent == PowerServer(stop().metadata.name, 1, "s1", "server", PowerAction.STOP)


def test_the_next_attempt_of_a_stop_is_of_the_same_operation() -> None:
    claim = decide(stopping(RUNS, DUE_STOP)).action
    assert isinstance(claim, Claim)
    assert (claim.operation, claim.attempt) == (DUE_STOP.metadata.name, 2)


def test_a_restart_is_named_by_its_request_cut_to_a_line() -> None:
    snapshot = restarting(RUNS, vm={"asked": {"restart": "a\n" + "x" * 999}})
    claim = decide(snapshot).action
    assert isinstance(claim, Claim)
    assert claim.spec.cause.startswith("a x")
    assert len(claim.spec.cause) == LONGEST_REQUEST


def test_a_repair_is_counted_and_one_in_error_is_reset() -> None:
    claim = decide(drifted(ERROR, ended("power"))).action
    assert isinstance(claim, Claim)
    assert (claim.spec.cause, claim.spec.sequence) == (f"{UID}/1/broken/2", 2)
    first = op(OperationType.REPAIR, f"{UID}/1/broken/1")
    sent = decide(drifted(ERROR, first, held=held(first))).action
    assert isinstance(sent, PowerServer)
    assert sent.action is PowerAction.RESET


def test_the_server_s_own_resource_is_marked_and_the_stack_keeps_its_tags() -> None:
    fresh = replace(OUTPUTS, as_of=CLOCK - 5)
    mark = decide(drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=fresh, resources=LISTED)).action
    assert isinstance(mark, MarkUnhealthy)
    assert mark.resource == "machine"
    tagged = stack(tags=stack().tags | {"more=1"})
    snapshot = drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=fresh, resources=MARKED, made=tagged)
    converge = decide(snapshot).action
    assert isinstance(converge, ConvergeStack)
    old = {tag for tag in tagged.tags if not tag.startswith("stoker-op=")}
    assert set(converge.tags) == {*old, f"stoker-op={OPEN_MISSING.metadata.name}"}


def test_only_a_repair_of_the_stack_records_the_time_of_its_change() -> None:
    """Else a stop would make somebody's update ours."""
    made = stack("UPDATE_COMPLETE", by=SENT_MISSING.metadata.name, updated=NOW)
    repaired = decide(drifted(RUNS, SENT_MISSING, made=made)).action
    stopped = decide(stopping(HALTED, stop(), made=stack("UPDATE_COMPLETE", updated=NOW))).action
    assert isinstance(repaired, Settle)
    assert isinstance(stopped, Settle)
    assert (repaired.stack_changed, stopped.stack_changed) == (NOW, None)


def test_refusals_end_a_repair_after_a_while_and_a_stop_never() -> None:
    refused = {"sent": True, "answer": Refused(BUSY)}
    tired = op(OperationType.REPAIR, f"{UID}/1/power/1", attempts=5, failed_stacks=4)
    stop_again = stop(attempts=5, failed_stacks=4)
    repair, stopped = (
        decide(drifted(HALTED, tired, held=held(tired, **refused))).action,
        decide(stopping(RUNS, stop_again, held=held(stop_again, **refused))).action,
    )
    assert isinstance(repair, Settle)
    assert isinstance(stopped, Settle)
    assert (repair.state, stopped.state) == ("Failed", "Running")


# ---- what is said


def test_what_drifted_is_said_with_what_is_done_about_it() -> None:
    assert decide(with_server(machine(), gone())).message.endswith("gone. driftPolicy: Repair would put it right.")
    told = decide(drifted(HALTED, *(ended("power", n) for n in range(1, 6)))).message
    assert told.endswith("It was repaired 5 times; find out why.")
    waits = decide(drifted(HALTED, ended("power", ago=59)))
    assert waits.requeue_after == 1


def test_what_is_stuck_is_said_when_it_is_taken_up() -> None:
    assert "UPDATE_IN_PROGRESS since" in decide(stuck()).message
    assert decide(stopping(RUNS)).message == "Storing the stop operation."


def test_pauses_end_with_the_deadline() -> None:
    assert decide(stopping(RUNS, stop(), unresolved_since=CLOCK - 60)).requeue_after == 60
    late = stopping(looked(as_of=CLOCK - 90), stop(), unresolved_since=CLOCK - 200)
    assert decide(late).requeue_after == 1


def test_a_settled_vm_looks_again_when_what_does_no_harm_may_be_repaired() -> None:
    snapshot = foreign(ended("stack", ago=10))
    assert (decide(snapshot).reason, decide(snapshot).requeue_after) == ("Active", 50)
    assert decide(with_server(machine(), RUNS)).requeue_after is None


def test_a_difference_is_told_in_words() -> None:
    assert drift(with_server(machine(), ERROR)) == ["the server server is in ERROR: disk gone."]
    assert drift(with_server(machine(), looked("ERROR"))) == ["the server server is in ERROR."]
    assert drift(with_server(machine(), HALTED)) == ["the server is Stopped, and powerState is Running."]
    moved = with_server(machine(private_ip="10.9.9.9"), RUNS, outputs=replace(OUTPUTS, private_ip="10.9.9.9"))
    assert drift(moved) == ["the server has lost 10.9.9.9 (it has 10.0.0.4)."]


def test_several_differences_are_told_together() -> None:
    snapshot = with_server(machine(), gone(), made=stack("UPDATE_COMPLETE", updated=NOW))
    assert kinds(snapshot) == [Kind.MISSING, Kind.STACK]


def test_addresses_differ_only_where_nova_knows_some() -> None:
    mine = machine(private_ip="10.0.0.4", public_ip="172.24.0.1")
    assert kinds(with_server(mine, RUNS)) == [Kind.ADDRESSES]
    assert kinds(with_server(mine, looked(addresses=frozenset()))) == []
    assert kinds(with_server(mine, looked(addresses=frozenset({"10.0.0.4", "172.24.0.1"})))) == []
    assert kinds(with_server(machine(private_ip="10.0.0.4"), RUNS)) == []


def test_what_is_asked_for_is_no_drift() -> None:
    assert drift(stopping(RUNS)) == []


# ---- what the status keeps


def test_drift_stays_as_it_was_while_the_server_is_not_seen() -> None:
    seen = with_server(machine(), HALTED)
    status = derive(seen, decide(seen))
    blind = replace(seen, vm=seen.vm.model_copy(update={"status": status}), server=Unknown(DOWN))
    again = derive(blind, decide(blind))
    assert again.conditions == status.conditions
    assert again.power_state == "Stopped"
    back = replace(blind, server=RUNS)
    assert [condition.type for condition in derive(back, decide(back)).conditions] == ["Ready"]


def test_a_vm_that_goes_has_not_drifted() -> None:
    snapshot = with_server(active(deleting=True), HALTED)
    assert drift(snapshot) == []


def test_a_server_that_heat_just_made_runs() -> None:
    made = world(vm(), stack(), outputs=OUTPUTS)
    assert derive(made, decide(made)).power_state == "Running"
    updated = world(vm(), stack("UPDATE_COMPLETE"), outputs=OUTPUTS)
    assert derive(updated, decide(updated)).power_state is None
    lost = with_server(machine(), gone())
    assert derive(lost, decide(lost)).power_state is None


def test_the_applied_power_state_moves_with_the_operation_that_brought_it() -> None:
    before, after = stopping(RUNS), stopping(HALTED, GOOD_STOP)
    assert derive(before, decide(before)).applied_power_state == "Running"
    assert derive(after, decide(after)).applied_power_state == "Stopped"
    failed = stopping(RUNS, made=stack("UPDATE_FAILED"))
    assert derive(failed, decide(failed)).applied_power_state is None


def test_a_request_is_recorded_once_it_is_over_or_came_before_there_was_a_vm() -> None:
    assert restarted(restarting(RUNS)) is None
    assert restarted(restarting(RUNS, OPEN_RESTART)) is None
    assert restarted(restarting(RUNS, restart(state="Failed"))) == "r1"
    assert restarted(restarting(RUNS, vm={"active_at": None})) == "r1"
    assert restarted(restarting(RUNS, vm={"restart_id": "r0"})) == "r0"
    assert restarted(world(vm())) is None


def test_somebody_s_update_does_not_become_ours_by_being_seen() -> None:
    known = foreign(policy="Report")
    status = derive(known, decide(known))
    assert status.stack is not None
    assert status.stack.changed_at == NOW - timedelta(minutes=1)
    ours = foreign(op(OperationType.UPDATE, f"{UID}/1", state="Succeeded", outcome="Accepted", stack_changed_at=NOW))
    moved = derive(ours, decide(ours))
    assert moved.stack is not None
    assert moved.stack.changed_at == NOW
    first = world(vm(), stack("CREATE_IN_PROGRESS"))
    begun = derive(first, decide(first))
    assert begun.stack is not None
    assert begun.stack.changed_at is None


def test_of_what_looks_as_asked_no_operation_need_be_read() -> None:
    mine = machine(applied_power_state="Running")
    assert looks_as_asked(mine, RUNS)
    assert looks_as_asked(mine, None)
    assert looks_as_asked(mine, Unknown(DOWN))
    assert not looks_as_asked(mine, HALTED)
    assert not looks_as_asked(mine, gone())
    assert not looks_as_asked(machine(), RUNS)
    assert not looks_as_asked(machine(STOPPED, applied_power_state="Running"), RUNS)
    asked = {"applied_power_state": "Running", "asked": {"restart": "r1"}}
    assert not looks_as_asked(machine(**asked), RUNS)
    assert looks_as_asked(machine(**asked, restart_id="r1"), RUNS)
    assert looks_as_asked(machine(applied_power_state="Running", restart_id="r1"), RUNS)
    for state, is_over in (("Running", False), ("Pending", False), ("Succeeded", True)):
        status = OperationStatus(id="x", type="Repair", state=state)
        assert looks_as_asked(machine(applied_power_state="Running", operation=status), RUNS) is is_over


def test_a_server_is_what_nova_calls_it() -> None:
    """The hypervisor's word may be ahead of Nova's, whose actions go by its own."""
    words = [("ACTIVE", "Stopped"), ("SHUTOFF", "Running"), ("PAUSED", "Paused"), ("VERIFY_RESIZE", "NoState")]
    states = [Server("1", "a", status, power).state for status, power in words]
    assert states == ["Running", "Stopped", "Paused", "Verify_Resize"]


def test_a_stuck_stack_is_stuck_only_after_its_time() -> None:
    recent = stuck(OPEN_STUCK, OPEN_STACK)
    assert decide(replace(recent, last_effect=CLOCK - 2)).reason == "InProgress"
    assert LONG_AGO < NOW
