"""`Reader`: what a caller reads of VirtualMachines and what goes with them, as typed values."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack

from pydantic import ValidationError

from stoker import __version__
from stoker.api.base import API_VERSION, Resource, what_is_wrong
from stoker.api.errors import ErrorCode
from stoker.api.operation import VirtualMachineOperation
from stoker.api.template import VirtualMachineTemplate
from stoker.api.tenant import Tenant
from stoker.api.virtualmachine import Phase, VirtualMachine
from stoker.client.errors import StokerError
from stoker.client.events import Event, event, in_order
from stoker.client.transport import WATCH_SECONDS, Transport, login

Kind = TypeVar("Kind", bound=Resource)


class Filters(TypedDict, total=False):
    """What `list_vms` takes; all of it must fit."""

    namespace: str | None
    all_namespaces: bool
    labels: Mapping[str, str] | str | None
    """Labels, or a selector as kubectl takes it."""

    template: str | None
    image: str | None
    flavor: str | None
    phase: Phase | None


SELECTABLE = {
    "template": "spec.template", "image": "spec.image", "flavor": "spec.flavor", "phase": "status.phase",
}  # fmt: skip
"""Filter → the field that the API server selects by."""


AWAY_SECONDS, AWAY_PAUSE = 60.0, 1.0
"""How long an API server may be away during a watch (an update of the control plane), and the pause between tries."""


class Reader:
    """The reading half of `Client`."""

    def __init__(
        self,
        namespace: str | None = None,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        field_manager: str = "stoker-client",
        timeout: float = 30.0,
    ) -> None:
        """Log in as kubectl does, or as the pod's service account. `timeout` bounds each request, seconds."""
        api, default = login(kubeconfig, context)
        self.namespace, self.field_manager = namespace or default, field_manager
        self._http = Transport(api, self.namespace, f"{field_manager}/{__version__}", timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the session."""
        self._http.close()

    def get_vm(self, name: str, *, namespace: str | None = None) -> VirtualMachine:
        """Return a VM; raises NotFound."""
        return read(VirtualMachine, self.vm_object(name, namespace=namespace))

    def list_vms(self, **filters: Unpack[Filters]) -> list[VirtualMachine]:
        """Return the VMs that fit every filter; the API server filters."""
        return [read(VirtualMachine, one) for one in self.vm_objects(**filters)]

    def vm_object(self, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """Return a VM as the API server has it, for `-o json`."""
        return self._http.get(self._path(name, namespace))

    def vm_objects(self, **filters: Unpack[Filters]) -> list[dict[str, Any]]:
        """Return VMs as the API server has them."""
        within = None if filters.get("all_namespaces") else filters.get("namespace") or self.namespace
        found = self._http.list(
            self._vms(within),
            labelSelector=_labels(filters.get("labels")),
            fieldSelector=_pairs({path: filters.get(field) for field, path in SELECTABLE.items()}),
        )
        return list(found)

    def get_vm_events(self, name: str, *, namespace: str | None = None) -> list[Event]:
        """Return the Kubernetes Events of this VM, the newest last; the API server keeps them for an hour or so."""
        vm, where = self.get_vm(name, namespace=namespace), namespace or self.namespace
        selector = f"involvedObject.name={name},involvedObject.uid={vm.metadata.uid}"
        found = self._http.list(f"/api/v1/namespaces/{where}/events", fieldSelector=selector)
        return in_order([event(one) for one in found])

    def list_operations(
        self, name: str | None = None, *, namespace: str | None = None
    ) -> list[VirtualMachineOperation]:
        """Return the recorded commands of one VM or of a namespace, oldest first, also of VMs that are gone."""
        path = f"/apis/{API_VERSION}/namespaces/{namespace or self.namespace}/virtualmachineoperations"
        found = self._http.list(path, fieldSelector=f"spec.vmName={name}" if name else None)
        known = [read(VirtualMachineOperation, one) for one in found]
        return sorted(known, key=lambda one: (str(one.metadata.creation_timestamp), one.metadata.name))

    def list_templates(self) -> list[VirtualMachineTemplate]:
        """Return the cluster's templates."""
        found = self._http.list(f"/apis/{API_VERSION}/virtualmachinetemplates")
        return [read(VirtualMachineTemplate, one) for one in found]

    def list_tenants(self) -> list[Tenant]:
        """Return the Tenants; users of VMs may not read them, which raises Forbidden."""
        return [read(Tenant, one) for one in self._http.list(f"/apis/{API_VERSION}/tenants")]

    def whoami(self) -> str:
        """Return the caller's user name, as the API server knows it."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = self._http.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        return str(answer["status"]["userInfo"]["username"])[:253]

    def may(self, verb: str, resource: str, *, namespace: str | None = None, group: str = "stoker.dev") -> bool:
        """Tell whether the caller may do that: a namespace for what is in one, "" for what is in none."""
        where = self.namespace if namespace is None else namespace
        attributes = {"group": group, "resource": resource, "verb": verb, "namespace": where}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        body = {**review, "spec": {"resourceAttributes": attributes}}
        answer = self._http.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
        return bool(answer["status"]["allowed"])

    def watch_vm(
        self, name: str, *, namespace: str | None = None, timeout: float | None = None
    ) -> Iterator[VirtualMachine]:
        """Yield the VM as it is now, then after each change; ends when it is gone, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout if timeout is not None else None
        path, selector = self._vms(namespace or self.namespace), f"metadata.name={name}"
        uid = ""
        while True:
            listed = self._listed(path, selector)
            items, version = listed["items"], listed["metadata"]["resourceVersion"]
            if not items or items[0]["metadata"]["uid"] != (uid := uid or items[0]["metadata"]["uid"]):
                return
            yield read(VirtualMachine, items[0])
            left = WATCH_SECONDS if deadline is None else min(WATCH_SECONDS, deadline - time.monotonic())
            if left <= 0:
                return
            seconds, began = max(1, round(left)), time.monotonic()
            for change in self._http.watch(path, seconds, fieldSelector=selector, resourceVersion=version):
                if change["type"] == "DELETED":
                    return
                if change["type"] == "ERROR":
                    break  # the version is too old: list again
                if change["type"] != "BOOKMARK":
                    yield read(VirtualMachine, change["object"])
            time.sleep(max(0.0, began + AWAY_PAUSE - time.monotonic()))  # a watch that ends at once is not asked hot

    def _listed(self, path: str, selector: str) -> dict[str, Any]:
        """Return a fresh list; an API server that is away for a moment ends no watch."""
        until = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                return self._http.get(path, fieldSelector=selector)
            except StokerError as error:
                if error.code is not ErrorCode.TIMEOUT or time.monotonic() > until:
                    raise
            time.sleep(AWAY_PAUSE)

    def _vms(self, namespace: str | None) -> str:
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"/apis/{API_VERSION}{within}/virtualmachines"

    def _path(self, name: str, namespace: str | None) -> str:
        return f"{self._vms(namespace or self.namespace)}/{name}"


def read(kind: type[Kind], found: Mapping[str, Any]) -> Kind:
    """Return an object as its model. Raises StokerError when it does not fit."""
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        name = found.get("metadata", {}).get("name")
        message = f"{kind.__name__} {name} does not fit this client, which may be older than the operator: {what_is_wrong(error)}"
        raise StokerError(ErrorCode.UNKNOWN, message) from None


def _labels(labels: Mapping[str, str] | str | None) -> str | None:
    return labels if isinstance(labels, str) else _pairs(labels or {})


def _pairs(pairs: Mapping[str, Any]) -> str | None:
    return ",".join(f"{key}={value}" for key, value in pairs.items() if value) or None
