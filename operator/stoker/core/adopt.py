"""Rules for a VM that is to adopt a stack made by somebody else. `decide.PRESENT` gives their order, which is behaviour.

An adoption is a create whose stack is there already: claimed first, sent after a look that proves the stack nobody's,
and settled by our tags on it. The stack keeps its name, so it is acted on by the name that was found and its id. What
it differs in from the spec is then an edit like any other: previewed, and never rebuilt unasked.
"""

from __future__ import annotations

from stoker.api.errors import ErrorCode
from stoker.api.operation import OperationType, VirtualMachineOperation
from stoker.core.actions import AdoptStack, LookToAdopt
from stoker.core.asked import ADOPT, stack_to_adopt
from stoker.core.claims import first_claim, next_claim
from stoker.core.common import failed_attempt, progress, trouble
from stoker.core.decision import Decision, Reason
from stoker.core.faults import Fault, one_line
from stoker.core.stack import Candidate, Stack
from stoker.core.templates import OUTPUTS
from stoker.core.world import World, is_open

CAUSE = "adopt/"
"""How the cause of an adoption begins; the stack's id and the generation follow."""

LOOK_PAUSE = 60.0
"""Pause before a stack that was refused is looked at again, seconds."""

_OWNERS = ("stoker-cluster=", "stoker-vm=", "stoker-obj=")
"""How the tags begin that say whose a stack is."""


def an_adoption_follows_a_look_after_its_claim(world: World) -> Decision | None:
    """A stack gets our tags only after it was seen to be nobody's *after* the claim was stored."""
    if world.claimed is None or (stack_id := adopted_by(world.claimed[0])) is None:
        return None
    create, held = world.claimed
    if isinstance(world.admission, Fault):
        return failed_attempt(world, create, world.admission, stack_id=None)
    if stack_to_adopt(world) != stack_id:
        fault = Fault(ErrorCode.ADOPTION_REFUSED, f"the annotation {ADOPT} names the stack {stack_id} no more")
        return failed_attempt(world, create, fault, stack_id=None)
    seen = _seen(world, stack_id)
    if seen is None or seen.as_of <= held.since:
        return _look(stack_id)
    if isinstance(proven := nobodys(world, seen), Fault):
        return failed_attempt(world, create, proven, stack_id=None)
    action = AdoptStack(create.metadata.name, held.attempt, proven.name, stack_id)
    return progress(action, Reason.ADOPTING, f"Giving the stack {stack_id} the VM's tags.")


def a_stack_to_adopt_is_proven_first(world: World) -> Decision | None:
    """Nothing is stored for a stack that is not proven nobody's: what it lacks is said, and looked at again."""
    stack_id, create, again = stack_to_adopt(world), world.create, _again(world)
    if stack_id is None or (create and is_open(create) and not again):
        return None  # a create for something else is ended first
    if isinstance(world.admission, Fault):
        return trouble(world.admission, after=LOOK_PAUSE)
    seen = _seen(world, stack_id)
    if seen is None or world.clock > seen.as_of + LOOK_PAUSE:
        return _look(stack_id)
    if isinstance(proven := nobodys(world, seen), Fault):
        return trouble(proven, after=LOOK_PAUSE)
    if again:
        return progress(next_claim(world, again), Reason.CLAIMING, "Storing the next attempt of the adoption.")
    sequence = create.spec.sequence + 1 if create else 1
    cause = f"{CAUSE}{stack_id}/{world.generation}"
    claim = first_claim(world, OperationType.CREATE, cause, sequence=sequence, stack_name=proven.name)
    return progress(claim, Reason.CLAIMING, f"Storing the adoption of stack {stack_id}.")


# ---- parts


def adopted_by(create: VirtualMachineOperation) -> str | None:
    """Return the id of the stack that a create adopts, or None when it makes one."""
    cause = create.spec.cause
    return cause.removeprefix(CAUSE).partition("/")[0] if cause.startswith(CAUSE) else None


def is_for(world: World, create: VirtualMachineOperation) -> bool:
    """Tell whether the create is for what is asked for now: this spec, and the adoption of that stack or of none."""
    return create.spec.generation == world.generation and adopted_by(create) == stack_to_adopt(world)


def nobodys(world: World, seen: Candidate) -> Stack | Fault:
    """Return the stack if it may be adopted, else all that it lacks."""
    stack = seen.stack
    if stack is None:
        return _refused(seen, "the Tenant's project has no such stack")
    owners = sorted(tag for tag in stack.tags - world.identity.ownership_tags if tag.startswith(_OWNERS))
    missing = sorted(OUTPUTS - seen.outputs)
    reasons = (
        (stack.project != world.identity.project, "it lies in another project"),
        (owners, f"it carries the tags of another owner ({', '.join(owners)})"),
        (world.claimant, f"{world.claimant} has it, or asked for it first"),
        (not stack.complete, f"it is {stack.status}, and not complete"),
        (stack.complete and missing, f"it lacks the outputs {', '.join(missing)}"),
    )
    lacks = [reason for holds, reason in reasons if holds]
    return _refused(seen, *lacks) if lacks else stack


def _refused(seen: Candidate, *lacks: str) -> Fault:
    message = f"stack {one_line(seen.stack_id, 64)} is not adopted: {'; '.join(lacks)}"
    return Fault(ErrorCode.ADOPTION_REFUSED, one_line(message))


def _again(world: World) -> VirtualMachineOperation | None:
    """Return the create, if its next attempt is for what is asked for now."""
    return world.create if world.create and is_for(world, world.create) else None


def _seen(world: World, stack_id: str) -> Candidate | None:
    return world.candidate if world.candidate and world.candidate.stack_id == stack_id else None


def _look(stack_id: str) -> Decision:
    return progress(LookToAdopt(stack_id), Reason.LOOKING, f"Looking at the stack {one_line(stack_id, 64)}.")
