"""The sweeper against an API server that lies, fails or changes its mind, and a simulated Heat; all on real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from simulator.control import Control
from simulator.local import Simulator
from stoker.api.tenant import Tenant
from stoker.audit.files import files_of, lines_of
from stoker.kube.anchors import Anchors
from stoker.kube.client import Access, KubeClient, open_session
from stoker.kube.lease import Leader
from stoker.kube.marks import Marks
from stoker.kube.objects import Objects
from stoker.openstack.base import Credentials, Endpoint
from stoker.openstack.client import connect
from stoker.reconcile.memory import VmCache
from stoker.reconcile.queue import WorkQueue
from stoker.reconcile.sweeper import make_sweeper
from stoker.reconcile.tenants import TenantRuntime
from stoker.reconcile.trail import Trail, open_trail
from support.kube_store import KubeStore, refusal

API = "/apis/stoker.dev/v1alpha1"
VMS, TENANT = f"{API}/virtualmachines", f"{API}/tenants/t"
OPERATIONS, MARKS = (f"{API}/namespaces/{name}/virtualmachineoperations" for name in ("team-a", "system"))
LONG_AGO = "2026-01-01T00:00:00Z"


class Fickle(KubeStore):
    """An API server whose answer to a GET may be another one each time."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, list[dict[str, Any] | int]] = {}
        """Given in turn to GETs of a path, a number being a refusal's status; the last stays."""

    async def _serve(self, request: web.Request) -> web.Response:
        planned = self.answers.get(request.path, [])
        if request.method == "GET" and planned:
            answer = planned.pop(0) if len(planned) > 1 else planned[0]
            return refusal(answer, "ServiceUnavailable") if isinstance(answer, int) else web.json_response(answer)
        if request.method == "PATCH" and request.path == f"{TENANT}/status":
            status = self.objects[TENANT]["status"] | (await request.json())["status"]
            kept = {key: value for key, value in status.items() if value is not None}
            return web.json_response(self.store(TENANT, {**self.objects[TENANT], "status": kept}))
        return await super()._serve(request)


def vm(name: str, version: int = 1) -> dict[str, Any]:
    """Return a VM of that id."""
    metadata = {"name": name, "namespace": "team-a", "uid": name, "resourceVersion": str(version)}
    return {"metadata": {**metadata, "creationTimestamp": LONG_AGO}}


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items), "metadata": {"resourceVersion": "1"}}


class Sweeping:
    """A sweeper of one tenant, whose project is the simulator's."""

    def __init__(self, store: Fickle, simulator: Simulator, kube: KubeClient, trail: Trail) -> None:
        self.store, self.simulator = store, simulator
        self.project = simulator.project("team-a")
        store.store(OPERATIONS, listed())
        store.store(MARKS, listed())
        self.tenant("Delete")
        runtime = TenantRuntime(
            Tenant.model_validate(store.objects[TENANT]), "cluster", 1.0, 1.0, ThreadPoolExecutor(2),
            lambda: None, lambda _: None, lambda _: None,
        )  # fmt: skip
        by_id = self.project["application_credential_id"], self.project["application_credential_secret"]
        endpoint = Endpoint(simulator.auth_url, "RegionOne", "public", self.project["project_id"])
        credentials = Credentials("application-credential", *by_id)
        runtime.project = connect(endpoint, credentials, timeout=20, create_timeout=20)
        self.runtime, self.cache, self.tenants = runtime, VmCache(), {"t"}
        self.sweeper = make_sweeper(
            kube, Objects(kube, "h"), Marks(kube, "system", "h"), self.cache, WorkQueue(), trail,
            cluster="cluster", holder="h", grace=0, ttl=0,
        )  # fmt: skip

    def tenant(self, policy: str, *orphans: str, uid: str = "u1", **annotations: str) -> None:
        """Store the Tenant, with those orphans reported long ago."""
        spec = {
            "cloud": "main", "projectID": self.project["project_id"], "namespaces": ["team-a"], "credentialsSecret": "s",
            "networkProfiles": [{"name": "default", "network": "private"}], "orphanPolicy": policy,
        }  # fmt: skip
        known = [{"stackID": one, "stackName": "x", "since": LONG_AGO} for one in orphans]
        metadata = {"name": "t", "uid": uid, "annotations": annotations}
        self.store.store(TENANT, {"metadata": metadata, "spec": spec, "status": {"orphans": known}})

    def live(self, *names: str) -> None:
        self.store.answers[VMS] = [listed(*map(vm, names))]

    def stack(self, vm_id: str, cluster: str = "cluster", amount: int = 1) -> str:
        """Make a stack, or several, and return the id of the first."""
        tags = f"stoker,stoker-cluster={cluster},stoker-vm={vm_id}"
        made: list[str] = self.simulator.do(Control.add_stacks, self.project["project_id"], amount, tags)
        return made[0]

    def stacks(self) -> list[str]:
        """Return the VM of each stack that there is."""
        found = self.simulator.do(
            lambda control: [s.tags for s in control.cloud.stacks.of_project(self.project["project_id"])]
        )
        return sorted(tags[-1].removeprefix("stoker-vm=") for tags in found)

    def mark(self, stack_id: str, vm_id: str, **labels: str) -> None:
        """Store the mark of a retained stack."""
        status = {"state": "Succeeded", "retained": True, "stackID": stack_id, "completedAt": LONG_AGO}
        name = self.simulator.do(lambda control: control.cloud.stacks.by_id[stack_id].name)
        annotations, labels = {"stoker.dev/stack-name": name}, {f"stoker.dev/{key}": v for key, v in labels.items()}
        metadata = {"name": f"left-{vm_id}", "namespace": "system", "annotations": annotations, "labels": labels}
        spec = {"vmName": vm_id, "vmID": vm_id, "type": "Delete"}
        self.store.answers[MARKS] = [listed({"metadata": metadata, "spec": spec, "status": status})]
        self.store.store(f"{MARKS}/left-{vm_id}", {"metadata": metadata, "spec": spec})

    async def sweep(self, times: int = 3) -> None:
        for _ in range(times):
            await self.sweeper.sweep(self.runtime, self.tenants)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.store.objects[TENANT]["status"]
        return found

    def asked(self, method: str) -> int:
        return self.simulator.count(f"{method} /heat/v1/{{project}}/stacks/{{name}}/{{id}}")


@pytest.fixture
async def sweeping(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Sweeping]:
    async with Fickle() as store, open_session(Access(store.url)) as session:
        kube = KubeClient(session, store.url)
        leader = Leader(kube, "system", "stoker", "replica-1_0a0b")
        trail = await open_trail(str(tmp_path / "audit"), 1, Anchors(kube, "system", "replica-1"), leader)
        sweeping = Sweeping(store, simulator, kube, trail)
        yield sweeping
        await sweeping.runtime.stop()
        await trail.close()


async def test_an_orphan_goes_and_the_rest_stays(sweeping: Sweeping, tmp_path: Path) -> None:
    sweeping.live("a", "b")
    orphan, _, _ = sweeping.stack("lost"), sweeping.stack("a"), sweeping.stack("b")
    sweeping.tenant("Delete", orphan)
    await sweeping.sweep(1)
    assert sweeping.stacks() == ["a", "b", "lost"]
    await sweeping.sweep(1)
    assert sweeping.stacks() == ["a", "b"]
    records = [json.loads(line) for _, line in lines_of(files_of(tmp_path / "audit"))]
    told = [
        (r["kind"], r["action"], r["reason"], r["requested_by"], r["stack_id"]) for r in records if r["kind"] != "Note"
    ]
    assert told == [
        ("Intent", "DeleteStack", "Orphan", "operator", orphan),
        ("Outcome", "DeleteStack", "Orphan", "operator", orphan),
    ]


async def test_an_api_server_that_suddenly_lists_nothing_deletes_nothing_and_it_is_said(sweeping: Sweeping) -> None:
    names = [f"vm-{n}" for n in range(5)]
    ids = [sweeping.stack(name) for name in names]
    sweeping.live(*names)
    await sweeping.sweep()
    sweeping.live()
    sweeping.tenant("Delete", *ids)
    await sweeping.sweep()
    assert sweeping.stacks() == names
    assert sweeping.status()["orphanBrake"]["message"].startswith("5 of the tenant's 5 stacks have no VirtualMachine")
    events = [o["reason"] for o in sweeping.store.objects.values() if o.get("kind") == "Event"]
    assert events == ["BrakeEngaged"]
    sweeping.live(*names)
    await sweeping.sweep(1)
    assert "orphanBrake" not in sweeping.status()


async def test_confirmed_orphans_go_one_a_sweep(sweeping: Sweeping) -> None:
    ids = [sweeping.stack(f"vm-{n}") for n in range(3)]
    sweeping.live()
    sweeping.tenant("Delete", *ids, **{"stoker.dev/confirm-orphans": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"})
    left = []
    for _ in range(4):
        await sweeping.sweep(1)
        left.append(len(sweeping.stacks()))
    assert left == [3, 2, 1, 0]


@pytest.mark.parametrize("path", [VMS, TENANT, OPERATIONS, MARKS], ids=["objects", "tenant", "operations", "marks"])
async def test_an_api_server_that_answers_503_stops_the_sweep(sweeping: Sweeping, path: str) -> None:
    sweeping.live("a")
    sweeping.tenant("Delete", sweeping.stack("lost"))
    sweeping.cache.store(vm("a"))
    sweeping.store.answers[path] = [503]
    await sweeping.sweep()
    assert sweeping.stacks() == ["lost"]
    assert list(sweeping.cache.objects) == [("team-a", "a")]


async def test_a_vm_that_comes_back_before_the_deletion_keeps_its_stack(sweeping: Sweeping) -> None:
    sweeping.tenant("Delete", sweeping.stack("lost"))
    sweeping.store.answers[VMS] = [listed(), listed(), listed(vm("lost"))]
    await sweeping.sweep()
    assert sweeping.stacks() == ["lost"]
    assert sweeping.asked("DELETE") == 0


async def test_a_live_vm_s_recorded_stack_stays_whatever_vm_its_tags_name(sweeping: Sweeping) -> None:
    """Somebody in the project may change a stack's tags."""
    stack = sweeping.stack("nobody")
    sweeping.tenant("Delete", stack)
    owner = {**vm("web", version=0), "status": {"stack": {"id": stack}}}
    sweeping.store.answers[VMS] = [listed(owner)]
    await sweeping.sweep(3)
    sweeping.store.answers[VMS] = [listed(), listed(), listed(owner)]
    await sweeping.sweep(3)
    assert sweeping.stacks() == ["nobody"]
    sweeping.live("web")
    await sweeping.sweep(4)
    assert sweeping.stacks() == []


async def test_a_policy_that_is_taken_back_before_the_deletion_holds(sweeping: Sweeping) -> None:
    sweeping.live()
    orphan = sweeping.stack("lost")
    sweeping.tenant("Report", orphan)
    report = sweeping.store.objects[TENANT]
    sweeping.tenant("Delete", orphan)
    delete = sweeping.store.objects[TENANT]
    sweeping.store.answers[TENANT] = [delete, delete, report]
    await sweeping.sweep()
    assert sweeping.stacks() == ["lost"]


async def test_a_tenant_of_another_life_or_api_server_is_not_swept(sweeping: Sweeping) -> None:
    sweeping.live()
    sweeping.tenant("Delete", sweeping.stack("lost"), uid="another")
    await sweeping.sweep()
    assert sweeping.stacks() == ["lost"]


async def test_a_marked_stack_stays_and_its_mark_goes_only_when_heat_calls_the_stack_gone(sweeping: Sweeping) -> None:
    sweeping.live()
    kept = sweeping.stack("kept")
    sweeping.tenant("Delete", kept)
    sweeping.mark(kept, "kept")
    sweeping.simulator.fail("half-page", "GET", "/stacks$", times=3)
    await sweeping.sweep(3)
    assert ("DELETE", f"{MARKS}/left-kept") not in sweeping.store.requests
    assert sweeping.asked("GET") == 3, "it was not listed, so it was looked at"
    await sweeping.sweep(3)
    assert sweeping.stacks() == ["kept"]
    sweeping.simulator.do(lambda control: control.engine.delete(control.cloud.stacks.by_id[kept]))
    await sweeping.sweep(1)
    assert ("DELETE", f"{MARKS}/left-kept") in sweeping.store.requests


async def test_a_mark_of_an_unknown_project_stays_since_no_project_can_prove_its_stack_gone(sweeping: Sweeping) -> None:
    sweeping.live()
    elsewhere = sweeping.stack("elsewhere")
    sweeping.mark(elsewhere, "elsewhere", project="unknown")
    sweeping.simulator.do(lambda control: control.engine.delete(control.cloud.stacks.by_id[elsewhere]))
    await sweeping.sweep(3)
    assert ("DELETE", f"{MARKS}/left-elsewhere") not in sweeping.store.requests


async def test_a_heat_that_fails_half_way_stops_the_sweep(sweeping: Sweeping) -> None:
    sweeping.live()
    sweeping.tenant("Delete", sweeping.stack("lost"))
    sweeping.simulator.fail("cut", "GET", "/stacks$", times=None)
    await sweeping.sweep()
    assert sweeping.stacks() == ["lost"]


async def test_a_stack_of_another_cluster_is_nobody_s_here(sweeping: Sweeping) -> None:
    sweeping.live()
    sweeping.tenant("Delete", sweeping.stack("theirs", cluster="another"))
    await sweeping.sweep()
    assert sweeping.stacks() == ["theirs"]
    assert sweeping.asked("DELETE") == 0


async def test_what_was_made_after_the_list_of_objects_is_not_forgotten(sweeping: Sweeping) -> None:
    sweeping.live()
    young = vm("young")
    young["metadata"]["resourceVersion"] = "7"
    sweeping.cache.store(young)
    sweeping.cache.store(vm("gone"))
    await sweeping.sweep(1)
    assert list(sweeping.cache.objects) == [("team-a", "young")]


async def test_a_vm_that_vanished_or_moved_away_hurries_no_poller(sweeping: Sweeping) -> None:
    moved = vm("moved")
    moved["metadata"]["namespace"] = "team-b"
    sweeping.store.answers[VMS] = [listed(vm("here"), moved)]
    for name in ("here", "moved", "gone"):
        sweeping.runtime.move(name, moving=True)
        sweeping.runtime.watch.await_look(name, awaited=True)
        sweeping.runtime.watch.view("server", name, None)
    await sweeping.sweep(1)
    watch = sweeping.runtime.watch
    assert (sweeping.runtime.moving, watch.awaited, set(watch.owners)) == ({"here"}, {"here"}, {"here"})


async def test_a_deletion_that_fails_is_asked_for_again_by_a_later_sweep(sweeping: Sweeping) -> None:
    sweeping.live()
    sweeping.tenant("Delete", sweeping.stack("lost"))
    sweeping.simulator.fail("status", "DELETE", "/stacks/", status=503)
    await sweeping.sweep(2)
    assert sweeping.stacks() == ["lost"]
    await sweeping.sweep(1)
    assert sweeping.stacks() == []


async def test_the_orphans_of_a_tenant_hold_those_of_another_only_while_it_is_there(sweeping: Sweeping) -> None:
    sweeping.live()
    sweeping.tenant("Delete", sweeping.stack("lost"))
    stored = sweeping.store.objects[TENANT]
    other = {**stored, "metadata": {**stored["metadata"], "name": "other"}}
    sweeping.store.store(f"{API}/tenants/other", other)
    sweeping.tenants = {"t", "other"}
    await sweeping.sweeper.sweep(replace(sweeping.runtime, tenant=Tenant.model_validate(other)), sweeping.tenants)
    await sweeping.sweep()
    assert sweeping.stacks() == ["lost"], (
        "of two stacks of the cluster, as the two tenants count them, both lack an object"
    )
    sweeping.tenants = {"t"}
    await sweeping.sweep(1)
    assert sweeping.stacks() == []
