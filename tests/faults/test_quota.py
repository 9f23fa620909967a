"""A Tenant's quota on the real API server: bursts, two operators at once, kill -9, edits at the limit."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from localenv.settings import LocalSettings
from simulator.control import Control
from simulator.local import Simulator
from stoker import metrics
from support.cluster import wait_until
from support.operator import OperatorProcess, OperatorThread
from support.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.kubernetes


@pytest.fixture
def under(onboarded: LocalSettings, simulator: Simulator) -> Iterator[Callable[..., SimulatedCluster]]:
    """Makes a Tenant with that quota."""
    opened: list[SimulatedCluster] = []

    def make(**quota: int) -> SimulatedCluster:
        opened.append(simulated_cluster(onboarded, simulator))
        opened[-1].tenant_spec["quota"] = quota
        opened[-1].open()
        return opened[-1]

    yield make
    for cluster in opened:
        cluster.close()


def apply(cluster: SimulatedCluster, count: int, prefix: str = "vm", **spec: Any) -> None:
    manifests = [cluster.manifest(f"{prefix}-{n:03}", **spec) for n in range(count)]
    cluster.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))


def reserved(vms: list[dict[str, Any]], resource: str = "vms") -> int:
    return sum((vm.get("status", {}).get("reserved") or {}).get(resource, 0) for vm in vms)


def active(vms: list[dict[str, Any]]) -> list[str]:
    """Return the names of those that are Ready, in their order."""
    return sorted(vm["metadata"]["name"] for vm in vms if condition(vm) == "True")


def settled(vms: list[dict[str, Any]], active: int, parked: int) -> bool:
    """Tell whether so many VMs are Active, so many wait for the quota, and there is no other."""
    said = [condition(vm) for vm in vms]
    return len(vms) == active + parked and (said.count("True"), said.count("QuotaExceeded")) == (active, parked)


def condition(vm: dict[str, Any]) -> str:
    """Return "True" for a VM that is Ready, else why it is not."""
    found = next((c for c in vm.get("status", {}).get("conditions", []) if c["type"] == "Ready"), None)
    if found is None or found["observedGeneration"] != vm["metadata"]["generation"]:
        return ""
    return "True" if found["status"] == "True" else str(found["reason"])


class History:
    """Every change of a namespace's VMs in its order, as a watch tells it; and the most that was ever reserved."""

    def __init__(self, cluster: SimulatedCluster, resource: str) -> None:
        self._cluster, self._resource = cluster, resource
        self._vms: dict[str, dict[str, Any]] = {}
        self.most_reserved = self.most_stacks = 0
        kubeconfig = str(cluster.settings.state / "kubeconfig")
        command = ["get", "osvm", "-n", cluster.name, "--watch", "--output-watch-events", "-o", "json"]
        self._kubectl = subprocess.Popen(
            [cluster.settings.state / "bin" / "kubectl", "--kubeconfig", kubeconfig, *command],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._kubectl.stdout is not None
        for line in self._kubectl.stdout:
            self._saw(json.loads(line))

    def _saw(self, event: dict[str, Any]) -> None:
        vm = event["object"]
        if event["type"] == "DELETED":
            self._vms.pop(vm["metadata"]["name"], None)
        else:
            self._vms[vm["metadata"]["name"]] = vm
        self.most_reserved = max(self.most_reserved, reserved(self.vms(), self._resource))
        self.most_stacks = max(self.most_stacks, len(self._cluster.stacks()))

    def vms(self) -> list[dict[str, Any]]:
        return list(self._vms.values())

    def wait(self, active: int, parked: int) -> None:
        """Wait until so many are Active, so many are parked, and there is no other."""
        wait_until(f"{active} Active and {parked} parked", lambda: settled(self.vms(), active, parked))

    def stop(self) -> None:
        self._kubectl.terminate()
        self._thread.join()
        self._kubectl.wait()
        assert self._kubectl.stdout is not None
        self._kubectl.stdout.close()


@contextmanager
def watched(cluster: SimulatedCluster, limit: int, resource: str = "vms") -> Iterator[History]:
    """Watch every change; at no moment may more be reserved than the limit, or there be more stacks."""
    history = History(cluster, resource)
    try:
        yield history
    finally:
        history.stop()
    assert 0 < history.most_reserved <= limit
    assert history.most_stacks <= limit


def test_of_200_vms_applied_at_once_just_those_with_room_are_made_and_as_many_more_as_go(
    under: Callable[..., SimulatedCluster], operator: OperatorThread
) -> None:
    cluster = under(vms=50)

    with watched(cluster, 50) as seen:
        apply(cluster, 200)
        seen.wait(50, 150)
        assert len(cluster.stacks()) == 50
        batches = cluster.tenant()["status"]["admission"]["sequence"]
        first = active(seen.vms())
        cluster.delete(*first[:10])
        seen.wait(50, 140)

    assert len(cluster.stacks()) == 50
    assert set(first[10:]) <= set(active(seen.vms()))
    refused = next(vm for vm in seen.vms() if condition(vm) == "QuotaExceeded")
    said = next(c for c in refused["status"]["conditions"] if c["type"] == "QuotaReserved")
    assert (said["status"], said["reason"]) == ("False", "QuotaExceeded")
    assert "VMs: 1 more asked for, 50 of 50 used" in said["message"]
    assert not any(op["spec"]["vmName"] == refused["metadata"]["name"] for op in cluster.operations())
    assert cluster.tenant()["status"]["used"]["vms"] == 50
    assert batches <= 20, "VMs that come together are admitted together"


def test_two_operators_at_once_do_not_give_one_place_away_twice(
    under: Callable[..., SimulatedCluster], onboarded: LocalSettings
) -> None:
    cluster = under(vms=20)

    one, two = (OperatorThread(onboarded, lease_name=name, audit_dir="") for name in ("one", "two"))
    with one, two, watched(cluster, 20) as seen:
        apply(cluster, 60)
        seen.wait(20, 40)
        cluster.delete(*active(seen.vms())[:5])
        seen.wait(20, 35)

    assert len(cluster.stacks()) == 20


def test_a_quota_outlives_operators_that_are_killed_again_and_again(
    under: Callable[..., SimulatedCluster], onboarded: LocalSettings, tmp_path: Path
) -> None:
    cluster = under(vms=20)
    operator = OperatorProcess(onboarded, str(tmp_path / "log"), STOKER_IDENTITY="")

    with watched(cluster, 20) as seen, operator as running:
        apply(cluster, 60)
        for least in (1, 5, 15):
            wait_until(f"{least} reservations", lambda least=least: reserved(seen.vms()) >= least)
            running.kill()
            running.start()
        seen.wait(20, 40)
        running.kill()
        cluster.delete(*active(seen.vms())[:5])
        running.start()
        seen.wait(20, 35)

        assert len(cluster.stacks()) == 20
        assert (cluster.tenant()["status"]["admission"]["pending"], reserved(cluster.vms())) == ([], 20)
        assert running.stop() == 0


def test_a_lowered_quota_stops_nothing_and_a_raised_one_wakes_the_oldest(
    under: Callable[..., SimulatedCluster], operator: OperatorThread
) -> None:
    cluster = under(vms=3)
    apply(cluster, 3, "old")
    wait_until("3 VMs", lambda: settled(cluster.vms(), 3, 0))

    cluster.patch_tenant({"spec": {"quota": {"vms": 2}}})
    apply(cluster, 2, "young")

    wait_until("the young to wait", lambda: settled(cluster.vms(), 3, 2))
    assert cluster.tenant()["status"]["used"]["vms"] == 3
    cluster.patch_tenant({"spec": {"quota": {"vms": 4}}})
    wait_until("one more", lambda: settled(cluster.vms(), 4, 1))
    assert cluster.condition("young-000")["status"] == "True"
    cluster.patch_tenant({"spec": {"quota": None}})
    wait_until("all", lambda: settled(cluster.vms(), 5, 0))
    wait_until("no use to be told", lambda: "used" not in cluster.tenant()["status"])


def test_a_quota_counts_the_vms_that_are_older_than_it(
    under: Callable[..., SimulatedCluster], operator: OperatorThread
) -> None:
    cluster = under()
    apply(cluster, 2, "old")
    wait_until("2 VMs", lambda: settled(cluster.vms(), 2, 0))
    assert reserved(cluster.vms()) == 0, "without a quota nothing is reserved"

    cluster.patch_tenant({"spec": {"quota": {"vms": 2, "vcpus": 9}}})

    wait_until(
        "what they take to be recorded", lambda: (reserved(cluster.vms()), reserved(cluster.vms(), "vcpus")) == (2, 2)
    )
    apply(cluster, 1, "young")
    wait_until("the young to wait", lambda: settled(cluster.vms(), 2, 1))


def test_an_edit_at_the_limit_and_a_new_vm_do_not_both_get_the_last_vcpu(
    under: Callable[..., SimulatedCluster], operator: OperatorThread
) -> None:
    """m1.tiny has one vCPU and m1.medium two: there is room for the edit or for the new VM."""
    cluster = under(vcpus=2)
    cluster.create("old")
    cluster.wait_active("old")

    with watched(cluster, 2, "vcpus"):
        cluster.create("young")
        cluster.patch("old", {"spec": {"flavor": "m1.medium"}})
        wait_until("one to have it", lambda: settled(cluster.vms(), 1, 1))
        winner = next(vm["metadata"]["name"] for vm in cluster.vms() if condition(vm) == "True")
        if winner == "young":  # the edit waits, and the VM runs as it was
            assert len(cluster.stacks()) == 2
            cluster.delete("young")
        else:
            cluster.patch("old", {"spec": {"flavor": "m1.tiny"}})
        wait_until("all to be as asked", lambda: all(condition(vm) == "True" for vm in cluster.vms()))

    assert reserved(cluster.vms(), "vcpus") == 2


def test_an_edit_that_asks_for_less_makes_room_when_it_is_applied(
    under: Callable[..., SimulatedCluster], operator: OperatorThread
) -> None:
    cluster = under(vcpus=2)
    cluster.create("old", flavor="m1.medium")
    cluster.wait_active("old")
    cluster.create("young")
    cluster.wait_reason("QuotaExceeded", "young")

    cluster.patch("old", {"spec": {"flavor": "m1.tiny"}})

    cluster.wait_active("old", "young")
    assert {vm["status"]["reserved"]["vcpus"] for vm in cluster.vms()} == {1}


APART = ("event", "tenants", "clouds")


def writes() -> dict[str, float]:
    """Return what this process wrote to the API server for VMs so far, by kind; Events and other objects apart."""
    samples = [sample for metric in metrics.WRITES.collect() for sample in metric.samples]
    return {s.labels["what"]: s.value for s in samples if s.name.endswith("_total") and s.labels["what"] not in APART}


@pytest.mark.parametrize(("quota", "extra"), [({}, 0), ({"vms": 1}, 1)], ids=["without a quota", "under a quota"])
def test_a_reservation_costs_one_write_of_its_vm_and_none_without_a_quota(
    under: Callable[..., SimulatedCluster], operator: OperatorThread, quota: dict[str, int], extra: int
) -> None:
    cluster, before = under(**quota), writes()

    cluster.create()
    cluster.wait_active("web-1")
    cluster.delete()
    cluster.wait_gone()

    made = {what: count - before.get(what, 0) for what, count in writes().items()}
    of_tenant = made.pop("admission", 0)
    assert made.pop("reservation", 0) == extra
    assert sum(made.values()) + extra <= 12
    assert (of_tenant > 0) == bool(quota)


def test_a_flavor_of_unknown_size_waits_under_a_limit_of_its_size_until_it_can_be_read(
    under: Callable[..., SimulatedCluster], simulator: Simulator, operator: OperatorThread
) -> None:
    simulator.fail("status", "GET", "/flavors/detail", status=503, times=None)
    cluster = under(vcpus=2)
    cluster.create()

    said = cluster.wait_reason("FlavorNotFound")

    assert "the size of the flavor m1.tiny is not known" in said["message"]
    assert cluster.condition(kind="QuotaReserved")["status"] == "False"
    assert not cluster.stacks()
    simulator.do(Control.heal)
    cluster.wait_active("web-1")
