"""`Client`: the Domain API for VirtualMachines. Each call is one or two ordinary requests, with the caller's own rights."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from stoker.api.errors import ErrorCode
from stoker.api.virtualmachine import Phase, PowerState, VirtualMachine, VirtualMachineSpec
from stoker.client import requests
from stoker.client.errors import StalledError, StokerError
from stoker.client.progress import Standing, Verdict, is_ready, standing
from stoker.client.reader import Reader, read
from stoker.client.requests import KEY_LABEL, Request
from stoker.core.identity import digest
from stoker.core.recorded import REQUESTED_BY

Progress = Callable[[VirtualMachine], None]

ANSWER_SECONDS = 60.0
"""How long a request by annotation may go unanswered before the VM is taken as it stands, seconds."""


@dataclass(frozen=True, slots=True)
class Created:
    """What came of a create."""

    vm: VirtualMachine
    idempotency_key: str
    """Keep it: with the same key and spec, the same create returns the same VM."""

    new: bool
    """False when the VM was there already, by the same key."""


class Client(Reader):
    """VirtualMachines of one cluster; one login, kept open.

    Every method raises StokerError, whose `code` is one of the documented error codes.
    A namespace that is not given is the login's own. Not for use by several threads at a time.
    """

    # ---- commands

    def create_vm(
        self,
        spec: VirtualMachineSpec,
        *,
        name: str | None = None,
        namespace: str | None = None,
        idempotency_key: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Created:
        """Ask for a VM, once for each key: the same key and spec return the same VM, however often they are sent.

        A key is generated when none is given, and a name made from the key when none is given.
        The key with another spec raises IdempotencyConflict; a name that another VM has raises Conflict.
        """
        key, where = idempotency_key or str(uuid.uuid4()), namespace or self.namespace
        if idempotency_key:
            for known in self.list_vms(namespace=where, labels={KEY_LABEL: digest(key)}):
                return _repeated(known, key, spec)
        name = name or requests.name_for(key)
        body = requests.manifest(name, where, spec, key, labels, annotations)
        try:
            return Created(self._write(lambda stamp: self._post(where, _with(body, stamp))), key, new=True)
        except StokerError as error:
            if error.code is not ErrorCode.CONFLICT:
                raise
            return _repeated(self.get_vm(name, namespace=where), key, spec)

    def delete_vm(self, name: str, *, namespace: str | None = None) -> None:
        """Ask for the deletion, in the caller's name, and return; `wait_gone` waits for the end.

        The API server stamps who asks on the object first, so the audit knows; whoever may delete may do that too.
        A refused deletion takes the stamp back. One without an answer leaves it: the VM may be going.
        """
        path, vm = self._path(name, namespace), self.get_vm(name, namespace=namespace)
        if vm.metadata.deletion_timestamp:
            return
        self._http.merge(path, requests.asked_to_delete(vm, self.whoami()), **self._by)
        try:
            self._http.delete(path, {"preconditions": {"uid": vm.metadata.uid}})
        except StokerError as error:
            if error.code is not ErrorCode.TIMEOUT:
                with suppress(StokerError):  # the refusal is what the caller must hear of
                    self._http.merge(path, requests.asked_to_delete(vm, None), **self._by)
            raise

    def start_vm(self, name: str, *, namespace: str | None = None) -> VirtualMachine:
        """Ask for a running VM; one that runs stays as it is."""
        return self._patch(name, namespace, requests.power(PowerState.RUNNING))

    def stop_vm(self, name: str, *, namespace: str | None = None) -> VirtualMachine:
        """Ask for a stopped VM; one that is stopped stays as it is."""
        return self._patch(name, namespace, requests.power(PowerState.STOPPED))

    def restart_vm(self, name: str, *, namespace: str | None = None, request_id: str | None = None) -> Request:
        """Ask for one reboot. The same request id asks for the same reboot."""
        asked = requests.restart(request_id or str(uuid.uuid4()))
        self._patch(name, namespace, asked.patch)
        return asked

    def retry_vm(self, name: str, *, namespace: str | None = None, request_id: str | None = None) -> Request:
        """Have what waits or failed for good tried now, once."""
        asked = requests.retry(request_id or str(uuid.uuid4()))
        self._patch(name, namespace, asked.patch)
        return asked

    def annotate_vm(
        self, name: str, annotations: Mapping[str, str | None], *, namespace: str | None = None
    ) -> VirtualMachine:
        """Set annotations; None takes one away."""
        return self._patch(name, namespace, requests.annotate(annotations))

    def apply_new(self, manifest: Mapping[str, Any]) -> VirtualMachine:
        """Make the VM of a whole manifest; raises Conflict when there is one of its name."""
        return self._write(lambda stamp: self._post(manifest["metadata"]["namespace"], _with(manifest, stamp)))

    def try_vm(self, manifest: Mapping[str, Any], live: VirtualMachine | None) -> VirtualMachine:
        """Return the VM as it would be stored with the manifest's spec; nothing is stored. Raises what a write would."""
        metadata = manifest["metadata"]
        where = metadata["namespace"]
        if live is None:
            body = {**manifest, "metadata": {"name": metadata["name"], "namespace": where}}
            return self._write(lambda stamp: self._post(where, _with(body, stamp), dryRun="All"))
        path = self._path(live.metadata.name, where)
        stored = self._http.get(path)
        body = {**stored, "spec": manifest["spec"]}
        how = {"dryRun": "All", "fieldValidation": "Strict", **self._by}
        return self._write(lambda stamp: self._http.put(path, _with(body, stamp), **how))

    # ---- waiting

    def wait_until(
        self,
        name: str,
        until: Callable[[VirtualMachine], bool] = is_ready,
        *,
        namespace: str | None = None,
        timeout: float = 900.0,
        progress: Progress | None = None,
        asked: Request | None = None,
    ) -> VirtualMachine:
        """Return the VM as soon as `until` is true of it: by default, when it is as its present spec asks.

        Raises StalledError at once when it needs a person, NotFound when it is not there or goes, Timeout after
        `timeout` seconds. With `asked` (a retry, a restart), nothing counts before that request was answered, for a
        minute at most: one that changes nothing, such as a retry of what is not admitted, is never answered.
        `progress` is called with each VM that says something new.
        """
        began, last, progress = time.monotonic(), None, _news(progress)
        if asked is not None:
            for last in self._snapshots(name, namespace, min(timeout, ANSWER_SECONDS), progress):
                if asked.answered(last):
                    break
        for vm in self._snapshots(name, namespace, timeout - (time.monotonic() - began), progress):
            last, seen = vm, standing(vm)
            if until(vm):
                return vm
            if seen.verdict is Verdict.STALLED:
                raise StalledError(seen.reason, f"{name} needs a person: {seen.reason}: {seen.message}")
        raise self._unfinished(name, namespace, last, timeout)

    def wait_gone(
        self, name: str, *, namespace: str | None = None, timeout: float = 900.0, progress: Progress | None = None
    ) -> None:
        """Return when the VM and its stack are gone. Raises StalledError when the deletion needs a person, and Timeout."""
        last, progress = None, _news(progress)
        for last in self._snapshots(name, namespace, timeout, progress):
            seen = standing(last)
            if seen.verdict is Verdict.STALLED and last.metadata.deletion_timestamp:
                raise StalledError(seen.reason, f"{name} cannot go: {seen.reason}: {seen.message}")
        error = self._unfinished(name, namespace, last, timeout)
        if error.code is not ErrorCode.NOT_FOUND:
            raise error

    # ---- parts

    def _snapshots(
        self, name: str, namespace: str | None, timeout: float, progress: Progress | None
    ) -> Iterator[VirtualMachine]:
        for vm in self.watch_vm(name, namespace=namespace, timeout=timeout):
            if progress:
                progress(vm)
            yield vm

    def _unfinished(self, name: str, namespace: str | None, last: VirtualMachine | None, timeout: float) -> StokerError:
        """Return why a watch ended before what was waited for."""
        where = namespace or self.namespace
        try:
            now = self.get_vm(name, namespace=where)
        except StokerError as error:
            return error
        if last and now.metadata.uid != last.metadata.uid:
            return StokerError(ErrorCode.NOT_FOUND, f"{where}/{name} is gone; another VM has its name now")
        seen = standing(now)
        said = f"waited {timeout:.0f} s for {where}/{name}; now: {seen.reason}: {seen.message}"
        return StokerError(ErrorCode.TIMEOUT, said)

    @property
    def _by(self) -> dict[str, str]:
        return {"fieldManager": self.field_manager}

    def _post(self, namespace: str, body: Mapping[str, Any], **query: str) -> dict[str, Any]:
        return self._http.post(self._vms(namespace), body, fieldValidation="Strict", **query, **self._by)

    def _patch(self, name: str, namespace: str | None, patch: dict[str, Any]) -> VirtualMachine:
        path = self._path(name, namespace)
        return self._write(lambda stamp: self._http.merge(path, _with(patch, stamp), **self._by))

    def _write(self, send: Callable[[dict[str, str]], dict[str, Any]]) -> VirtualMachine:
        """Send a write; where the API server stamps nobody itself (before 1.36), say who asks, as its policies demand."""
        try:
            return read(VirtualMachine, send({}))
        except StokerError as error:
            if error.code is not ErrorCode.FORBIDDEN or REQUESTED_BY not in str(error):
                raise
        return read(VirtualMachine, send({REQUESTED_BY: self.whoami()}))


def _news(progress: Progress | None) -> Progress | None:
    """Return what passes on only the VMs that say something new."""
    if progress is None:
        return None
    told: tuple[Phase | None, Standing] | None = None

    def tell(vm: VirtualMachine) -> None:
        nonlocal told
        if (now := (vm.status.phase, standing(vm))) != told:
            told = now
            progress(vm)

    return tell


def _with(body: Mapping[str, Any], stamp: dict[str, str]) -> dict[str, Any]:
    """Return the body with more annotations."""
    if not stamp:
        return dict(body)
    metadata = body.get("metadata", {})
    return {**body, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **stamp}}}


def _repeated(known: VirtualMachine, key: str, spec: VirtualMachineSpec) -> Created:
    where = f"{known.metadata.namespace}/{known.metadata.name}"
    match requests.is_same_request(known, key, spec):
        case True:
            return Created(known, key, new=False)
        case False:
            message = f"{where} was asked for by the key {key} with another spec. Use another key for another VM."
            raise StokerError(ErrorCode.IDEMPOTENCY_CONFLICT, message)
        case _:
            message = f"{where} exists already, and was not asked for by the key {key}. Use another name."
            raise StokerError(ErrorCode.CONFLICT, message)
