"""Perform: one action, one call. Results go into the process's memory; the next pass decides what they mean."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import assert_never

from stoker import metrics
from stoker.api.errors import ErrorCode
from stoker.api.operation import OperationType, VirtualMachineOperation
from stoker.api.virtualmachine import EVENTS
from stoker.core.actions import (
    AdoptStack,
    Claim,
    ConvergeStack,
    CreateStack,
    DeleteStack,
    Enroll,
    LookAtResources,
    LookById,
    LookByName,
    LookToAdopt,
    MarkUnhealthy,
    Nothing,
    PowerServer,
    PreviewUpdate,
    ReadEvents,
    ReadOutputs,
    Release,
    Retain,
    Settle,
    UpdateStack,
)
from stoker.core.asked import retry_value
from stoker.core.audit import Record
from stoker.core.decision import Decision
from stoker.core.faults import Fault, Retry
from stoker.core.inputs import Inputs
from stoker.core.stack import Candidate, Plan, Preview, Resources, Stack, StackEvent, StackEvents
from stoker.core.world import Accepted, Held, Lost, Refused, World
from stoker.kube.client import KubeError
from stoker.kube.marks import Marks
from stoker.kube.objects import Objects
from stoker.openstack.base import CloudError, Project
from stoker.reconcile.memory import VmCache, VmMemory
from stoker.reconcile.requests import Change, Request, request_of
from stoker.reconcile.tenants import TenantRuntime
from stoker.reconcile.trail import Trail


class Effects:
    """Performs actions. `may_act` raises when the lease no longer allows one; `epoch` is the lease's."""

    def __init__(
        self,
        objects: Objects,
        cache: VmCache,
        may_act: Callable[[], None],
        epoch: Callable[[], int],
        stack_timeout: int,
        trail: Trail,
        marks: Marks,
    ) -> None:
        self._objects, self._cache, self._trail, self._marks = objects, cache, trail, marks
        self._may_act, self._epoch, self._stack_timeout = may_act, epoch, stack_timeout

    async def perform(self, world: World, decision: Decision, memory: VmMemory, runtime: TenantRuntime | None) -> None:
        """Do it, and remember what came of it; what is to be recorded is so before it is done.

        Raises KubeError when a guarded write is refused, and CloudError when a look or a delete failed: both are
        simply done again. What came of a create is remembered instead, because it may have landed. Raises AuditError
        when the record could not be written: then nothing was done.
        """
        action, intent = decision.action, self._trail.intent(world, decision)
        match action:
            case Nothing():
                return
            case Enroll() | Release() | Claim() | Settle() | Retain():
                try:
                    async with self._trail.around(intent):
                        self._may_act()
                        await self._store(world, action, memory)
                except KubeError as error:
                    if error.reason != "NamespaceTerminating" or not world.deleting:
                        raise
                    memory.claimable = False
                    return
                metrics.observe_write(type(action).__name__.lower())
            case (
                LookByName()
                | LookById()
                | LookToAdopt()
                | LookAtResources()
                | ReadEvents()
                | ReadOutputs()
                | PreviewUpdate()
            ):
                assert runtime is not None, "the core looks only where a tenant is known"
                await self._look(world, action, memory, runtime)
            case (
                CreateStack()
                | AdoptStack()
                | UpdateStack()
                | ConvergeStack()
                | DeleteStack()
                | MarkUnhealthy()
                | PowerServer()
            ):
                assert runtime is not None, "the core acts only where a tenant is known"
                await self._act(world, action, memory, runtime, intent)
            case _:
                assert_never(action)

    async def _store(self, world: World, action: Enroll | Release | Claim | Settle | Retain, memory: VmMemory) -> None:
        match action:
            case Enroll(vm_id):
                self._cache.store(await self._objects.enroll(world.vm, vm_id))
            case Release(left):
                if left:
                    await self._marks.add(world.identity, left, _now())
                self._cache.store(await self._objects.release(world.vm))
            case Claim():
                await self._claim(world, action, memory)
            case Settle():
                known = next(o for o in world.operations if o.metadata.name == action.operation)
                _replace(memory, await self._objects.settle(action, known, _now()))
                metrics.observe_operation(action, known, _template(world))
            case Retain():
                _replace(memory, await self._objects.retain(world.vm, action, _now()))
                metrics.observe_operation(action, None, _template(world))

    async def _claim(self, world: World, claim: Claim, memory: VmMemory) -> None:
        known = next((o for o in world.operations if o.metadata.name == claim.operation), None)
        project_id, epoch = world.identity.project, self._epoch()
        stored = await self._objects.claim(world.vm, claim, known, project_id=project_id, epoch=epoch, now=_now())
        _replace(memory, stored)
        memory.held = Held(claim.operation, claim.attempt, since=time.monotonic())
        if claim.spec.type is not OperationType.DELETE:
            memory.unresolved_since = memory.held.since

    async def _look(
        self,
        world: World,
        action: LookByName | LookById | LookToAdopt | LookAtResources | ReadEvents | ReadOutputs | PreviewUpdate,
        memory: VmMemory,
        runtime: TenantRuntime,
    ) -> None:
        match action:
            case LookByName():
                name = world.identity.stack_name
                memory.named = await runtime.call("find", lambda project: project.heat.find(name))
            case LookById(stack_id):
                name = world.name_of(stack_id)
                memory.probe = await runtime.call("probe", lambda project: project.heat.probe(name, stack_id))
            case LookAtResources(stack_id):
                memory.resources = await self._resources(world.name_of(stack_id), stack_id, runtime)
            case ReadEvents(stack):
                memory.events = StackEvents(stack, await self._events(stack, runtime))
            case LookToAdopt(stack_id):
                memory.candidate = await self._candidate(stack_id, runtime)
            case ReadOutputs(stack_id):
                name = world.name_of(stack_id)
                outputs = await runtime.call("outputs", lambda project: project.heat.outputs(name, stack_id))
                memory.outputs = (stack_id, outputs)
            case PreviewUpdate():
                memory.preview = await self._preview(action, runtime, retry_value(world))

    async def _resources(self, name: str, stack_id: str, runtime: TenantRuntime) -> Resources:
        """List the stack's resources, and look at its servers by id."""
        started, seen = time.monotonic(), []
        for one in await runtime.call("resources", lambda project: project.heat.resources(name, stack_id)):
            if one.type == "OS::Nova::Server" and (server := one.physical_id):
                gone = await runtime.call("server", partial(_is_gone, server))
                one = replace(one, gone=gone)  # noqa: PLW2901 -- the same resource, looked at
            seen.append(one)
        return Resources(started, stack_id, tuple(seen))

    async def _events(self, stack: Stack, runtime: TenantRuntime) -> tuple[StackEvent, ...]:
        """Read them; a refusal holds up nothing: they are for people only."""
        try:
            return await runtime.call("events", lambda project: project.heat.events(stack.name, stack.id, EVENTS))
        except CloudError as error:
            if error.fault.policy.retry is Retry.BACKOFF:
                raise
            return ()

    async def _candidate(self, stack_id: str, runtime: TenantRuntime) -> Candidate:
        """Look at the stack, and at its outputs when it is complete."""
        found = await runtime.call("find", lambda project: project.heat.find_id(stack_id))
        stack = next(iter(found.stacks), None)
        if stack is None or not stack.complete:
            return Candidate(found.as_of, stack_id, stack)
        where = (stack.name, stack_id)
        outputs = await runtime.call("outputs", lambda project: project.heat.output_names(*where))
        return Candidate(found.as_of, stack_id, stack, outputs)

    async def _preview(self, action: PreviewUpdate, runtime: TenantRuntime, retry: str | None) -> Preview:
        """Ask; a refusal of the inputs is an answer too. What would be lost is looked at: it may not have been made."""
        started, where = time.monotonic(), (action.stack_name, action.stack_id)
        plan: Plan | Fault
        try:
            plan = await runtime.call(
                "preview",
                lambda project: project.heat.preview_update(
                    *where, (), action.inputs, timeout_minutes=self._stack_timeout
                ),
            )
            if plan.losses:
                unmade = await runtime.call("resources", lambda project: project.heat.unmade_volumes(*where))
                plan = replace(plan, unmade=unmade)
        except CloudError as error:
            if error.fault.policy.retry is Retry.BACKOFF:
                raise
            plan = error.fault
        return Preview(started, action.stack_id, action.inputs.hash, plan, retry)

    async def _act(
        self, world: World, action: Change, memory: VmMemory, runtime: TenantRuntime, intent: Record | None
    ) -> None:
        name, request = request_of(action, world.identity, self._stack_timeout)
        if isinstance(action, DeleteStack | MarkUnhealthy):
            await self._ask(name, request, memory, runtime, intent)
            return
        if isinstance(action, UpdateStack | ConvergeStack):
            memory.outputs = None  # they change with it
        await self._send(name, request, memory, runtime, intent)

    async def _send(
        self,
        name: str,
        request: Request,
        memory: VmMemory,
        runtime: TenantRuntime,
        intent: Record | None,
    ) -> None:
        """Send what a claim is for, and remember the answer, or that there was none."""
        assert memory.held is not None, "the core sends only with a claim that this process holds"
        answer: Accepted | Refused | Lost
        try:
            async with self._trail.around(intent) as said:
                memory.held = replace(memory.held, sent=True)
                made = await runtime.call(name, request, effect=said)
                said.stack_id, said.request_id = made.stack_id, made.request_id
            answer = Accepted(made.stack_id)
        except CloudError as error:
            if error.fault.code is ErrorCode.UNAUTHORIZED:  # the tenant's trouble, not the VM's: it was never sent
                memory.held, memory.named = replace(memory.held, sent=False), None  # nothing is seen any more
                raise
            answer = Refused(error.fault) if error.fault.definite else Lost(error.fault)
        memory.held = replace(memory.held, answer=answer)
        memory.last_effect = memory.unresolved_since = time.monotonic()

    async def _ask(
        self, name: str, request: Request, memory: VmMemory, runtime: TenantRuntime, intent: Record | None
    ) -> None:
        """Ask for what may be asked for again."""
        async with self._trail.around(intent) as said:
            try:
                said.request_id = (await runtime.call(name, request, effect=said)).request_id
            finally:
                memory.effects += name == "delete"
                memory.last_effect = time.monotonic()


def _template(world: World) -> str:
    """Return the template version that is asked for, else the one that the stack has."""
    kept, asked = world.vm.status.stack, world.admission
    return asked.template_version if isinstance(asked, Inputs) else (kept and kept.template_version) or ""


def _is_gone(server_id: str, project: Project) -> bool:
    return project.compute.is_gone(server_id)


def _replace(memory: VmMemory, stored: VirtualMachineOperation) -> None:
    others = [o for o in memory.operations or () if o.metadata.name != stored.metadata.name]
    memory.operations = (*others, stored)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
