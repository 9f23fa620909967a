"""Effects and the audit: recorded first, done second; and what cannot be recorded is not done. On real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stoker.api.operation import OperationType
from stoker.api.tenant import Tenant
from stoker.audit.files import files_of, lines_of
from stoker.audit.writer import AuditError
from stoker.core.actions import Action, CreateStack, DeleteStack, LookById, Release, Retain
from stoker.core.decision import Decision, Reason
from stoker.core.identity import FINALIZER, ID_ANNOTATION
from stoker.core.stack import Listing
from stoker.core.tampering import Verified, verify
from stoker.core.world import Accepted, Held, Timing
from stoker.kube.anchors import Anchors
from stoker.kube.client import Access, KubeClient, KubeError, open_session
from stoker.kube.events import Events
from stoker.kube.lease import Leader, LeaseLostError
from stoker.kube.marks import Marks
from stoker.kube.objects import Objects
from stoker.openstack.base import CloudError, Credentials, Endpoint
from stoker.openstack.client import connect
from stoker.openstack.credentials import parse_credentials
from stoker.reconcile.directory import Directory
from stoker.reconcile.effects import Effects
from stoker.reconcile.gather import Gatherer
from stoker.reconcile.loop import Reconciler
from stoker.reconcile.memory import VmCache, VmMemory
from stoker.reconcile.queue import WorkQueue
from stoker.reconcile.quota import QuotaService
from stoker.reconcile.snapshot import Snapshot
from stoker.reconcile.tenants import TenantRuntime
from stoker.reconcile.trail import Trail, open_trail
from support.build import CREATE, DELETE, INPUTS, UID, operation, vm, world
from support.canned import PROJECT, Canned, CannedCloud
from support.kube_store import KubeStore

STACKS, STACK = "/heat/stacks", f"/heat/stacks/vm-{UID}/s1"
VM = "/apis/stoker.dev/v1alpha1/namespaces/team-a/virtualmachines/web-1"
OPERATIONS = "/apis/stoker.dev/v1alpha1/namespaces/team-a/virtualmachineoperations"
CREATED = {"stack": {"id": "s1"}}
REQUEST = {"X-Openstack-Request-Id": "req-1"}
FULL = Canned(403, {"error": {"type": "Forbidden", "message": "no"}}, REQUEST)
DEAD = Canned(raw=lambda connection, _: connection.shutdown(socket.SHUT_RDWR))

CREATING, DELETING = CreateStack(CREATE, 1, INPUTS), DeleteStack(f"vm-{UID}", "s1")
RETAINING = Retain(DELETE, operation(OperationType.DELETE).spec, "s1")


def tenant() -> Tenant:
    profile = {"name": "default", "network": "private"}
    spec = {"cloud": "main", "projectID": PROJECT, "namespaces": ["team-a"], "credentialsSecret": "s"}
    return Tenant.model_validate({"metadata": {"name": "t"}, "spec": {**spec, "networkProfiles": [profile]}})


@dataclass
class Acting:
    """Effects with a cloud, an API server and a folder, all of them real."""

    cloud: CannedCloud
    store: KubeStore
    kube: KubeClient
    folder: Path
    trail: Trail = field(init=False)
    cache: VmCache = field(default_factory=VmCache)
    memory: VmMemory = field(default_factory=lambda: VmMemory(UID, held=Held(CREATE, 1, since=0.0)))
    lost: bool = False

    async def start(self) -> None:
        leader = Leader(self.kube, "system", "stoker", "replica-1_0a0b")
        self.trail = await open_trail(str(self.folder), 1, Anchors(self.kube, "system", "replica-1"), leader)
        self.objects, self.marks = Objects(self.kube, leader.holder), Marks(self.kube, "system", leader.holder)
        self.effects = Effects(self.objects, self.cache, self.check, lambda: 1, 60, self.trail, self.marks)
        endpoint = Endpoint(self.cloud.url, "one", "public", PROJECT)
        self.runtime = TenantRuntime(
            tenant(), "cluster", 1.0, 1.0, ThreadPoolExecutor(2), self.check, lambda _: None, lambda _: None
        )
        self.runtime.project = connect(endpoint, Credentials("password", "u", "p"), timeout=20, create_timeout=20)

    async def stop(self) -> None:
        await self.trail.close()
        await self.runtime.stop()

    def check(self) -> None:
        if self.lost:
            raise LeaseLostError("lost")

    async def do(self, action: Action) -> None:
        await self.effects.perform(world(), Decision(action, Reason.DELETING, ""), self.memory, self.runtime)

    def records(self) -> list[dict[str, Any]]:
        """Return what is on the disk, without the chain's own notes."""
        lines = list(lines_of(files_of(self.folder)))
        assert isinstance(verify(lines), Verified)
        return [body for body in (json.loads(line) for _, line in lines) if body["kind"] != "Note"]

    def told(self) -> list[tuple[Any, ...]]:
        names = ("kind", "action", "outcome", "error", "stack_id", "request_id")
        return [tuple(body.get(name) for name in names) for body in self.records()]


@pytest.fixture
async def acting(tmp_path: Path) -> AsyncIterator[Acting]:
    with CannedCloud() as cloud:
        async with KubeStore() as store, open_session(Access(store.url)) as session:
            cloud.on("POST", STACKS, Canned(201, CREATED, REQUEST))
            cloud.on("DELETE", STACK, Canned(204, None, REQUEST))
            acting = Acting(cloud, store, KubeClient(session, store.url), tmp_path / "audit")
            await acting.start()
            yield acting
            await acting.stop()


@pytest.fixture
async def failing(tmp_path: Path, acting: Acting) -> Acting:
    """The same with a folder that cannot be made."""
    (tmp_path / "file").touch()
    await acting.stop()
    acting.folder = tmp_path / "file/audit"
    await acting.start()
    return acting


# ---- before and after


async def test_heat_is_asked_only_when_the_intent_is_on_the_disk(acting: Acting) -> None:
    there: list[dict[str, Any]] = []

    def answer(connection: socket.socket, _: object) -> None:
        there.extend(acting.records())
        body = json.dumps(CREATED).encode()
        head = f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)

    acting.cloud.on("POST", STACKS, Canned(raw=answer))
    await acting.do(CREATING)
    assert [(body["kind"], body["operation"], body["attempt"]) for body in there] == [("Intent", CREATE, 1)]
    assert acting.memory.held is not None
    assert acting.memory.held.answer == Accepted("s1")


OUTCOMES: dict[str, tuple[Action, Canned | None, str, str | None, str | None, str | None]] = {
    "an accepted create": (CREATING, None, "Accepted", None, "s1", "req-1"),
    "a refused create": (CREATING, FULL, "Refused", "Forbidden", None, "req-1"),
    "a create whose answer is lost": (CREATING, DEAD, "Lost", "CloudUnavailable", None, None),
    "an accepted delete": (DELETING, None, "Accepted", None, "s1", "req-1"),
    "a refused delete": (DELETING, FULL, "Refused", "Forbidden", "s1", "req-1"),
}


@pytest.mark.parametrize(
    ("action", "canned", "outcome", "error", "stack", "request_id"), OUTCOMES.values(), ids=OUTCOMES
)
async def test_a_call_has_one_intent_and_one_outcome(
    acting: Acting, action, canned, outcome, error, stack, request_id
) -> None:
    name = type(action).__name__
    if canned:
        acting.cloud.on(*(("POST", STACKS) if action is CREATING else ("DELETE", STACK)), canned)
    try:
        await acting.do(action)
    except CloudError:
        assert action is DELETING, "what came of a create is remembered instead"
    known = None if action is CREATING else "s1"
    assert acting.told() == [
        ("Intent", name, None, None, known, None),
        ("Outcome", name, outcome, error, stack, request_id),
    ]
    assert acting.records()[1]["intent"] == acting.records()[0]["sequence"]


@pytest.mark.parametrize(("status", "outcome"), [(409, "Refused"), (504, "Lost")])
async def test_a_release_that_the_api_server_refuses_is_recorded_so(acting: Acting, status: int, outcome: str) -> None:
    acting.store.refuse_next("PATCH", status, "Why")
    with pytest.raises(KubeError):
        await acting.do(Release())
    assert acting.told()[1] == ("Outcome", "Release", outcome, "Why", None, None)


async def test_a_retained_stack_is_recorded(acting: Acting) -> None:
    await acting.do(RETAINING)
    assert acting.told() == [
        ("Intent", "Retain", None, None, "s1", None),
        ("Outcome", "Retain", "Accepted", None, "s1", None),
    ]


async def test_what_the_lease_no_longer_allows_is_not_sent_and_said_so(acting: Acting) -> None:
    acting.lost = True
    for action in (CREATING, Release()):
        with pytest.raises(LeaseLostError):
            await acting.do(action)
    assert [body["outcome"] for body in acting.records()[1::2]] == ["NotSent", "NotSent"]
    assert acting.cloud.seen("POST", STACKS) == []


async def test_a_call_that_is_cut_short_by_a_stop_ends_unknown(acting: Acting) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(_: socket.socket, stopping: Any) -> None:
        loop.call_soon_threadsafe(asked.set)
        stopping.wait(20)

    acting.cloud.on("POST", STACKS, Canned(raw=wait))
    doing = asyncio.create_task(acting.do(CREATING))
    await asked.wait()
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    acting.cloud.stopping.set()
    assert [body.get("outcome") for body in acting.records()] == [None, "Unknown"]


async def test_a_look_is_not_recorded(acting: Acting) -> None:
    acting.cloud.on("GET", STACK, Canned(404, {"error": {"type": "EntityNotFound", "message": ""}}))
    await acting.do(LookById("s1"))
    assert acting.records() == []


# ---- when it cannot be written


@pytest.mark.parametrize("action", [CREATING, DELETING, RETAINING, Release()], ids=lambda a: type(a).__name__)
async def test_what_cannot_be_recorded_is_not_done(failing: Acting, action: Action) -> None:
    before = list(failing.store.requests)
    with pytest.raises(AuditError, match="Not a directory"):
        await failing.do(action)
    assert failing.cloud.sent == []
    assert failing.store.requests == before
    assert failing.memory.held == Held(CREATE, 1, since=0.0), "a create that was not sent can still be given up"
    assert failing.memory.effects == 0


async def test_what_was_done_counts_although_its_outcome_could_not_be_written(acting: Acting) -> None:
    def answer(connection: socket.socket, _: object) -> None:
        file = files_of(acting.folder)[0]
        os.rename(file, acting.folder / "away")  # noqa: PTH104 -- the volume goes while Heat answers
        connection.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 21\r\n\r\n{"stack":{"id":"s1"}}')

    acting.cloud.on("POST", STACKS, Canned(raw=answer))
    await acting.do(CREATING)
    assert acting.memory.held is not None
    assert acting.memory.held.answer == Accepted("s1")
    os.rename(acting.folder / "away", acting.folder / "audit-000000000001.jsonl")  # noqa: PTH104
    await acting.trail.anchor()
    assert [body.get("outcome") for body in acting.records()] == [None, "Accepted"]


async def test_without_a_folder_everything_is_done_and_nothing_recorded_which_is_said_loudly(
    acting: Acting, caplog: pytest.LogCaptureFixture
) -> None:
    off = await open_trail("", 1, Anchors(acting.kube, "system", "r"), Leader(acting.kube, "system", "stoker", "h"))
    acting.effects = Effects(acting.objects, acting.cache, acting.check, lambda: 1, 60, off, acting.marks)
    await acting.do(CREATING)
    await off.anchor()
    await off.close()
    assert len(acting.cloud.seen("POST", STACKS)) == 1
    assert acting.records() == []
    assert "there is no audit: STOKER_AUDIT_DIR is empty" in caplog.text


async def test_a_vm_says_that_the_audit_cannot_be_written_and_goes_on_when_it_can(
    failing: Acting, tmp_path: Path
) -> None:
    acting = failing
    metadata = {
        "name": "web-1", "namespace": "team-a", "uid": UID, "generation": 1, "finalizers": [FINALIZER],
        "annotations": {ID_ANNOTATION: UID}, "creationTimestamp": "2026-01-01T00:00:00Z",
        "deletionTimestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    stored = acting.store.store(VM, {"metadata": metadata, "spec": vm().spec.to_wire()})
    acting.store.store(f"{VM}/status", stored)
    acting.store.store(OPERATIONS, {"items": [], "metadata": {}})
    key = acting.cache.store(json.loads(json.dumps(stored)))
    directory = Directory(acting.kube, "system", connect, parse_credentials, lambda _: acting.runtime)  # type: ignore[arg-type]
    directory.tenants["t"], directory.runtimes["t"] = acting.runtime.tenant, acting.runtime
    acting.runtime.snapshot = Snapshot.of(Listing(asyncio.get_running_loop().time(), ()))
    queue, events = WorkQueue(), Events(acting.kube, "holder")
    quota = QuotaService(acting.kube, acting.cache, queue, directory, lambda: None)
    gatherer = Gatherer(acting.kube, acting.objects, acting.cache, directory, "cluster", Timing(), quota)
    reconciler = Reconciler(acting.cache, queue, gatherer, acting.effects, acting.objects, events, acting.check)

    await reconciler.run(key)

    said = [body for body in acting.store.objects.values() if body.get("kind") == "Event"]
    assert [(event["type"], event["reason"]) for event in said] == [("Warning", "AuditUnavailable")]
    assert f"write the audit: {tmp_path}/file/audit: Not a directory. Mend the audit volume" in said[0]["message"]
    assert ("PATCH", f"{VM}/status") in acting.store.requests
    assert ("PATCH", VM) not in acting.store.requests

    (tmp_path / "file").unlink()
    await reconciler.run(key)

    assert ("PATCH", VM) in acting.store.requests
    assert [body.get("outcome") for body in acting.records()] == [None, "Accepted"]
