"""Claims: the operation that is stored before an effect, its first attempt or the next one."""

from __future__ import annotations

from stoker.api.operation import OperationSpec, OperationType, VirtualMachineOperation
from stoker.core.actions import Claim
from stoker.core.asked import retry_value
from stoker.core.identity import operation_name
from stoker.core.world import World


def specified(world: World, kind: OperationType, cause: str, *, sequence: int = 1) -> tuple[str, OperationSpec]:
    """Return the name and the content of an operation; the name makes a second claim of the same one a conflict."""
    metadata = world.vm.metadata
    spec = OperationSpec(
        vm_name=metadata.name,
        vm_id=world.identity.id,
        type=kind,
        cause=cause,
        sequence=sequence,
        generation=world.generation,
    )
    return operation_name(metadata.name, world.identity.id, kind, cause), spec


def first_claim(
    world: World, kind: OperationType, cause: str, *, sequence: int = 1, stack_id: str | None = None
) -> Claim:
    """Return the first attempt of an operation. Like every attempt, it answers a request to try now."""
    name, spec = specified(world, kind, cause, sequence=sequence)
    return Claim(name, spec, attempt=1, stack_id=stack_id, retry=retry_value(world))


def next_claim(world: World, operation: VirtualMachineOperation) -> Claim:
    """Return the operation's next attempt; one that had ended is open again."""
    attempt = operation.status.attempts + 1
    return Claim(operation.metadata.name, operation.spec, attempt, retry=retry_value(world))
