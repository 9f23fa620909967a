"""Kubernetes Events for what a person would want in `kubectl describe`.

What goes on is said once. What happens again after something else, as the second stop of a VM, is said again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from stoker import metrics
from stoker.api.base import API_VERSION
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.decision import Decision, Outlook, Reason
from stoker.kube.client import KubeClient, KubeError

log = logging.getLogger(__name__)

REPEAT = 3600.0
"""How long the newest event of an object is not said again, seconds: the API server's own event TTL."""

FLAP = 60.0
"""The same for one that something else came after: what goes back and forth is said once a minute each."""

REMEMBERED = 10_000
"""Events remembered for that; past it the memory is emptied, and the worst is one repetition."""

NOTABLE = {
    Reason.ACTIVE,
    Reason.DELETING,
    Reason.PAUSED,
    Reason.PROTECTED,
    Reason.ABANDONED,
    Reason.RETAINED,
    Reason.CLEANING_UP,
    Reason.DUPLICATE_STACKS,
    Reason.STUCK,
    Reason.UPDATING,
    Reason.STARTING,
    Reason.STOPPING,
    Reason.RESTARTING,
    Reason.REPAIRING,
    Reason.STOPPED,
    Reason.DRIFTED,
}


Said = tuple[str, str, str]
"""UID, reason and message."""


class Events:
    """Posts events for decisions that a person would want to know of."""

    def __init__(self, kube: KubeClient, holder: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube, self._holder, self._clock = kube, holder, clock
        self._said: dict[Said, float] = {}
        self._newest: dict[str, Said] = {}

    async def tell(self, vm: VirtualMachine, decision: Decision) -> None:
        """Post an event for the decision, unless it is not notable or no news; never fails."""
        if decision.fault is None and decision.reason not in NOTABLE:
            return
        reason, metadata = decision.reason.value, vm.metadata
        kind = "Normal" if decision.fault is None and decision.outlook is not Outlook.BLOCKED else "Warning"
        await self._say(metadata.namespace, metadata.name, metadata.uid, kind, reason, decision.message)

    async def not_understood(self, metadata: Mapping[str, Any], message: str) -> None:
        """Post an event for a VM that does not fit this version's schema; never fails."""
        where = metadata["namespace"], metadata["name"], metadata["uid"]
        await self._say(*where, "Warning", "NotUnderstood", message)

    async def _say(self, namespace: str, name: str, uid: str, kind: str, reason: str, message: str) -> None:
        said, now = (uid, reason, message), self._clock()
        pause = REPEAT if self._newest.get(uid) == said else FLAP
        if now - self._said.get(said, -REPEAT) < pause:
            return
        if len(self._said) >= REMEMBERED:
            self._said.clear()
            self._newest.clear()
        self._said[said], self._newest[uid] = now, said
        involved = {
            "apiVersion": API_VERSION,
            "kind": "VirtualMachine",
            "namespace": namespace,
            "name": name,
            "uid": uid,
        }
        await post(self._kube, involved, kind, reason, message, self._holder)


async def post(kube: KubeClient, involved: dict[str, Any], kind: str, reason: str, message: str, holder: str) -> None:
    """Post one event; a refusal is logged, since an event is never worth a failed pass."""
    namespace = involved.get("namespace", "default")
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{involved['name'][:50]}-", "namespace": namespace},
        "involvedObject": involved,
        "type": kind,
        "reason": reason,
        "message": message[:1024],
        "source": {"component": "stoker"},
        "reportingComponent": "stoker.dev/operator",
        "reportingInstance": holder[:128],
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
    try:
        await kube.post(f"/api/v1/namespaces/{namespace}/events", body)
        metrics.observe_write("event")
    except KubeError as error:
        log.debug("event not written: %s", error)
