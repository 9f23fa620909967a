"""What is written for each command: bodies and patches, and the proof that a request was answered. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stoker.api.base import API_VERSION, GROUP
from stoker.api.virtualmachine import PowerState, VirtualMachine, VirtualMachineSpec
from stoker.core.asked import IDEMPOTENCY_KEY, RETRY
from stoker.core.identity import digest
from stoker.core.power import RESTART_ANNOTATION

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


def power(state: PowerState) -> dict[str, Any]:
    """Return the merge patch for a power state."""
    return {"spec": {"powerState": state.value}}


def fingerprint(spec: VirtualMachineSpec) -> str:
    """Return a hash of a spec; fields at their default do not count, so a newer client gives the same."""
    asked = spec.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


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
    marks = {IDEMPOTENCY_KEY: key, SPEC_ANNOTATION: fingerprint(spec)}
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
    first = vm.metadata.annotations.get(SPEC_ANNOTATION) or fingerprint(vm.spec)
    return first == fingerprint(spec)
