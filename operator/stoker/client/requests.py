"""What is written for each command: bodies and patches, and the proof that a request was answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stoker.api.base import API_VERSION, GROUP
from stoker.api.virtualmachine import PowerState, VirtualMachine, VirtualMachineSpec
from stoker.core.asked import IDEMPOTENCY_KEY, RETRY
from stoker.core.identity import digest
from stoker.core.inputs import whole_hash
from stoker.core.power import RESTART_ANNOTATION
from stoker.core.recorded import DELETE_REQUESTED_BY

KEY_LABEL = f"{GROUP}/idempotency-key-hash"
"""Label by which a VM is found again by its key, which may be too long for a label."""

SPEC_ANNOTATION = f"{GROUP}/idempotency-spec-hash"
"""Fingerprint of the spec that the key was first used with: a later edit of the VM does not spoil a repetition."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command by annotation, which carries out once for each value."""

    annotation: str
    value: str

    def answered(self, vm: VirtualMachine) -> bool:
        """Tell whether Stoker took it up (a retry), or is done with it (a restart)."""
        seen = vm.status.restart_id if self.annotation == RESTART_ANNOTATION else vm.status.retry
        return seen == self.value

    @property
    def patch(self) -> dict[str, Any]:
        return annotate({self.annotation: self.value})


def restart(value: str) -> Request:
    """Return the request for one reboot."""
    return Request(RESTART_ANNOTATION, value)


def retry(value: str) -> Request:
    """Return the request to try now."""
    return Request(RETRY, value)


def annotate(annotations: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the merge patch that sets annotations; None takes one away."""
    return {"metadata": {"annotations": dict(annotations)}}


def asked_to_delete(vm: VirtualMachine, user: str | None) -> dict[str, Any]:
    """Return the merge patch that says who asks for the deletion of this very VM, not of another of its name."""
    return {"metadata": {"uid": vm.metadata.uid, "annotations": {DELETE_REQUESTED_BY: user}}}


def power(state: PowerState) -> dict[str, Any]:
    """Return the merge patch for a power state."""
    return {"spec": {"powerState": state.value}}


def name_for(key: str) -> str:
    """Return the name of a VM that is asked for without one: the same for the same key."""
    return f"vm-{digest(key)}"


def manifest(
    name: str,
    namespace: str,
    spec: VirtualMachineSpec,
    key: str,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the object to create."""
    marks = {IDEMPOTENCY_KEY: key, SPEC_ANNOTATION: whole_hash(spec)}
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {**(labels or {}), KEY_LABEL: digest(key)},
        "annotations": {**(annotations or {}), **marks},
    }
    return {"apiVersion": API_VERSION, "kind": "VirtualMachine", "metadata": metadata, "spec": spec.to_wire()}


def is_same_request(vm: VirtualMachine, key: str, spec: VirtualMachineSpec) -> bool | None:
    """Tell whether a VM was asked for by that key with that spec; None when by another key or none."""
    if vm.metadata.annotations.get(IDEMPOTENCY_KEY) != key:
        return None
    first = vm.metadata.annotations.get(SPEC_ANNOTATION) or whole_hash(vm.spec)
    return first == whole_hash(spec)
