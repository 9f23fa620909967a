"""Power: which state of the server is asked for, and what Nova is asked to do for it.

`spec.powerState` is asked for once: by an edit of it, or of a new server that shall not run. What differs after it once
agreed is drift, and none of this module's. How such a command is claimed, sent and ended is in `core.jobs`.
"""

from __future__ import annotations

from dataclasses import dataclass

from stoker.api.base import GROUP
from stoker.api.operation import OperationState, OperationType
from stoker.api.virtualmachine import PowerState, VirtualMachine
from stoker.core.actions import Nothing, PowerServer
from stoker.core.attempts import Held
from stoker.core.common import LOOK_AGAIN, progress, trouble
from stoker.core.decision import Decision, Reason
from stoker.core.faults import one_line
from stoker.core.server import UNSEEN, PowerAction, ServerLook
from stoker.core.stack import Stack, Unknown
from stoker.core.world import World, is_open

RESTART_ANNOTATION = f"{GROUP}/restart"
"""Asks for a reboot, once for each value."""

LONGEST_REQUEST = 200
"""Characters of a request's id that tell it from another."""

TARGETS = {OperationType.START: PowerState.RUNNING, OperationType.STOP: PowerState.STOPPED}
ACTIONS = {
    OperationType.START: PowerAction.START,
    OperationType.STOP: PowerAction.STOP,
    OperationType.RESTART: PowerAction.REBOOT,
}


def waiting(reason: Reason, message: str, *, after: float = LOOK_AGAIN) -> Decision:
    """Return a decision to wait for what the next listings show."""
    return Decision(Nothing(), reason, message, requeue_after=after, moving=True, watching=True)


def unseen(world: World) -> Decision:
    """Say why the server, which is needed now, is not seen."""
    if isinstance(world.server, Unknown):
        return trouble(world.server.fault, after=LOOK_AGAIN, watching=True)
    return waiting(Reason.LOOKING, "Waiting for a look at the server.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An operation that is to be carried out; type and cause make its name."""

    type: OperationType
    cause: str
    sequence: int = 1


def server_id(world: World) -> str | None:
    """Return the id of the VM's server, from the newest outputs."""
    return (world.outputs.server_id if world.outputs else None) or world.vm.status.server_id


def look(world: World) -> ServerLook | None:
    """Return the look at the server, if one counts: begun after the last effect, and after the server's id was read."""
    since = max(world.last_effect, world.outputs.as_of if world.outputs else 0.0)
    match world.server:
        case ServerLook(as_of=as_of, server=server) as found if as_of > since:
            return None if server and server.status == UNSEEN else found
    return None


def applied(world: World) -> PowerState:
    """Return the power state that the server was last brought to; a new server runs."""
    status, server = world.vm.status, server_id(world)
    mine = (f"{world.vm.metadata.uid}/", f"/{server}")
    done = [
        operation
        for operation in world.operations
        if operation.spec.type in TARGETS
        and operation.status.state is OperationState.SUCCEEDED
        and operation.spec.cause.startswith(mine[0])
        and operation.spec.cause.endswith(mine[1])
    ]
    if done:
        return TARGETS[max(done, key=lambda operation: operation.spec.generation).spec.type]
    known = status.applied_power_state if status.server_id == server else None
    return known or PowerState.RUNNING


def asked(world: World) -> bool:
    """Tell whether the spec asks for another power state than the server was last brought to."""
    return world.vm.spec.power_state is not applied(world)


def request(vm: VirtualMachine) -> str:
    """Return the id of the newest request for a restart, or nothing."""
    return one_line(vm.metadata.annotations.get(RESTART_ANNOTATION, ""), LONGEST_REQUEST)


def looks_as_asked(vm: VirtualMachine, server: ServerLook | Unknown | None) -> bool:
    """Tell whether no operation on the server is asked for, under way or due, as far as status and listing show."""
    status, power = vm.status, vm.spec.power_state
    open_states = (OperationState.PENDING, OperationState.RUNNING)
    if power is not status.applied_power_state or (request(vm) or None) not in (None, status.restart_id):
        return False
    if status.operation and status.operation.state in open_states:
        return False
    return not isinstance(server, ServerLook) or (server.server is not None and server.server.state == power)


def restarted(world: World) -> str | None:
    """Return the id of the last request for a restart that is over; one from before the VM was Active is, too."""
    status, newest = world.vm.status, request(world.vm)
    ended = any(
        operation.spec.type is OperationType.RESTART and operation.spec.cause == newest and not is_open(operation)
        for operation in world.operations
    )
    return (newest or None) if ended or status.active_at is None else status.restart_id


def wanted(world: World) -> Wanted | None:
    """Return the start, stop or restart that is asked for; none of a server that is gone or broken."""
    seen = look(world)
    if seen and (seen.server is None or seen.server.broken):
        return None
    if asked(world):
        kind = next(kind for kind, target in TARGETS.items() if target is world.vm.spec.power_state)
        return Wanted(kind, f"{world.vm.metadata.uid}/{world.generation}/{server_id(world)}")
    newest = request(world.vm)
    if newest and newest != restarted(world):
        return Wanted(OperationType.RESTART, newest)
    return None


def act(world: World, stack: Stack, held: Held, action: PowerAction, reason: Reason) -> Decision:
    """Return the decision to ask Nova for it, under the claim that is held."""
    server = str(server_id(world))
    request = PowerServer(held.operation, held.attempt, stack.id, server, action)
    return progress(request, reason, f"Asking Nova to {action} the server {server}.")
