"""Marks: stacks that were left behind on purpose, recorded in the operator's own namespace.

The delete operation of a retained stack says the same, but lives in the VM's namespace and goes with it; nobody's
deletion but an admin's reaches a mark. It has the form of that operation, so whoever reads one can read the other.
"""

from __future__ import annotations

from datetime import datetime

from stoker.api.base import API_VERSION
from stoker.api.operation import AttemptOutcome, OperationRecord, OperationState, OperationType, VirtualMachineOperation
from stoker.core.actions import Left
from stoker.core.identity import Identity, digest, mark_name
from stoker.kube.client import KubeClient, KubeError, path
from stoker.kube.objects import KIND, OPERATIONS, VM_ID_LABEL, VM_LABEL

NAMESPACE_LABEL = "stoker.dev/vm-namespace"
PROJECT_LABEL = "stoker.dev/project"
"""A hash of the project's id, which may be too long for a label."""

NAME_ANNOTATION = "stoker.dev/stack-name"
UNKNOWN_PROJECT = "unknown"
"""The label's value where a VM was given up with no Tenant to say the project: its mark counts in every one."""


def stack_name_of(mark: VirtualMachineOperation) -> str:
    """Return the name of a marked stack."""
    return mark.metadata.annotations.get(NAME_ANNOTATION) or f"vm-{mark.spec.vm_id}"


def tells_project(mark: VirtualMachineOperation) -> bool:
    """Tell whether the mark is of one known project: only there can its stack be proven gone."""
    return mark.metadata.labels.get(PROJECT_LABEL) != UNKNOWN_PROJECT


class Marks:
    """Adds, lists and removes marks."""

    def __init__(self, kube: KubeClient, namespace: str, holder: str) -> None:
        self._kube, self._namespace, self._holder = kube, namespace, holder

    async def add(self, vm: Identity, left: Left, now: datetime) -> None:
        """Store a mark; one that is there already is as good. Raises KubeError."""
        try:
            await self._kube.post(path(OPERATIONS, self._namespace), self._body(vm, left, now))
        except KubeError as error:
            if error.reason != "AlreadyExists":
                raise

    async def of(self, project: str) -> tuple[VirtualMachineOperation, ...]:
        """Return the marks that may concern a project, read live. Raises KubeError."""
        wanted = f"{PROJECT_LABEL} in ({digest(project)},{UNKNOWN_PROJECT})"
        items, _ = await self._kube.list(path(OPERATIONS, self._namespace), labelSelector=wanted)
        return tuple(VirtualMachineOperation.model_validate(item) for item in items)

    async def remove(self, mark: VirtualMachineOperation) -> None:
        """Remove a mark. Raises KubeError."""
        await self._kube.delete(path(OPERATIONS, self._namespace, mark.metadata.name))

    def _body(self, vm: Identity, left: Left, now: datetime) -> dict[str, object]:
        labels = {
            VM_LABEL: vm.name[:63],
            VM_ID_LABEL: vm.id,
            NAMESPACE_LABEL: vm.namespace,
            PROJECT_LABEL: digest(vm.project) if vm.project else UNKNOWN_PROJECT,
        }
        record = OperationRecord(
            state=OperationState.SUCCEEDED,
            outcome=AttemptOutcome.ACCEPTED,
            holder=self._holder,
            stack_id=left.stack_id or None,
            retained=True,
            abandoned=left.abandoned or None,
            completed_at=now,
        )
        name = mark_name(vm.id, left.stack_id)
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name, "labels": labels, "annotations": {NAME_ANNOTATION: left.stack_name}},
            "spec": {"vmName": vm.name, "vmID": vm.id, "type": OperationType.DELETE.value},
            "status": record.to_wire(),
        }
