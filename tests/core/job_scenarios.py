"""The scenarios of power, restarts, drift and repairs: rows of the table in `test_scenarios`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from stoker.api.conditions import Condition, ConditionStatus
from stoker.api.errors import ErrorCode
from stoker.api.operation import OperationType, VirtualMachineOperation
from stoker.api.virtualmachine import PowerState, StackStatus
from stoker.core.actions import (
    Claim,
    ConvergeStack,
    DeleteStack,
    LookAtResources,
    LookById,
    MarkUnhealthy,
    Nothing,
    PowerServer,
    PreviewUpdate,
    ReadOutputs,
    Settle,
    UpdateStack,
)
from stoker.core.decision import Outlook
from stoker.core.faults import Fault
from stoker.core.stack import Outputs, Plan, Preview, Probe, Resource, Resources, Stack, Unknown
from stoker.core.world import Accepted, Held, Lost, Refused, World
from support.build import CLOCK, INPUTS, NOW, UID, active, gone, listing, looked, operation, stack, world

P, S, B, R, U = Outlook.PROGRESSING, Outlook.SETTLED, Outlook.BLOCKED, Outlook.RETRYING, Outlook.UNKNOWN

DONE = operation(state="Succeeded", outcome="Accepted", stack_id="s1")
OUTPUTS = Outputs("server", "10.0.0.4", as_of=CLOCK - 100)
LATER, EARLIER = NOW + timedelta(minutes=5), NOW - timedelta(minutes=5)
LONG_AGO = NOW - timedelta(days=1)
BUSY = Fault(ErrorCode.CONFLICT, "stop server: Cannot 'stop' instance while it is in task_state rebooting")
DOWN = Fault(ErrorCode.CLOUD_UNAVAILABLE, "list servers: HTTP 503")
HALTED, RUNS, WORKS = looked("SHUTOFF"), looked(), looked(task="powering-off")
ERROR = looked("ERROR", fault="disk gone")
STOPPED, RUNNING = PowerState.STOPPED, PowerState.RUNNING


def op(kind: OperationType, cause: str, **more: Any) -> VirtualMachineOperation:
    return operation(kind, cause=cause, **more)


def stop(generation: int = 2, server: str = "server", **more: Any) -> VirtualMachineOperation:
    return op(OperationType.STOP, f"{UID}/{generation}/{server}", generation=generation, **more)


def start(generation: int = 2, **more: Any) -> VirtualMachineOperation:
    return op(OperationType.START, f"{UID}/{generation}/server", generation=generation, **more)


def restart(**more: Any) -> VirtualMachineOperation:
    return op(OperationType.RESTART, "r1", **more)


def repair(kind: str, number: int = 1, generation: int = 1, **more: Any) -> VirtualMachineOperation:
    return op(
        OperationType.REPAIR, f"{UID}/{generation}/{kind}/{number}", sequence=number, generation=generation, **more
    )


def ended(kind: str, number: int = 1, ago: float = 600, generation: int = 1) -> VirtualMachineOperation:
    """Return a repair that ended so many seconds ago."""
    over = {"state": "Succeeded", "outcome": "Accepted", "completed_at": NOW - timedelta(seconds=ago)}
    return repair(kind, number, generation, **over)


def held(job: VirtualMachineOperation, since: float = CLOCK - 10, **more: Any) -> Held:
    return Held(job.metadata.name, job.status.attempts, since, **more)


def machine(power: PowerState = RUNNING, generation: int = 1, policy: str = "Report", **more: Any) -> Any:
    spec = {"powerState": power.value, "driftPolicy": policy, **more.pop("spec", {})}
    return active(spec=spec, generation=generation, **{"applied_generation": generation, **more})


def with_server(
    vm: Any, server: Any, *operations: VirtualMachineOperation, made: Stack | None = None, **more: Any
) -> World:
    """Return the world of a VM whose outputs are known and whose server looks like that."""
    known = {"operations": (DONE, *operations), "outputs": OUTPUTS, "server": server, **more}
    return world(vm, made or stack(), **known)


def stopping(server: Any, *operations: VirtualMachineOperation, **more: Any) -> World:
    """Return the world of a VM that was edited to be stopped."""
    return with_server(machine(STOPPED, 2), server, *operations, **more)


def restarting(server: Any, *operations: VirtualMachineOperation, power: PowerState = RUNNING, **more: Any) -> World:
    """Return the world of a VM with a request for a restart."""
    seen = {"asked": {"restart": "r1"}, "applied_power_state": power, **more.pop("vm", {})}
    return with_server(machine(power, **seen), server, *operations, **more)


def drifted(server: Any, *operations: VirtualMachineOperation, vm: dict[str, Any] | None = None, **more: Any) -> World:
    """Return the world of a VM whose drift is repaired."""
    return with_server(machine(policy="Repair", **(vm or {})), server, *operations, **more)


def foreign(*operations: VirtualMachineOperation, policy: str = "Repair", **more: Any) -> World:
    """Return the world of a VM whose stack somebody updated."""
    made = more.pop("made", None) or stack("UPDATE_COMPLETE", updated=NOW)
    return with_server(machine(policy=policy, **more.pop("vm", {})), RUNS, *operations, made=made, **more)


def stuck(*operations: VirtualMachineOperation, status: str = "UPDATE_IN_PROGRESS", **more: Any) -> World:
    return with_server(active(), RUNS, *operations, made=stack(status, updated=LONG_AGO), **more)


def recorded(**more: Any) -> StackStatus:
    return StackStatus(name="vm", id="s1", inputs_hash=INPUTS.hash, **more)


def said(reason: str, kind: str = "Ready") -> tuple[Condition, ...]:
    made = {"status": ConditionStatus.FALSE, "message": "The server is gone.", "last_transition_time": NOW}
    return (Condition(type=kind, reason=reason, **made),)


GONE = Probe(CLOCK - 1, "s1", None)


def vanished(probe: Probe | None = GONE, **more: Any) -> World:
    """Return the world of a VM whose server was said to be gone, and whose stack is gone since."""
    was = machine(conditions=said("DriftFound"), **more)
    return world(was, operations=(DONE,), server=gone(), outputs=OUTPUTS, probe=probe)


OPEN_STOP, SENT_STOP = stop(), stop(outcome="Accepted", stack_id="s1", started_at=NOW)
LATE_STOP = stop(outcome="Failed", last_error="Conflict", message="busy", next_retry_time=LATER)
DUE_STOP = stop(outcome="Failed", last_error="Conflict", message="busy", next_retry_time=EARLIER)
DEAD_STOP = stop(state="Failed", outcome="Failed", last_error="Conflict", message="busy")
GOOD_STOP = stop(state="Succeeded", outcome="Accepted")
OPEN_RESTART, SENT_RESTART = restart(), restart(outcome="Accepted", started_at=NOW)
OPEN_POWER, OPEN_MISSING, OPEN_BROKEN = repair("power"), repair("missing"), repair("broken")
OPEN_STACK, OPEN_STUCK = repair("stack"), repair("stuck")
SENT_MISSING, SENT_STUCK = (
    repair(kind, outcome="Accepted", stack_id="s1", started_at=NOW) for kind in ("missing", "stuck")
)
FRESH = replace(OUTPUTS, as_of=CLOCK - 5)
LISTED = Resources(CLOCK - 5, "s1", (Resource("port", "OS::Neutron::Port", "CREATE_COMPLETE", physical_id="p"),
    Resource("machine", "OS::Nova::Server", "CREATE_COMPLETE", physical_id="server", gone=True)))  # fmt: skip
MARKED = replace(LISTED, resources=(replace(LISTED.resources[1], status="CHECK_FAILED"),))
BACK = Preview(CLOCK - 5, "s1", INPUTS.hash, Plan(updated=("server",)))
COSTLY = replace(BACK, plan=Plan(replaced=("server",), types={"server": "OS::Nova::Server"}))

POWER_ROWS = {
    "a VM that is to be stopped is stopped by an operation": (stopping(RUNS), Claim, "Claiming", P),
    "a VM that is made to be stopped is stopped once it is there": (
        with_server(machine(STOPPED), RUNS), Claim, "Claiming", P),
    "what is stopped already is recorded as an operation, too": (stopping(HALTED), Claim, "Claiming", P),
    "a stop is sent after a look": (stopping(RUNS, OPEN_STOP, held=held(OPEN_STOP)), PowerServer, "Stopping", P),
    "a look from before the claim does not count for a stop": (
        stopping(RUNS, OPEN_STOP, held=held(OPEN_STOP, since=CLOCK)), Nothing, "Looking", P),
    "a server that Nova works on is waited for": (
        stopping(looked(task="image_snapshot"), OPEN_STOP, held=held(OPEN_STOP)), Nothing, "Looking", P),
    "a stop needs Nova": (stopping(Unknown(DOWN), OPEN_STOP, held=held(OPEN_STOP)), Nothing, "CloudUnavailable", R),
    "a server in a cell that is down is not seen": (
        stopping(looked("UNKNOWN"), OPEN_STOP, held=held(OPEN_STOP)), Nothing, "Looking", P),
    "a look from before the outputs proves nothing of their server": (
        stopping(gone(), OPEN_STOP, held=held(OPEN_STOP), outputs=replace(OUTPUTS, as_of=CLOCK)), Nothing, "Looking", P),
    "the answer to a stop is recorded": (
        stopping(RUNS, OPEN_STOP, held=held(OPEN_STOP, sent=True, answer=Accepted("s1"))), Settle, "Adopting", P),
    "a refused stop is recorded": (
        stopping(RUNS, OPEN_STOP, held=held(OPEN_STOP, sent=True, answer=Refused(BUSY))), Settle, "Conflict", R),
    "a stop whose answer was lost may still land": (
        stopping(RUNS, OPEN_STOP, held=held(OPEN_STOP, sent=True, answer=Lost(DOWN)), unresolved_since=CLOCK - 60),
        Nothing, "AwaitingAnswer", P),
    "a stop that a process left may still land": (
        stopping(RUNS, OPEN_STOP, unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "a stop whose answer was lost is settled by its server": (
        stopping(HALTED, OPEN_STOP, unresolved_since=CLOCK - 60), Settle, "Stopping", P),
    "a stop that did nothing before its deadline failed": (
        stopping(RUNS, OPEN_STOP, unresolved_since=CLOCK - 200), Settle, "Timeout", R),
    "the deadline of a stop needs a look at the server after it": (
        stopping(looked(as_of=CLOCK - 90), OPEN_STOP, unresolved_since=CLOCK - 200), Nothing, "AwaitingAnswer", P),
    "an accepted stop is waited for": (stopping(WORKS, SENT_STOP), Nothing, "Stopping", P),
    "a server at work is not stopped yet": (stopping(looked("SHUTOFF", task="powering-off"), SENT_STOP), Nothing, "Stopping", P),
    "an accepted stop is settled by its server": (stopping(HALTED, SENT_STOP), Settle, "Stopping", P),
    "an accepted stop that never comes failed": (
        stopping(RUNS, stop(outcome="Accepted", started_at=LONG_AGO)), Settle, "Timeout", R),
    "a stop accepted at an unknown time is waited for": (stopping(RUNS, stop(outcome="Accepted")), Nothing, "Stopping", P),
    "a refused stop waits for its time": (stopping(RUNS, LATE_STOP), Nothing, "Conflict", R),
    "a refused stop is tried again": (stopping(RUNS, DUE_STOP), Claim, "Claiming", P),
    "a stop that failed for good waits for an edit": (stopping(RUNS, DEAD_STOP), Nothing, "Conflict", B),
    "an edit follows a stop that failed for good with another": (
        with_server(machine(STOPPED, 3), RUNS, DEAD_STOP), Claim, "Claiming", P),
    "a stop of another generation is ended before it is sent, and claimed anew": (
        with_server(machine(STOPPED, 3), RUNS, OPEN_STOP, held=held(OPEN_STOP)), Settle, "Claiming", P),
    "a stop that is not wanted any more is ended": (with_server(machine(generation=3), RUNS, LATE_STOP), Settle, "Claiming", P),
    "a stop under way is waited for, whatever the spec says": (
        with_server(machine(generation=3), WORKS, SENT_STOP), Nothing, "Stopping", P),
    "a VM that was stopped is started by an edit": (
        with_server(machine(generation=3, applied_power_state=STOPPED), HALTED), Claim, "Claiming", P),
    "a start is sent after a look": (
        with_server(machine(generation=3, applied_power_state=STOPPED), HALTED, start(3), held=held(start(3))),
        PowerServer, "Starting", P),
    "a stopped VM is settled": (with_server(machine(STOPPED, applied_power_state=STOPPED), HALTED), Nothing, "Stopped", S),
    "a stop that succeeded is what was asked for, before the status says so": (stopping(HALTED, GOOD_STOP), Nothing, "Stopped", S),
    "a stop of another generation is older than the newest start": (
        with_server(machine(generation=3), RUNS, GOOD_STOP, start(3, state="Succeeded")), Nothing, "Active", S),
    "a stop that failed stopped nothing": (with_server(machine(generation=3), RUNS, DEAD_STOP), Nothing, "Active", S),
    "an update that succeeded is no start": (
        stopping(HALTED, GOOD_STOP, op(OperationType.UPDATE, f"{UID}/3/server", generation=3, state="Succeeded", outcome="Accepted")), Nothing, "Stopped", S),
    "a stop of the object's life before is none of this one": (
        stopping(RUNS, op(OperationType.STOP, "x/2/server", state="Succeeded")), Claim, "Claiming", P),
    "another server is stopped anew": (stopping(RUNS, stop(server="old", state="Succeeded")), Claim, "Claiming", P),
    "another server than the recorded one runs at first": (
        with_server(machine(STOPPED, 2, applied_power_state=STOPPED, server_id="old"), RUNS), Claim, "Claiming", P),
    "without the outputs, the recorded server counts": (
        with_server(machine(STOPPED, applied_power_state=STOPPED), HALTED, outputs=None), Nothing, "Stopped", S),
    "a stack that failed to update can be stopped": (stopping(RUNS, made=stack("UPDATE_FAILED")), Claim, "Claiming", P),
    "a stack that failed in another way is left alone": (stopping(RUNS, made=stack("CHECK_FAILED")), Nothing, "StackFailed", B),
    "a server of a stack in progress is left alone": (stopping(RUNS, made=stack("UPDATE_IN_PROGRESS")), Nothing, "InProgress", P),
    "an answer that is recorded is not recorded again": (
        stopping(WORKS, SENT_STOP, held=held(SENT_STOP, sent=True, answer=Accepted("s1"))), Nothing, "Stopping", P),
    "an accepted stop of a server that is gone is waited for": (stopping(gone(), SENT_STOP), Nothing, "Stopping", P),
    "an accepted stop has its whole deadline": (
        stopping(RUNS, stop(outcome="Accepted", started_at=NOW - timedelta(seconds=600))), Nothing, "Stopping", P),
    "a reboot by somebody else is no stop": (
        stopping(looked("REBOOT", task="rebooting"), OPEN_STOP, unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "a look that began with the claim is not newer for a stop": (
        stopping(looked(as_of=CLOCK - 10), OPEN_STOP, held=held(OPEN_STOP)), Nothing, "Looking", P),
    "what its spec calls otherwise is no resize without an edit": (
        with_server(machine(STOPPED, applied_power_state=STOPPED, spec={"flavor": "m1.small"}), HALTED), Nothing, "Stopped", S),
    "a stop comes before an update": (
        with_server(machine(STOPPED, 2, applied_generation=1), RUNS, made=stack(inputs="other")), Claim, "Claiming", P),
    "without a stack nothing is stopped": (
        with_server(machine(STOPPED, 2), RUNS, SENT_STOP, listing=listing(), unresolved_since=CLOCK - 200), LookById, "Looking", P),
    "without a stack a claimed stop is not sent": (
        with_server(machine(STOPPED, 2), RUNS, OPEN_STOP, held=held(OPEN_STOP), listing=listing()), LookById, "Looking", P),
    "a resize waits until the VM is started": (
        with_server(machine(STOPPED, 2, applied_power_state=STOPPED, applied_generation=1, spec={"flavor": "m1.small"}), HALTED,
                    made=stack(inputs="other")), Nothing, "ServerStopped", B),
    "a resize of a server that somebody stopped waits as well": (
        with_server(machine(generation=2, applied_generation=1, spec={"flavor": "m1.small"}, power_state="Stopped"), HALTED,
                    made=stack(inputs="other")), Nothing, "ServerStopped", B),
    "an edit of a stopped VM waits for a look at its server": (
        with_server(machine(STOPPED, 2, applied_power_state=STOPPED, applied_generation=1), None, made=stack(inputs="other")),
        Nothing, "Looking", P),
    "another edit of a stopped VM is previewed": (
        with_server(machine(STOPPED, 2, applied_power_state=STOPPED, applied_generation=1), HALTED, made=stack(inputs="other")),
        PreviewUpdate, "Previewing", P),
    "a resize of a VM that runs again is previewed": (
        with_server(machine(generation=2, applied_generation=1, spec={"flavor": "m1.small"}, power_state="Stopped"), RUNS,
                    made=stack(inputs="other")), PreviewUpdate, "Previewing", P),
    "an edit of a VM whose server is gone is previewed": (
        with_server(machine(generation=2, applied_generation=1, power_state="Stopped"), gone(), made=stack(inputs="other")),
        PreviewUpdate, "Previewing", P),
    "an edit of a VM that runs needs no look at its server": (
        with_server(machine(generation=2, applied_generation=1), None, made=stack(inputs="other")), PreviewUpdate, "Previewing", P),
}  # fmt: skip

RESTART_ROWS = {
    "a restart is an operation": (restarting(RUNS), Claim, "Claiming", P),
    "a restart is sent after a look": (restarting(RUNS, OPEN_RESTART, held=held(OPEN_RESTART)), PowerServer, "Restarting", P),
    "a restart of a stopped VM fails": (
        restarting(HALTED, OPEN_RESTART, held=held(OPEN_RESTART), power=STOPPED), Settle, "Restarting", P),
    "a restart whose answer was lost waits for a look": (
        restarting(None, OPEN_RESTART, unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "another request ends a restart that waits": (
        restarting(RUNS, op(OperationType.RESTART, "r0", outcome="Failed")), Settle, "Claiming", P),
    "an accepted restart is waited for": (restarting(looked("REBOOT", task="rebooting"), SENT_RESTART), Nothing, "Restarting", P),
    "an accepted restart is over when the server runs": (restarting(RUNS, SENT_RESTART), Settle, "Restarting", P),
    "a restart whose server runs is not over before it is sent": (
        restarting(RUNS, OPEN_RESTART, unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "a restart whose answer was lost landed when Nova is seen at it": (
        restarting(looked("REBOOT", task="rebooting"), OPEN_RESTART, unresolved_since=CLOCK - 60), Settle, "Adopting", P),
    "another task is no restart": (
        restarting(looked(task="image_snapshot"), OPEN_RESTART, unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "a restart whose answer was lost is never asked for again": (
        restarting(RUNS, OPEN_RESTART, unresolved_since=CLOCK - 200), Settle, "Restarting", P),
    "an accepted restart that never ends is given up": (
        restarting(looked(task="rebooting"), restart(outcome="Accepted", started_at=LONG_AGO)), Settle, "Restarting", P),
    "a refused restart is tried again": (
        restarting(RUNS, restart(outcome="Failed", last_error="Conflict", message="x", next_retry_time=EARLIER)), Claim, "Claiming", P),
    "a refused restart waits for its time, whatever was edited since": (
        restarting(RUNS, restart(outcome="Failed", last_error="Conflict", message="x", next_retry_time=LATER),
                   vm={"generation": 2}), Nothing, "Conflict", R),
    "a request that failed is over": (restarting(RUNS, restart(state="Failed", outcome="Failed")), Nothing, "Active", S),
    "a request that is recorded is over": (restarting(RUNS, vm={"restart_id": "r1"}), Nothing, "Active", S),
    "a request from before there was a VM is over": (restarting(RUNS, vm={"active_at": None}), Nothing, "Active", S),
    "another request's restart is none of this one": (
        restarting(RUNS, op(OperationType.RESTART, "r0", state="Succeeded")), Claim, "Claiming", P),
    "a create of the same cause is no restart": (
        restarting(RUNS, op(OperationType.UPDATE, "r1", state="Succeeded", outcome="Accepted")), Claim, "Claiming", P),
    "a request that is taken back is ended": (with_server(machine(), RUNS, restart(outcome="Failed")), Settle, "Claiming", P),
    "a VM that is to be stopped is not restarted": (
        restarting(RUNS, power=STOPPED, vm={"generation": 2, "applied_power_state": None}), Claim, "Claiming", P),
    "a restart after a lost create answer is no tag's matter": (
        restarting(RUNS, OPEN_RESTART, unresolved_since=CLOCK - 60, made=stack(by=OPEN_RESTART.metadata.name)), Settle, "Adopting", P),
}  # fmt: skip

DRIFT_ROWS = {
    "a server that somebody stopped is reported": (with_server(machine(), HALTED), Nothing, "DriftFound", B),
    "a server that somebody started is reported": (
        with_server(machine(STOPPED, applied_power_state=STOPPED), RUNS), Nothing, "DriftFound", B),
    "a server that somebody paused is reported": (with_server(machine(), looked("PAUSED", power="Paused")), Nothing, "DriftFound", B),
    "a server that is gone is reported": (with_server(machine(), gone()), Nothing, "DriftFound", B),
    "a server in ERROR is reported": (with_server(machine(), ERROR), Nothing, "DriftFound", B),
    "a server that is gone is not stopped": (with_server(machine(STOPPED, 2), gone()), Nothing, "DriftFound", B),
    "a server in ERROR is not stopped": (with_server(machine(STOPPED, 2), ERROR), Nothing, "DriftFound", B),
    "a server that Nova works on is judged when it rests": (with_server(machine(), looked("SHUTOFF", task="powering-on")), Nothing, "Active", S),
    "a look from before the last effect shows no drift": (
        with_server(machine(), gone(as_of=CLOCK - 5), last_effect=CLOCK - 3), Nothing, "Active", S),
    "a look that began with the last effect shows no drift": (
        with_server(machine(), gone(as_of=CLOCK - 3), last_effect=CLOCK - 3), Nothing, "Active", S),
    "without Nova another condition is not the VM's": (
        with_server(machine(conditions=(*said("DriftFound", "Drifted"), *said("Active"))), Unknown(DOWN)), Nothing, "Active", S),
    "a stack from long ago is not stuck": (
        with_server(machine(stack=recorded(changed_at=LONG_AGO)), RUNS, made=stack(created=LONG_AGO)), Nothing, "Active", S),
    "without Nova a VM is as it was": (with_server(machine(), Unknown(DOWN)), Nothing, "Active", S),
    "before the first listing of servers a VM is as it was": (with_server(machine(), None), Nothing, "Active", S),
    "without Nova drift that was seen is still said": (
        with_server(machine(conditions=said("DriftFound")), Unknown(DOWN)), Nothing, "DriftFound", B),
    "a stack that vanished after its server was said to be gone is looked at": (vanished(probe=None), LookById, "Looking", P),
    "a stack that vanished after its server was said to be gone is made anew": (vanished(), Claim, "StackMissing", R),
    "a stack that vanished after its server was said to be gone is reported when asked": (
        vanished(spec={"onStackMissing": "Error"}), Nothing, "StackMissing", B),
    "without Nova what was said of something else is not drift": (
        with_server(machine(conditions=said("Stuck")), Unknown(DOWN)), Nothing, "Active", S),
    "a stack that somebody updated leaves the VM Ready": (foreign(policy="Report"), Nothing, "Active", S),
    "a server that lost its address leaves the VM Ready": (
        with_server(machine(private_ip="10.9.9.9", policy="Repair"), RUNS), Nothing, "Active", S),
    "drift does not hold back an edit": (
        with_server(machine(generation=2, applied_generation=1), ERROR, made=stack(inputs="other")), PreviewUpdate, "Previewing", P),
}  # fmt: skip

REPAIR_ROWS = {
    "a server that somebody stopped is started by a repair": (drifted(HALTED), Claim, "Claiming", P),
    "a power repair starts the server": (drifted(HALTED, OPEN_POWER, held=held(OPEN_POWER)), PowerServer, "Repairing", P),
    "a power repair is over when the power agrees": (drifted(RUNS, OPEN_POWER, held=held(OPEN_POWER)), Settle, "Repairing", P),
    "a power repair that nobody answered may still land": (drifted(HALTED, OPEN_POWER, unresolved_since=CLOCK - 60), Nothing, "AwaitingAnswer", P),
    "a repair that is not allowed any more is ended": (
        with_server(machine(), HALTED, repair("power", outcome="Failed")), Settle, "Claiming", P),
    "a repair of something else is ended": (drifted(gone(), repair("power", outcome="Failed")), Settle, "Repairing", P),
    "a repair that is not the first thing any more is ended": (
        drifted(gone(), repair("stack", outcome="Failed"), made=stack("UPDATE_COMPLETE", updated=NOW)), Settle, "Claiming", P),
    "a power repair follows a look at the server": (
        drifted(looked("SHUTOFF", as_of=CLOCK - 5), OPEN_POWER, held=held(OPEN_POWER, since=CLOCK - 3)), Nothing, "Looking", P),
    "a server of a stack that failed to update is not repaired": (
        drifted(HALTED, made=stack("UPDATE_FAILED")), Nothing, "StackFailed", B),
    "a server that is gone is made anew before an edit": (
        with_server(machine(generation=2, policy="Repair", applied_generation=1), gone(), made=stack(inputs="other")), Claim, "Claiming", P),
    "a request to try now is repaired, whatever the pause": (
        drifted(HALTED, ended("power", ago=1), vm={"asked": {"retry": "now"}}), Claim, "Claiming", P),
    "and that repair goes on": (
        drifted(HALTED, ended("power", ago=1), repair("power", 2), held=held(repair("power", 2))), PowerServer, "Repairing", P),
    "a second repair follows a pause": (drifted(HALTED, ended("power", ago=59)), Nothing, "DriftFound", R),
    "a second repair follows its pause": (drifted(HALTED, ended("power", ago=60)), Claim, "Claiming", P),
    "a third repair follows a longer pause": (
        drifted(HALTED, ended("power", ago=600), ended("power", 2, ago=119)), Nothing, "DriftFound", R),
    "five repairs are enough": (
        drifted(HALTED, *(ended("power", n, ago=9000) for n in range(1, 6))), Nothing, "DriftFound", B),
    "five repairs are enough, whenever the last was": (
        drifted(HALTED, *(ended("power", n, ago=1) for n in range(1, 6))), Nothing, "DriftFound", B),
    "an edit counts repairs anew": (
        drifted(HALTED, *(ended("power", n, ago=1) for n in range(1, 6)), vm={"generation": 2}), Claim, "Claiming", P),
    "a repair that ended at an unknown time is long over": (
        drifted(HALTED, repair("power", state="Failed", outcome="Failed")), Claim, "Claiming", P),
    "a stop is no repair": (
        drifted(HALTED, op(OperationType.STOP, f"{UID}/1/power/1", state="Failed", outcome="Failed", completed_at=NOW)), Claim, "Claiming", P),
    "a server that is gone is made anew: its id is read again first": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING)), ReadOutputs, "ReadingOutputs", P),
    "and without outputs as well": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=None,
                vm={"generation": 1}), ReadOutputs, "ReadingOutputs", P),
    "between two looks a repair goes on": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=replace(OUTPUTS, as_of=CLOCK)), Nothing, "Looking", P),
    "between two looks a stop is no repair": (
        drifted(None, op(OperationType.STOP, f"{UID}/0/server", outcome="Failed")), Settle, "Claiming", P),
    "then its resource is looked for": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=FRESH), LookAtResources, "Looking", P),
    "outputs from the time of the claim do not count": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=replace(OUTPUTS, as_of=CLOCK - 10)),
        ReadOutputs, "ReadingOutputs", P),
    "resources of another stack do not count": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=FRESH, resources=replace(LISTED, stack_id="s0")),
        LookAtResources, "Looking", P),
    "resources from before the claim do not count": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=FRESH, resources=replace(LISTED, as_of=CLOCK - 10)),
        LookAtResources, "Looking", P),
    "resources from before the mark do not count": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=FRESH, resources=LISTED, last_effect=CLOCK - 3),
        LookAtResources, "Looking", P),
    "then it is marked": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=FRESH, resources=LISTED), MarkUnhealthy, "Repairing", P),
    "a server that Nova has by id is not made anew, whatever is listed": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=FRESH,
                resources=replace(LISTED, resources=(replace(LISTED.resources[1], gone=False),))), Settle, "Conflict", R),
    "a server in ERROR that may be made anew need not be gone": (
        drifted(ERROR, repair("broken", attempts=2), held=held(repair("broken", attempts=2)), outputs=FRESH,
                resources=replace(LISTED, resources=(replace(LISTED.resources[1], gone=False),)),
                vm={"spec": {"allowReplace": True}}), MarkUnhealthy, "Repairing", P),
    "a server that no resource is cannot be repaired": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=FRESH, resources=replace(LISTED, resources=())),
        Settle, "TemplateInvalid", B),
    "then the stack is taken up": (
        drifted(gone(), OPEN_MISSING, held=held(OPEN_MISSING), outputs=FRESH, resources=MARKED), ConvergeStack, "Repairing", P),
    "a repair that landed is settled by its tag": (
        drifted(gone(), OPEN_MISSING, made=stack(by=OPEN_MISSING.metadata.name), unresolved_since=CLOCK - 60), Settle, "Adopting", P),
    "after a failed attempt the tag proves no other repair": (
        drifted(gone(), repair("missing", attempts=2), made=stack(by=OPEN_MISSING.metadata.name), unresolved_since=CLOCK - 60),
        Nothing, "AwaitingAnswer", P),
    "after a repair the outputs are read again": (
        drifted(gone(), SENT_MISSING, outputs=None, made=stack("UPDATE_COMPLETE", by=SENT_MISSING.metadata.name, updated=NOW)),
        ReadOutputs, "ReadingOutputs", P),
    "before it was sent they are not": (
        drifted(HALTED, OPEN_POWER, held=held(OPEN_POWER), outputs=None), PowerServer, "Repairing", P),
    "after a stop they are not": (
        stopping(WORKS, SENT_STOP, outputs=None), Nothing, "Stopping", P),
    "a repair is over when the new server is there": (
        drifted(RUNS, SENT_MISSING, made=stack("UPDATE_COMPLETE", by=SENT_MISSING.metadata.name, updated=NOW)), Settle, "Repairing", P),
    "a repair whose stack is complete waits for its server": (
        drifted(gone(), SENT_MISSING, made=stack("UPDATE_COMPLETE", by=SENT_MISSING.metadata.name, updated=NOW)),
        Nothing, "Repairing", P),
    "a repair that failed is recorded with the resource's reason": (
        drifted(gone(), SENT_MISSING, made=stack("UPDATE_FAILED", by=SENT_MISSING.metadata.name, updated=NOW, reason="No valid host")),
        Settle, "NoValidHost", B),
    "what failed before a repair is not the repair's": (
        drifted(gone(), SENT_MISSING, made=stack("UPDATE_FAILED", updated=NOW)), Nothing, "Repairing", P),
    "a server in ERROR is reset first": (drifted(ERROR, OPEN_BROKEN, held=held(OPEN_BROKEN)), PowerServer, "Repairing", P),
    "a server in ERROR is not made anew unasked": (
        drifted(ERROR, repair("broken", attempts=2), held=held(repair("broken", attempts=2))), PowerServer, "Repairing", P),
    "a server in ERROR is made anew where its data may be lost": (
        drifted(ERROR, repair("broken", attempts=2), held=held(repair("broken", attempts=2)), vm={"spec": {"allowReplace": True}}),
        ReadOutputs, "ReadingOutputs", P),
    "a server in ERROR is reset first, also where its data may be lost": (
        drifted(ERROR, OPEN_BROKEN, held=held(OPEN_BROKEN), vm={"spec": {"allowReplace": True}}), PowerServer, "Repairing", P),
    "a stack that somebody updated is put right by a repair": (foreign(), Claim, "Claiming", P),
    "a stack that somebody updated is put right by an edit": (
        foreign(vm={"generation": 2, "applied_generation": 1}, made=stack("UPDATE_COMPLETE", inputs="other", updated=NOW)),
        PreviewUpdate, "Previewing", P),
    "what somebody updated before an edit that needs none is put right by a repair": (
        foreign(vm={"generation": 2, "applied_generation": 1}), Claim, "Claiming", P),
    "another stack than the recorded one is no drift": (
        foreign(made=stack("UPDATE_COMPLETE", id="s2", updated=NOW), vm={"server_id": "server"}, policy="Repair"), Nothing, "Active", S),
    "a stack whose change was never recorded is no drift": (foreign(vm={"stack": recorded()}), Nothing, "Active", S),
    "a check changes nothing": (foreign(made=stack("CHECK_COMPLETE", updated=NOW)), Nothing, "Active", S),
    "a stack's update that is ours is no drift": (
        foreign(op(OperationType.UPDATE, f"{UID}/1", state="Succeeded", outcome="Accepted", stack_changed_at=NOW)), Nothing, "Active", S),
    "a stack that was never recorded is no drift": (foreign(vm={"stack": None}), Nothing, "Active", S),
    "what somebody changed is previewed before it is changed back": (
        foreign(OPEN_STACK, held=held(OPEN_STACK)), PreviewUpdate, "Previewing", P),
    "a preview of other inputs does not count for a repair": (
        foreign(OPEN_STACK, held=held(OPEN_STACK), preview=replace(BACK, inputs_hash="x")), PreviewUpdate, "Previewing", P),
    "a preview from before the claim does not count for a repair": (
        foreign(OPEN_STACK, held=held(OPEN_STACK), preview=replace(BACK, as_of=CLOCK - 10)), PreviewUpdate, "Previewing", P),
    "what somebody changed is changed back": (
        foreign(OPEN_STACK, held=held(OPEN_STACK), preview=BACK), UpdateStack, "Repairing", P),
    "unless that would cost the server": (
        foreign(OPEN_STACK, held=held(OPEN_STACK), preview=COSTLY), Settle, "UpdateWouldReplace", B),
    "or its data may be lost": (
        foreign(OPEN_STACK, held=held(OPEN_STACK), preview=COSTLY, vm={"spec": {"allowReplace": True}}), UpdateStack, "Repairing", P),
    "or Heat refuses it": (
        foreign(OPEN_STACK, held=held(OPEN_STACK), preview=replace(BACK, plan=BUSY)), Settle, "Conflict", R),
    "or it is not admitted any more": (
        foreign(OPEN_STACK, held=held(OPEN_STACK), admission=BUSY), Settle, "Conflict", R),
    "a stack's repair follows a look at the stack": (
        foreign(OPEN_STACK, held=held(OPEN_STACK, since=CLOCK)), Nothing, "Looking", P),
    "a stack's repair needs no look at a server at rest": (
        with_server(machine(policy="Repair"), Unknown(DOWN), OPEN_STUCK, held=held(OPEN_STUCK),
                    made=stack("UPDATE_IN_PROGRESS", updated=LONG_AGO)), ConvergeStack, "Repairing", P),
}  # fmt: skip

STUCK_ROWS = {
    "a stuck stack is taken up by a repair, whatever driftPolicy says": (stuck(), Claim, "Stuck", P),
    "a stuck stack is taken up after a look": (stuck(OPEN_STUCK, held=held(OPEN_STUCK)), ConvergeStack, "Repairing", P),
    "a stack that is taken up is left alone": (
        with_server(active(), RUNS, SENT_STUCK, made=stack("UPDATE_IN_PROGRESS", updated=NOW)), Nothing, "InProgress", P),
    "a stack that is stuck again has its repair fail": (
        stuck(repair("stuck", outcome="Accepted", started_at=LONG_AGO)), Settle, "Timeout", R),
    "a stack's repair has more time than a stop": (
        stuck(repair("stuck", outcome="Accepted", started_at=NOW - timedelta(seconds=3000))), Nothing, "Repairing", P),
    "a stack's repair is over when the stack is complete": (
        with_server(active(), None, SENT_STUCK, made=stack("UPDATE_COMPLETE", updated=NOW)), Settle, "Repairing", P),
    "a stuck stack that is not taken up any more is said": (
        stuck(*(ended("stuck", n) for n in range(1, 6))), Nothing, "Stuck", B),
    "a deletion that is stuck is asked for again": (stuck(status="DELETE_IN_PROGRESS"), DeleteStack, "Stuck", P),
}  # fmt: skip

JOB_ROWS = {**POWER_ROWS, **RESTART_ROWS, **DRIFT_ROWS, **REPAIR_ROWS, **STUCK_ROWS}
