"""`describe`: a VM as a tree, from its object and its Events alone. Pure.

Users see no OpenStack, so the tree has what the status says of the stack; a part that the status does not tell is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text
from rich.tree import Tree

from stoker.api.conditions import ConditionStatus
from stoker.api.virtualmachine import VirtualMachine
from stoker.client.events import Event
from stoker.client.progress import Verdict, standing
from stoker.core.recorded import REQUESTED_BY
from stoker.osvm.screen import STYLES, clean
from stoker.osvm.words import age, what_to_do

EVENTS = 8
"""Events that are shown, the newest."""


def describe(vm: VirtualMachine, events: Sequence[Event], now: datetime) -> Tree:
    """Return the whole tree."""
    seen = standing(vm)
    head = Text.assemble(
        (clean(f"{vm.metadata.namespace}/{vm.metadata.name}"), "bold"), "  ", (seen.reason, STYLES[seen.verdict])
    )
    tree = Tree(head, guide_style="dim")
    if seen.verdict is not Verdict.READY:
        _trouble(tree, vm)
    _asked(tree, vm, now)
    _stack(tree, vm, now)
    _operation(tree, vm)
    _conditions(tree, vm, now)
    _events(tree, events, now)
    return tree


def _line(tree: Tree, label: str, value: str, style: str = "") -> Tree:
    return tree.add(Text.assemble((f"{label}: ", "cyan"), (clean(value), style)))


def _trouble(tree: Tree, vm: VirtualMachine) -> None:
    """Say what is wrong, or what is waited for, and what to do."""
    seen = standing(vm)
    stalled = seen.verdict is Verdict.STALLED
    branch = _line(tree, "what is wrong" if stalled else "waits for", seen.message, STYLES[seen.verdict])
    for sentence in what_to_do(vm, seen):
        branch.add(Text(clean(sentence)))


def _asked(tree: Tree, vm: VirtualMachine, now: datetime) -> None:
    spec = vm.spec
    asked = _line(tree, "asked for", f"{spec.template}, {spec.image}, {spec.flavor}, {spec.power_state.value}")
    by = vm.metadata.annotations.get(REQUESTED_BY)
    made = age(vm.metadata.creation_timestamp, now)
    _line(asked, "by", f"{by or 'unknown'}, {made} ago" if made else by or "unknown")
    for value, label in (
        (spec.key_name, "key pair"),
        (len(spec.ssh_authorized_keys) or None, "SSH keys"),
        ("from a Secret" if spec.user_data_from else "given" if spec.user_data else None, "user data"),
        ("the stack is as before" if vm.metadata.generation != vm.status.applied_generation else None, "not applied yet"),
        ("on" if spec.termination_protection else None, "termination protection"),
        (spec.deletion_policy.value if spec.deletion_policy.value != "Delete" else None, "deletion policy"),
    ):  # fmt: skip
        if value:
            _line(asked, label, str(value))


def _stack(tree: Tree, vm: VirtualMachine, now: datetime) -> None:
    """Draw the stack and what is in it."""
    status, spec, stack = vm.status, vm.spec, vm.status.stack
    if stack is None:
        _line(tree, "stack", "none yet", "dim")
        return
    branch = _line(tree, "stack", f"{stack.name} {stack.status or ''}".strip())
    if stack.id:
        _line(branch, "id", stack.id, "dim")
    if stack.status_reason and "FAILED" in (stack.status or ""):
        _line(branch, "Heat says", stack.status_reason, "red")
    applied = status.applied_generation == vm.metadata.generation  # else the stack is not what the spec asks for
    _done(branch, vm, now)
    if status.server_id:
        server = _line(branch, "server", f"{status.server_id} {status.power_state or ''}".strip())
        if applied:
            _line(server, "flavor", spec.flavor)
            _line(server, "image", spec.image)
    if status.private_ip:
        port = _line(branch, "port", status.private_ip)
        for rule in spec.ingress if applied else ():
            _line(port, "lets in", f"{rule.protocol.value} {rule.ports or ''} from {rule.cidr}")
    if status.public_ip:
        _line(branch, "floating IP", status.public_ip)
    sizes = {one.name: f", {one.size_gib} GiB{f', {one.type}' if one.type else ''}" for one in spec.volumes if applied}
    for volume in filter(None, status.volume_slots):
        _line(branch, "volume", f"{volume}{sizes.get(volume, '')}")


def _done(branch: Tree, vm: VirtualMachine, now: datetime) -> None:
    """Say what Heat did until a failure."""
    if not vm.status.events:
        return
    done = branch.add(Text("what Heat did last", style="cyan"))
    for event in vm.status.events:
        why = f": {event.reason}" if event.reason else ""
        when = f"{age(event.time, now)} ago " if event.time else ""
        done.add(Text(clean(f"{when}{event.resource} {event.status}{why}"), "red" if "FAILED" in event.status else ""))


def _operation(tree: Tree, vm: VirtualMachine) -> None:
    operation = vm.status.operation
    if operation is not None:
        tried = f", attempt {operation.attempts}" if operation.attempts > 1 else ""
        _line(tree, "last command", f"{operation.type} {operation.state}{tried} ({operation.id})")


def _conditions(tree: Tree, vm: VirtualMachine, now: datetime) -> None:
    if not vm.status.conditions:
        return
    branch = tree.add(Text("conditions", style="cyan"))
    told = {standing(vm).message} if standing(vm).verdict is not Verdict.READY else set()
    for condition in vm.status.conditions:
        old = "" if condition.observed_generation == vm.metadata.generation else ", of an older spec"
        since = age(condition.last_transition_time, now)
        good = condition.status is ConditionStatus.TRUE and condition.type == "Ready"
        said = f"{condition.type}={condition.status.value} {condition.reason} ({since}{old})"
        message = "" if condition.message in told else f": {clean(condition.message)}"  # each sentence once
        told.add(condition.message)
        branch.add(Text.assemble((clean(said), "green" if good else "yellow"), message))


def _events(tree: Tree, events: Sequence[Event], now: datetime) -> None:
    if not events:
        return
    branch = tree.add(Text("last events", style="cyan"))
    for event in events[-EVENTS:]:
        style = "yellow" if event.type == "Warning" else ""
        times = f" x{event.count}" if event.count > 1 else ""
        said = f"{age(event.time, now)} ago{times} {event.reason}"
        branch.add(Text.assemble((clean(said), style), f": {clean(event.message)}"))
