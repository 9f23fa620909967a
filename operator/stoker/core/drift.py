"""Drift: what differs from what Stoker left, although nobody asked for it. Whether to repair it is in `core.repair`.

Nothing here asks Heat to check: its `check` marks what it dislikes, a stopped server too, and the next update replaces
that (measured against Heat 27.0.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stoker.core.identity import tag_value
from stoker.core.power import asked, look
from stoker.core.server import Server
from stoker.core.stack import Stack
from stoker.core.world import World, is_open


class Kind(StrEnum):
    """What differs."""

    MISSING = "missing"
    BROKEN = "broken"
    POWER = "power"
    STACK = "stack"
    ADDRESSES = "addresses"


HARMFUL = {Kind.MISSING, Kind.BROKEN, Kind.POWER}
"""With these the VM is not as its spec asks: it is not Ready."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs, as a phrase for people."""

    kind: Kind
    phrase: str


def differences(world: World) -> tuple[Difference, ...] | None:
    """Return what differs; None while that is not known: the server is not seen or at work, the stack not complete."""
    stack, seen = world.kept, look(world)
    if stack is None or not stack.complete or seen is None:
        return None
    if seen.server is None:
        return (Difference(Kind.MISSING, f"the server {seen.server_id} is gone"), *_of_stack(world, stack))
    if seen.server.task:
        return None
    return (*_of_server(world, seen.server), *_of_stack(world, stack), *_of_addresses(world, seen.server))


def _of_server(world: World, server: Server) -> tuple[Difference, ...]:
    if server.broken:
        why = f": {server.fault}" if server.fault else ""
        return (Difference(Kind.BROKEN, f"the server {server.id} is in {server.status}{why}"),)
    power = world.vm.spec.power_state
    if asked(world) or server.state == power:
        return ()
    return (Difference(Kind.POWER, f"the server is {server.state}, and powerState is {power}"),)


def _of_stack(world: World, stack: Stack) -> tuple[Difference, ...]:
    """An update that is none of ours shows by its time; a check has one, too, and changes nothing."""
    known = world.vm.status.stack
    if known is None or known.id != stack.id or known.changed_at is None or explained(world, stack):
        return ()
    if stack.action == "CHECK" or stack.changed == known.changed_at:
        return ()
    return (Difference(Kind.STACK, f"the stack was updated at {stack.changed:%Y-%m-%dT%H:%M:%SZ}, not by Stoker"),)


def explained(world: World, stack: Stack) -> bool:
    """Tell whether the stack's last change is that of an operation of ours."""
    by = tag_value(stack.tags, "stoker-op")
    return any(
        operation.status.stack_changed_at == stack.changed if not is_open(operation) else operation.metadata.name == by
        for operation in world.operations
    )


def _of_addresses(world: World, server: Server) -> tuple[Difference, ...]:
    """Nova tells addresses from a cache that may be empty."""
    status = world.vm.status
    wanted = [address for address in (status.private_ip, status.public_ip) if address]
    lost = [address for address in wanted if address not in server.addresses]
    if not server.addresses or not lost:
        return ()
    has = ", ".join(sorted(server.addresses))
    return (Difference(Kind.ADDRESSES, f"the server has lost {', '.join(lost)} (it has {has})"),)
