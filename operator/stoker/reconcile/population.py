"""The population: every VirtualMachine of the cluster, as one live list showed them, without a second copy of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stoker.core.identity import ID_ANNOTATION
from stoker.kube.client import KubeClient, path
from stoker.kube.objects import VMS
from stoker.reconcile.memory import identity_of, key_of
from stoker.reconcile.queue import Key

Objects = Mapping[Key, dict[str, Any]]


@dataclass(slots=True)
class Population:
    """What a complete list tells of all objects; whole are only those that the cache does not have in that version."""

    keys: set[Key] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    """Every id that the objects go by, or might: a restored one has another UID, an edited one a lost id."""

    recorded: dict[str, dict[str, str]] = field(default_factory=dict)
    """Namespace → VM's id → the stack that its status tells of."""
    held: set[str] = field(default_factory=set)
    """The ids of all stacks that the objects' statuses tell of, those of doubles too."""

    news: list[dict[str, Any]] = field(default_factory=list)
    version: int = 0
    """Resource version of the list: what is newer was not in it."""

    def add(self, raw: dict[str, Any], known: dict[str, Any] | None) -> None:
        """Count an object in; `known` is the cached one of its name."""
        if known and _version(known) == _version(raw):
            raw = known  # the same, and no more memory
        else:
            raw["metadata"].pop("managedFields", None)
            self.news.append(raw)
        metadata, vm_id = raw["metadata"], identity_of(raw)
        self.keys.add(key_of(raw))
        self.ids |= {vm_id, metadata["uid"]}
        if annotated := (metadata.get("annotations") or {}).get(ID_ANNOTATION):
            self.ids.add(annotated)
        if stack := ((raw.get("status") or {}).get("stack") or {}).get("id"):
            self.recorded.setdefault(metadata["namespace"], {})[vm_id] = stack
            self.held.add(stack)


class Populations:
    """Reads the population, page by page, and one list at a time, whoever asks."""

    def __init__(self, kube: KubeClient, cached: Objects) -> None:
        self._kube, self._cached = kube, cached
        self._lock = asyncio.Lock()
        self._begun = self._waiting = 0
        self._newest: Population | None = None

    async def read(self) -> Population:
        """Return what a list showed that began after this call. Raises KubeError.

        Who asks while a list is under way waits for the next, and so do all others: they share that one.
        """
        begun = self._begun
        self._waiting += 1
        try:
            async with self._lock:
                if self._newest is None or self._begun == begun:
                    self._begun += 1
                    self._newest = None
                    self._newest = await self._read()
                return self._newest
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._newest = None

    async def _read(self) -> Population:
        found = Population()
        async for page, version in self._kube.pages(path(VMS)):
            for raw in page:
                found.add(raw, self._cached.get(key_of(raw)))
            found.version = int(version)
        return found


def _version(raw: dict[str, Any]) -> tuple[str, str]:
    return raw["metadata"]["uid"], raw["metadata"]["resourceVersion"]
