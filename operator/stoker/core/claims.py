"""Claims: the operation that is stored before an effect, its first attempt or the next one; and the idempotency key.

The first create of a VM with a key is named by the key, so the API server refuses a second one in the namespace.
"""

from __future__ import annotations

from stoker.api.errors import ErrorCode
from stoker.api.operation import KEY_LENGTH, OperationSpec, OperationType, VirtualMachineOperation
from stoker.core.actions import Claim
from stoker.core.asked import IDEMPOTENCY_KEY, retry_value
from stoker.core.common import trouble
from stoker.core.decision import Decision
from stoker.core.faults import Fault
from stoker.core.identity import digest, operation_name
from stoker.core.inputs import spec_hash
from stoker.core.world import World

CONFLICT_PAUSE = 60.0
"""Pause before it is looked at again whether a key is still used, seconds."""


def a_key_makes_one_stack(world: World) -> Decision | None:
    """Of two VMs of a namespace with one idempotency key, only the one whose create was stored first gets a stack."""
    key = _key(world)
    if key is None or world.create or world.recorded_id or world.ours:
        return None
    if len(key) > KEY_LENGTH or not key.isprintable():
        message = f"the annotation {IDEMPOTENCY_KEY} has 1 to {KEY_LENGTH} printable characters"
        return trouble(Fault(ErrorCode.INVALID_SPEC, message))
    if world.key_holder is None:
        return None
    first = world.key_holder.spec
    which = "the same" if first.spec_hash == spec_hash(world.vm.spec) else "another"
    message = f"the idempotency key was used before, for the VM {first.vm_name} ({first.vm_id}) with {which} spec"
    return trouble(Fault(ErrorCode.IDEMPOTENCY_CONFLICT, message), after=CONFLICT_PAUSE)


def specified(
    world: World, kind: OperationType, cause: str, *, sequence: int = 1, stack_name: str | None = None
) -> tuple[str, OperationSpec]:
    """Return the name and the content of an operation; the name makes a second claim of the same one a conflict."""
    metadata = world.vm.metadata
    spec = OperationSpec(
        vm_name=metadata.name,
        vm_id=world.identity.id,
        type=kind,
        cause=cause,
        sequence=sequence,
        generation=world.generation,
        stack_name=None if stack_name == world.identity.stack_name else stack_name,
    )
    return operation_name(metadata.name, world.identity.id, kind, cause), spec


def first_claim(
    world: World,
    kind: OperationType,
    cause: str,
    *,
    sequence: int = 1,
    stack_id: str | None = None,
    stack_name: str | None = None,
) -> Claim:
    """Return the first attempt of an operation. Like every attempt, it answers a request to try now."""
    name, spec = specified(world, kind, cause, sequence=sequence, stack_name=stack_name)
    key = _key(world)
    if key and kind is OperationType.CREATE and world.create is None:
        name = key_operation(key)
        spec = spec.model_copy(update={"idempotency_key": key, "spec_hash": spec_hash(world.vm.spec)})
    return Claim(name, spec, attempt=1, stack_id=stack_id, retry=retry_value(world))


def next_claim(world: World, operation: VirtualMachineOperation) -> Claim:
    """Return the operation's next attempt; one that had ended is open again."""
    attempt = operation.status.attempts + 1
    return Claim(operation.metadata.name, operation.spec, attempt, retry=retry_value(world))


def key_operation(key: str) -> str:
    """Return the name of the create operation that a key stands for in a namespace."""
    return f"key-create-{digest(key)}"


def _key(world: World) -> str | None:
    return world.vm.metadata.annotations.get(IDEMPOTENCY_KEY) or None
