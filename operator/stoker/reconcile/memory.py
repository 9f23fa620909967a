"""What this process remembers: the objects it watches, and what it did and saw for each VM.

All of it can be lost at any moment; what must survive is stored in the API server before it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stoker.api.operation import VirtualMachineOperation
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.identity import ID_ANNOTATION
from stoker.core.stack import Listing, Outputs, Preview, Probe
from stoker.core.world import Held
from stoker.reconcile.queue import Key


@dataclass(slots=True)
class VmMemory:
    """This process's knowledge of one VM; the fields are those of `World`."""

    uid: str
    operations: tuple[VirtualMachineOperation, ...] | None = None
    """None until read live; dropped when a write conflicts."""

    held: Held | None = None
    unresolved_since: float = 0.0
    last_effect: float = 0.0
    effects: int = 0
    named: Listing | None = None
    probe: Probe | None = None
    outputs: tuple[str, Outputs] | None = None
    """Stack id and its outputs."""

    preview: Preview | None = None
    asked: tuple[int, bool] | None = None
    """The generation that was asked for last, and whether there was no stack."""

    asked_since: float = 0.0
    """Monotonic seconds when this process first knew of it. Only a catalog that is newer refuses it."""

    claimable: bool = True
    failures: int = 0
    """Passes in a row that ended in an unexpected error."""


@dataclass(slots=True)
class VmCache:
    """The newest known version of every VirtualMachine, without managed fields."""

    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    memories: dict[Key, VmMemory] = field(default_factory=dict)
    by_id: dict[str, set[Key]] = field(default_factory=dict)

    def store(self, raw: dict[str, Any]) -> Key:
        """Keep an object unless a newer version is known: own writes are read back at once, late events are not."""
        metadata = raw["metadata"]
        key = (metadata["namespace"], metadata["name"])
        known = self.objects.get(key)
        if known and known["metadata"]["uid"] == metadata["uid"]:
            if int(known["metadata"]["resourceVersion"]) >= int(metadata["resourceVersion"]):
                return key
            self._unindex(key, known)  # its id may be another now
        elif known:
            self.forget(key)
        metadata.pop("managedFields", None)
        self.objects[key] = raw
        self.by_id.setdefault(identity_of(raw), set()).add(key)
        return key

    def forget(self, key: Key) -> None:
        """Drop an object that is gone."""
        raw = self.objects.pop(key, None)
        self.memories.pop(key, None)
        if raw:
            self._unindex(key, raw)

    def _unindex(self, key: Key, raw: dict[str, Any]) -> None:
        vm_id = identity_of(raw)
        keys = self.by_id.get(vm_id, set())
        keys.discard(key)
        if not keys:
            self.by_id.pop(vm_id, None)

    def get(self, key: Key) -> VirtualMachine | None:
        """Return the parsed object, or None when it is gone.

        Raises ValidationError for one that another version's schema let through.
        """
        raw = self.objects.get(key)
        return VirtualMachine.model_validate(raw) if raw else None

    def memory(self, vm: VirtualMachine) -> VmMemory:
        """Return what is remembered of this very object; another UID starts anew."""
        key = (vm.metadata.namespace, vm.metadata.name)
        memory = self.memories.get(key)
        if memory is None or memory.uid != vm.metadata.uid:
            memory = self.memories[key] = VmMemory(vm.metadata.uid)
        return memory

    def older_double(self, vm: VirtualMachine, vm_id: str) -> str | None:
        """Return the older live object with the same id, as namespace/name, or None."""
        mine = (
            str(self.objects[vm.metadata.namespace, vm.metadata.name]["metadata"]["creationTimestamp"]),
            vm.metadata.uid,
        )
        for key in self.by_id.get(vm_id, ()):
            metadata = self.objects[key]["metadata"]
            if metadata["uid"] != vm.metadata.uid and (metadata["creationTimestamp"], metadata["uid"]) < mine:
                return "/".join(key)
        return None


def identity_of(raw: dict[str, Any]) -> str:
    """Return the VM's id: the recorded one, else the annotation that came with a restore, else its UID."""
    metadata = raw["metadata"]
    recorded = (raw.get("status") or {}).get("id")
    return str(recorded or (metadata.get("annotations") or {}).get(ID_ANNOTATION) or metadata["uid"])
