"""Perform: one action, one call. Results go into the process's memory; the next pass decides what they mean."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from stoker import metrics
from stoker.api.operation import OperationType, VirtualMachineOperation
from stoker.core.actions import (
    Claim,
    CreateStack,
    Decision,
    DeleteStack,
    Enroll,
    LookById,
    LookByName,
    Nothing,
    ReadOutputs,
    Release,
    Retain,
    Settle,
)
from stoker.core.audit import Record
from stoker.core.world import Accepted, Held, Lost, Refused, World
from stoker.kube.client import KubeError
from stoker.kube.objects import Objects
from stoker.openstack.base import CloudError
from stoker.reconcile.memory import VmCache, VmMemory
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
    ) -> None:
        self._objects, self._cache, self._trail = objects, cache, trail
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
            case LookByName() | LookById() | CreateStack() | DeleteStack() | ReadOutputs():
                assert runtime is not None, "the core looks and acts only where a tenant is known"
                await self._call(world, action, memory, runtime, intent)
            case _:
                assert_never(action)

    async def _store(self, world: World, action: Enroll | Release | Claim | Settle | Retain, memory: VmMemory) -> None:
        match action:
            case Enroll(vm_id):
                self._cache.store(await self._objects.enroll(world.vm, vm_id))
            case Release():
                self._cache.store(await self._objects.release(world.vm))
            case Claim():
                await self._claim(world, action, memory)
            case Settle():
                known = next(o for o in world.operations if o.metadata.name == action.operation)
                _replace(memory, await self._objects.settle(action, known, _now()))
            case Retain():
                _replace(memory, await self._objects.retain(world.vm, action, _now()))

    async def _claim(self, world: World, claim: Claim, memory: VmMemory) -> None:
        known = next((o for o in world.operations if o.metadata.name == claim.operation), None)
        stored = await self._objects.claim(world.vm, claim, known, epoch=self._epoch(), now=_now())
        _replace(memory, stored)
        memory.held = Held(claim.operation, claim.attempt, since=time.monotonic())
        if claim.spec.type is OperationType.CREATE:
            memory.unresolved_since = memory.held.since

    async def _call(
        self,
        world: World,
        action: LookByName | LookById | CreateStack | DeleteStack | ReadOutputs,
        memory: VmMemory,
        runtime: TenantRuntime,
        intent: Record | None,
    ) -> None:
        name = world.identity.stack_name
        match action:
            case LookByName():
                memory.named = await runtime.call("find", lambda project: project.heat.find(name))
            case LookById(stack_id):
                memory.probe = await runtime.call("probe", lambda project: project.heat.probe(name, stack_id))
            case ReadOutputs(stack_id):
                outputs = await runtime.call("outputs", lambda project: project.heat.outputs(name, stack_id))
                memory.outputs = (stack_id, outputs)
            case CreateStack():
                await self._create(world, action, memory, runtime, intent)
            case DeleteStack(stack_name, stack_id):
                await self._delete(stack_name, stack_id, memory, runtime, intent)

    async def _create(
        self, world: World, action: CreateStack, memory: VmMemory, runtime: TenantRuntime, intent: Record | None
    ) -> None:
        assert memory.held is not None, "the core creates only with a claim that this process holds"
        tags = world.identity.tags(action.operation, action.inputs.hash)
        name, minutes = world.identity.stack_name, self._stack_timeout
        answer: Accepted | Refused | Lost
        try:
            async with self._trail.around(intent) as said:
                memory.held = replace(memory.held, sent=True)
                created = await runtime.call(
                    "create",
                    lambda project: project.heat.create(name, tags, action.inputs, timeout_minutes=minutes),
                    effect=said,
                )
                said.stack_id, said.request_id = created.stack_id, created.request_id
            answer = Accepted(created.stack_id)
        except CloudError as error:
            answer = Refused(error.fault) if error.fault.definite else Lost(error.fault)
        memory.held = replace(memory.held, answer=answer)
        memory.last_effect = memory.unresolved_since = time.monotonic()

    async def _delete(
        self, name: str, stack_id: str, memory: VmMemory, runtime: TenantRuntime, intent: Record | None
    ) -> None:
        async with self._trail.around(intent) as said:
            try:
                said.request_id = await runtime.call(
                    "delete", lambda project: project.heat.delete(name, stack_id), effect=said
                )
            finally:
                memory.effects += 1
                memory.last_effect = time.monotonic()


def _replace(memory: VmMemory, stored: VirtualMachineOperation) -> None:
    others = [o for o in memory.operations or () if o.metadata.name != stored.metadata.name]
    memory.operations = (*others, stored)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
