"""What this process remembers: the objects it watches, and what it did and saw for each VM.

All of it can be lost at any moment; what must survive is stored in the API server before it is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stoker.api.operation import VirtualMachineOperation
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.asked import ADOPT
from stoker.core.identity import FINALIZER, ID_ANNOTATION
from stoker.core.limits import Turn
from stoker.core.stack import Candidate, Listing, Outputs, Preview, Probe, Resources, StackEvents
from stoker.core.world import Held
from stoker.reconcile.queue import Key

LONGEST_SHARED = 128
"""Characters of a string that is worth sharing. User data is not: it may be 48 KiB, and is another for each VM."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for last."""

    generation: int
    creates: bool
    """True while there is no stack."""

    since: float
    """Monotonic seconds when this process first knew of it. Only a catalog that is newer refuses it."""


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
    resources: Resources | None = None
    events: StackEvents | None = None
    candidate: Candidate | None = None
    asked: Asked | None = None
    claimable: bool = True
    turn: Turn | None = None
    """The place of its next OpenStack call among those of its user, tenant and cloud."""

    failures: int = 0
    """Passes in a row that ended in an unexpected error."""

    def asks(self, generation: int, now: float, *, creates: bool) -> Asked:
        """Return what is asked for, and since when: another spec or a missing stack begins anew."""
        if self.asked is None or (self.asked.generation, self.asked.creates) != (generation, creates):
            self.asked = Asked(generation, creates, now)
        return self.asked


BURIED = 10_000
"""Objects whose end is remembered; the answer to a write is not later than so many other ends."""


@dataclass(slots=True)
class VmCache:
    """The newest known version of every VirtualMachine, without managed fields."""

    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    memories: dict[Key, VmMemory] = field(default_factory=dict)
    by_id: dict[str, set[Key]] = field(default_factory=dict)
    freed: Callable[[str], None] = lambda _: None
    """Called with the namespace of a VM that is gone, or that has less reserved than before."""

    _buried: dict[str, None] = field(default_factory=dict)
    """UIDs of the objects whose end was seen last, the oldest first."""

    def store(self, raw: dict[str, Any]) -> Key:
        """Keep an object unless a newer version is known: own writes are read back at once, late events are not.

        An older object of the name has an older version too: versions are of the whole API server, not of an object.
        """
        metadata = raw["metadata"]
        key = key_of(raw)
        if metadata["uid"] in self._buried:
            return key
        known = self.objects.get(key)
        if known and int(known["metadata"]["resourceVersion"]) >= int(metadata["resourceVersion"]):
            return key
        if known and known["metadata"]["uid"] == metadata["uid"]:
            self._unindex(key, known)  # its id may be another now
            if _reserved(known) not in (None, _reserved(raw)):
                self.freed(key[0])
        elif known:
            self.forget(key)
        metadata.pop("managedFields", None)
        self.objects[key] = _shared(raw)
        self.by_id.setdefault(identity_of(raw), set()).add(key)
        return key

    def bury(self, raw: dict[str, Any]) -> bool:
        """Drop an object whose end was seen, for good; tell whether it was known.

        The answer to our own last write of it may come after the event: it must not bring it back.
        """
        key, uid = key_of(raw), raw["metadata"]["uid"]
        self._buried[uid] = None
        if len(self._buried) > BURIED:
            del self._buried[next(iter(self._buried))]
        known = self.objects.get(key)
        if known is None or known["metadata"]["uid"] != uid:
            return False
        self.forget(key)
        return True

    def forget(self, key: Key) -> None:
        """Drop an object that is gone."""
        raw = self.objects.pop(key, None)
        self.memories.pop(key, None)
        if raw:
            self._unindex(key, raw)
            self.freed(key[0])

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

    def claimant(self, vm: VirtualMachine, stack_id: str) -> str | None:
        """Return another live object that has the stack, or asked before this one to adopt it, as namespace/name."""
        mine = (self.objects[vm.metadata.namespace, vm.metadata.name]["metadata"]["creationTimestamp"], vm.metadata.uid)
        for key, raw in self.objects.items():
            metadata, recorded = raw["metadata"], (raw.get("status") or {}).get("stack") or {}
            asks = (metadata.get("annotations") or {}).get(ADOPT) == stack_id
            is_first = asks and (metadata["creationTimestamp"], metadata["uid"]) < mine
            if metadata["uid"] != vm.metadata.uid and (recorded.get("id") == stack_id or is_first):
                return "/".join(key)
        return None


def _reserved(raw: dict[str, Any]) -> Any:
    """Return what is reserved on an object: nothing once we released it, whoever else holds it (core.quota)."""
    metadata = raw["metadata"]
    released = metadata.get("deletionTimestamp") and FINALIZER not in metadata.get("finalizers", ())
    return None if released else (raw.get("status") or {}).get("reserved")


def _shared(value: Any) -> Any:
    """Return the value with equal short strings being one: of ten thousand objects, most keys and words are the same."""
    match value:
        case dict():
            return {sys.intern(key): _shared(part) for key, part in value.items()}
        case list():
            return [_shared(part) for part in value]
        case str() if len(value) <= LONGEST_SHARED:
            return sys.intern(value)
    return value


def key_of(raw: dict[str, Any]) -> Key:
    """Return namespace and name."""
    return raw["metadata"]["namespace"], raw["metadata"]["name"]


def identity_of(raw: dict[str, Any]) -> str:
    """Return the VM's id: the recorded one, else the annotation that came with a restore, else its UID."""
    metadata = raw["metadata"]
    recorded = (raw.get("status") or {}).get("id")
    return str(recorded or (metadata.get("annotations") or {}).get(ID_ANNOTATION) or metadata["uid"])
