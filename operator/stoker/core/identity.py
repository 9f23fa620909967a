"""Identity: the VM's id, the names and tags derived from it, and the proof that a stack is ours.

A stack is ours only if its cluster, VM and object tags all match and it lies in the tenant's pinned project. A forged
id in another namespace therefore proves nothing: the object tag is a hash of namespace and name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from stoker.api.base import GROUP
from stoker.api.operation import OperationType

FINALIZER = f"{GROUP}/stack"
"""Our finalizer on a VirtualMachine. Never renamed: the old name would stay on every object for ever."""

OPERATION_FINALIZER = f"{GROUP}/operation"
"""Our finalizer on an unfinished operation, so that a namespace's deletion cannot take an unresolved claim with it."""

ID_ANNOTATION = f"{GROUP}/id"
"""The annotation that carries the VM's id through backup and restore."""

TAG = "stoker"
"""The tag that every stack of every Stoker carries."""

HASH_LENGTH = 16
"""Hexadecimal digits of a hash in a tag or name: 64 bits, enough against accidents; ownership never rests on one."""

OPERATION_NAME_LENGTH = 63
"""Longest operation name, so that it also fits a label value and a stack tag (80)."""


def digest(*parts: str) -> str:
    """Return a short stable hash of the parts; the separator cannot stand in any of them."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:HASH_LENGTH]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the VM is, to Heat."""

    cluster: str
    """UID of the namespace kube-system: the cluster's own identity."""

    project: str
    """The tenant's pinned project id."""

    id: str
    namespace: str
    name: str

    @property
    def stack_name(self) -> str:
        """The name of its one stack. Heat wants a letter first."""
        return f"vm-{self.id}"

    @property
    def ownership_tags(self) -> frozenset[str]:
        """The tags that together prove ownership."""
        return frozenset(
            {*cluster_tags(self.cluster), f"stoker-vm={self.id}", f"stoker-obj={digest(self.namespace, self.name)}"}
        )

    def tags(self, operation: str, inputs_hash: str, *more: str) -> tuple[str, ...]:
        """Return all tags of a stack made by that operation from those inputs, which may say more of themselves."""
        return (*sorted(self.ownership_tags), f"stoker-op={operation}", f"stoker-in={inputs_hash}", *more)

    def owns(self, tags: frozenset[str], project: str) -> bool:
        """Tell whether a stack with these tags in this project is proven to be this VM's."""
        return self.ownership_tags <= tags and project == self.project


def cluster_tags(cluster: str) -> tuple[str, str]:
    """Return the tags that all stacks of this cluster carry: what a tenant's listing asks for."""
    return (TAG, f"stoker-cluster={cluster}")


def mark_name(vm_id: str, stack_id: str) -> str:
    """Return the name of the mark of a stack that is left behind; it is the same whenever it is made."""
    return f"left-{digest(vm_id, stack_id)}"


def tag_value(tags: frozenset[str], key: str) -> str | None:
    """Return the value of the tag `key=value`, or None."""
    prefix = f"{key}="
    return next((tag.removeprefix(prefix) for tag in sorted(tags) if tag.startswith(prefix)), None)


def operation_name(vm_name: str, vm_id: str, kind: OperationType, cause: str) -> str:
    """Return the name that makes a second claim of the same operation a conflict."""
    suffix = f"-{kind.lower()}-{digest(vm_id, kind, cause)}"
    stem = vm_name[: OPERATION_NAME_LENGTH - len(suffix)].rstrip("-.")
    return f"{stem}{suffix}"
