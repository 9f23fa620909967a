"""Writes of our objects, each one request: what it stores, and what guards it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from stoker.api.base import API_VERSION
from stoker.api.operation import AttemptOutcome, OperationRecord, OperationSpec, OperationState, VirtualMachineOperation
from stoker.api.virtualmachine import VirtualMachine, VirtualMachineStatus
from stoker.core.actions import Claim, Retain, Settle
from stoker.core.identity import FINALIZER, ID_ANNOTATION, OPERATION_FINALIZER
from stoker.core.recorded import requester
from stoker.kube.client import KubeClient, KubeError, merge_patch, path

VMS, OPERATIONS = "virtualmachines", "virtualmachineoperations"
VM_LABEL = "stoker.dev/vm"
VM_ID_LABEL = "stoker.dev/vm-id"
KIND = "VirtualMachineOperation"


class Objects:
    """The operator's writes. `holder` and the epoch of its lease go into every claim."""

    def __init__(self, kube: KubeClient, holder: str) -> None:
        self._kube = kube
        self._holder = holder

    async def enroll(self, vm: VirtualMachine, vm_id: str) -> dict[str, Any]:
        """Store finalizer and id in one patch, guarded by the version this decision saw."""
        finalizers = [*vm.metadata.finalizers, *([] if FINALIZER in vm.metadata.finalizers else [FINALIZER])]
        return await self._metadata(vm, {"finalizers": finalizers, "annotations": {ID_ANNOTATION: vm_id}})

    async def release(self, vm: VirtualMachine) -> dict[str, Any]:
        """Take our finalizer off."""
        return await self._metadata(vm, {"finalizers": [name for name in vm.metadata.finalizers if name != FINALIZER]})

    async def _metadata(self, vm: VirtualMachine, metadata: dict[str, Any]) -> dict[str, Any]:
        body = {"metadata": {"resourceVersion": vm.metadata.resource_version, **metadata}}
        return await self._kube.merge(path(VMS, vm.metadata.namespace, vm.metadata.name), body)

    async def report(
        self, vm: VirtualMachine, stored: dict[str, Any], status: VirtualMachineStatus
    ) -> dict[str, Any] | None:
        """Write the status if it differs from the stored one; None when nothing was written.

        What is reserved may have been raised since it was read, so its change is guarded by the version.
        """
        patch = merge_patch(stored, status.to_wire())
        if not patch:
            return None
        guard = {"metadata": {"resourceVersion": vm.metadata.resource_version}} if "reserved" in patch else {}
        where = path(VMS, vm.metadata.namespace, vm.metadata.name, "status")
        return await self._kube.merge(where, {**guard, "status": patch})

    async def operations(self, vm: VirtualMachine, vm_id: str) -> tuple[VirtualMachineOperation, ...]:
        """Read all operations of a VM, live."""
        items, _ = await self._kube.list(
            path(OPERATIONS, vm.metadata.namespace), labelSelector=f"{VM_ID_LABEL}={vm_id}"
        )
        return tuple(VirtualMachineOperation.model_validate(item) for item in items)

    async def operation(self, namespace: str, name: str) -> VirtualMachineOperation | None:
        """Read one operation, live; None when there is none of that name."""
        try:
            return VirtualMachineOperation.model_validate(await self._kube.get(path(OPERATIONS, namespace, name)))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    async def claim(
        self,
        vm: VirtualMachine,
        claim: Claim,
        known: VirtualMachineOperation | None,
        *,
        project_id: str,
        epoch: int,
        now: datetime,
    ) -> VirtualMachineOperation:
        """Store an attempt: the first by POST (a second claim is 409), a later one guarded by the version.

        The next attempt of an operation that had ended opens it again. `project_id` is the project that it acts in.
        """
        record = OperationRecord(
            state=OperationState.RUNNING,
            attempts=claim.attempt,
            stack_id=claim.stack_id,
            holder=self._holder,
            epoch=epoch,
            project_id=project_id,
            started_at=now,
            retry=claim.retry,
        )
        if known is None:
            return await self._post(vm, claim.operation, claim.spec, record, finalizers=[OPERATION_FINALIZER])
        kept = known.status.model_copy(
            update={
                **record.model_dump(exclude_unset=True, exclude_none=True),
                "outcome": None,
                "next_retry_time": None,
                "completed_at": None,
                "retained": None,
                "abandoned": None,
            }
        )
        held = OPERATION_FINALIZER in known.metadata.finalizers
        return await self._update(known, kept, None if held else [*known.metadata.finalizers, OPERATION_FINALIZER])

    async def settle(self, settle: Settle, known: VirtualMachineOperation, now: datetime) -> VirtualMachineOperation:
        """Store an attempt's outcome; the end of an operation also takes its finalizer off."""
        ended = settle.state in (OperationState.SUCCEEDED, OperationState.FAILED)
        update: dict[str, Any] = {
            "state": settle.state,
            "outcome": settle.outcome,
            "stack_id": settle.stack_id or known.status.stack_id,
            "next_retry_time": settle.next_retry_time,
            "completed_at": now if ended else None,
            "retained": settle.retained or None,
            "stack_changed_at": settle.stack_changed,
            "abandoned": settle.abandoned or None,
        }
        if settle.failed_stacks is not None:
            update["failed_stacks"] = settle.failed_stacks
        if settle.error or settle.state is OperationState.SUCCEEDED:
            update |= {"last_error": settle.error, "message": settle.message}
        finalizers = [name for name in known.metadata.finalizers if name != OPERATION_FINALIZER] if ended else None
        return await self._update(known, known.status.model_copy(update=update), finalizers)

    async def remove(self, operation: VirtualMachineOperation) -> None:
        """Remove an operation that had its time."""
        await self._kube.delete(path(OPERATIONS, operation.metadata.namespace, operation.metadata.name))

    async def retain(self, vm: VirtualMachine, retain: Retain, now: datetime) -> VirtualMachineOperation:
        """Store a delete that leaves the stack behind, already succeeded."""
        record = OperationRecord(
            state=OperationState.SUCCEEDED,
            outcome=AttemptOutcome.ACCEPTED,
            attempts=1,
            holder=self._holder,
            stack_id=retain.stack_id,
            retained=True,
            abandoned=retain.abandoned or None,
            started_at=now,
            completed_at=now,
        )
        return await self._post(vm, retain.operation, retain.spec, record, finalizers=[])

    async def _post(
        self, vm: VirtualMachine, name: str, spec: OperationSpec, record: OperationRecord, finalizers: list[str]
    ) -> VirtualMachineOperation:
        labels = {VM_LABEL: vm.metadata.name[:63], VM_ID_LABEL: spec.vm_id}
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name, "labels": labels, "finalizers": finalizers},
            "spec": spec.model_copy(update={"requested_by": requester(vm)}).to_wire(),
            "status": record.to_wire(),
        }
        return VirtualMachineOperation.model_validate(
            await self._kube.post(path(OPERATIONS, vm.metadata.namespace), body)
        )

    async def _update(
        self, known: VirtualMachineOperation, record: OperationRecord, finalizers: list[str] | None
    ) -> VirtualMachineOperation:
        metadata: dict[str, Any] = {"resourceVersion": known.metadata.resource_version}
        if finalizers is not None:
            metadata["finalizers"] = finalizers or None
        body = {"metadata": metadata, "status": merge_patch(known.status.to_wire(), record.to_wire())}
        where = path(OPERATIONS, known.metadata.namespace, known.metadata.name)
        return VirtualMachineOperation.model_validate(await self._kube.merge(where, body))
