"""kopf's handlers: watch, store, wake. No decision is made here, and no handler does the work itself.

Low-level events only: kopf's create and update handlers are edge-triggered, write annotations into users' objects and
release its finalizer on an exception (measured with kopf 1.45.2). The one high-level handler is the tenants' timer.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import kopf

from stoker.api.base import GROUP, VERSION
from stoker.api.cloud import Cloud
from stoker.api.template import VirtualMachineTemplate
from stoker.api.tenant import Tenant
from stoker.kube.client import PAGE, open_session
from stoker.reconcile.queue import Priority

if TYPE_CHECKING:
    from stoker.app import Operator

WATCHED: dict[str, type[Tenant | Cloud | VirtualMachineTemplate]] = {
    "tenants": Tenant,
    "clouds": Cloud,
    "virtualmachinetemplates": VirtualMachineTemplate,
}


class NoDiffBase(kopf.DiffBaseStorage):
    """Stores nothing: kopf then sees no create or update causes, and leaves no annotation on anybody's object."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> Any:  # noqa: ARG002
        return {}

    def fetch(self, *, body: kopf.Body) -> Any:  # noqa: ARG002
        return {}

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None:
        pass


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings; the reasons for each are in docs/adr/0003."""
    chosen = kopf.OperatorSettings()
    chosen.persistence.finalizer = f"{GROUP}/kopf"
    chosen.persistence.diffbase_storage = NoDiffBase()
    chosen.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"kopf.{GROUP}")
    chosen.persistence.consistency_timeout = 1
    chosen.queueing.idle_timeout = 1
    chosen.queueing.exit_timeout = 5
    chosen.watching.chunk_size = PAGE
    chosen.watching.server_timeout = 600
    chosen.watching.client_timeout = 660
    chosen.watching.reconnect_backoff = 1
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.execution.default_backoff = 5
    return chosen


def registry(operator: Operator) -> kopf.OperatorRegistry:
    """Return the handlers, bound to one operator."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=operator.access.server, aiohttp_session=open_session(operator.access))

    @kopf.on.event(GROUP, VERSION, "virtualmachines", id="watch-vms", registry=handlers)
    async def watch_vms(event: Any, **_: Any) -> None:
        raw = dict(event["object"])
        raw["metadata"] = dict(raw["metadata"])
        operator.saw_vm(
            raw, deleted=event["type"] == "DELETED", priority=Priority.USER if event["type"] else Priority.RESYNC
        )

    for plural in WATCHED:
        kopf.on.event(GROUP, VERSION, plural, id=f"watch-{plural}", registry=handlers)(_watcher(operator, plural))

    interval = operator.settings.sweep_seconds

    def some_time(**_: Any) -> float:
        """Spread the tenants' sweeps over the interval: each reads every VM, and ten at once took a gigabyte."""
        return random.uniform(0, interval)  # noqa: S311 -- no secret

    @kopf.timer(GROUP, VERSION, "tenants", id="sweep", interval=interval, initial_delay=some_time, registry=handlers)
    async def sweep(name: str, **_: Any) -> None:
        await operator.sweep(name)

    return handlers


def _watcher(operator: Operator, plural: str) -> Any:
    async def watch(event: Any, **_: Any) -> None:
        operator.saw(plural, dict(event["object"]), deleted=event["type"] == "DELETED")

    return watch
