"""The anchors of a replica's audit, in a ConfigMap of the operator's namespace."""

from __future__ import annotations

from typing import Any

from stoker.core.anchor import anchor_name, anchored, anchors_of
from stoker.core.audit import Anchor
from stoker.kube.client import KubeClient, KubeError


class AnchorRefusedError(Exception):
    """The cluster holds an anchor that the chain is behind, or is not of: another process writes a copy of it."""


class Anchors:
    """Reads and writes them, each write guarded by the resource version."""

    def __init__(self, kube: KubeClient, namespace: str, replica: str) -> None:
        self._kube, self._name = kube, anchor_name(replica)
        self._collection = f"/api/v1/namespaces/{namespace}/configmaps"

    async def read(self) -> dict[str, Anchor]:
        """Return the anchors by chain. Raises KubeError, and ValueError when they are not understood."""
        stored = await self._stored()
        return anchors_of(stored) if stored else {}

    async def write(self, anchor: Anchor) -> None:
        """Store a chain's newest anchor beside those of other chains.

        Raises KubeError, with status 409 when somebody else wrote meanwhile; ValueError when what is there is not
        understood; AnchorRefusedError when this one does not follow it.
        """
        stored = await self._stored()
        if stored is None:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self._name}, "data": anchored(anchor)}
            await self._kube.post(self._collection, body)
            return
        older = anchors_of(stored).get(anchor.head.chain)
        if older and not anchor.follows(older):
            raise AnchorRefusedError(
                f"{self._name} holds record {older.head.sequence} of that chain, written in epoch {older.epoch}, and "
                f"this process is at record {anchor.head.sequence}: another one writes a copy of the chain"
            )
        data = {**(stored.get("data") or {}), **anchored(anchor)}
        await self._kube.put(f"{self._collection}/{self._name}", {**stored, "data": data})

    async def _stored(self) -> dict[str, Any] | None:
        try:
            return await self._kube.get(f"{self._collection}/{self._name}")
        except KubeError as error:
            if error.status == 404:
                return None
            raise
