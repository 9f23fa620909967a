"""A cloud that is down, hangs or is overloaded: nobody hammers it, no VM is called broken, and all goes on by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localenv.settings import LocalSettings
from simulator.control import Control
from simulator.local import Simulator
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.kubernetes

OUTAGES: dict[str, dict[str, Any]] = {
    "503 everywhere": {"kind": "status", "status": 503, "times": None},
    "a proxy's 502": {"kind": "html", "status": 502, "times": None},
    "connections that are cut": {"kind": "lost-request", "times": None},
}


def breaker(simulated: SimulatedCluster) -> str:
    """Return what the Cloud says of its breaker."""
    cloud = json.loads(simulated.kubectl("get", "oscloud", simulated.name, "-o", "json"))
    return str(cloud.get("status", {}).get("breaker", {}).get("state", ""))


def cloud_ready(simulated: SimulatedCluster) -> tuple[str, str]:
    cloud = json.loads(simulated.kubectl("get", "oscloud", simulated.name, "-o", "json"))
    found = next((c for c in cloud.get("status", {}).get("conditions", []) if c["type"] == "Ready"), None)
    return (found["status"], found["reason"]) if found else ("", "")


def cloud_events(simulated: SimulatedCluster) -> set[str]:
    items = json.loads(simulated.kubectl("get", "events", "-n", "default", "-o", "json"))["items"]
    involved = [event for event in items if event["involvedObject"]["name"] == simulated.name]
    return {event["reason"] for event in involved if event["involvedObject"]["kind"] == "Cloud"}


def condition_statuses(simulated: SimulatedCluster, name: str) -> tuple[str, str]:
    return simulated.condition(name)["status"], (simulated.vm(name) or {}).get("status", {}).get("phase", "")


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES)
def test_an_outage_opens_the_breaker_fails_no_vm_and_ends_by_itself(
    simulated: SimulatedCluster, operator: OperatorThread, fault: dict[str, Any]
) -> None:
    simulated.create("before")
    simulated.wait_active("before")
    simulator = simulated.project.simulator
    simulator.fail(**{"path": "/", **fault})
    simulated.create("during")

    wait_until("the breaker to open", lambda: breaker(simulated) == "Open")
    wait_until("the Cloud to say so", lambda: cloud_ready(simulated) == ("False", "CloudUnavailable"))
    assert condition_statuses(simulated, "before") == ("True", "Active")
    waits = f"the Cloud {simulated.name} is not called for a while, since calls failed in a row"
    wait_until("the VM to say what it waits for", lambda: waits in simulated.condition("during")["message"])
    assert simulated.condition("during")["status"] == "Unknown"
    assert (simulated.vm("during") or {})["status"]["phase"] != "Error"

    simulator.do(Control.heal)
    simulated.wait_active("during")
    wait_until("the breaker to close", lambda: breaker(simulated) == "Closed")
    wait_until("the Cloud to say so", lambda: cloud_ready(simulated) == ("True", "Reachable"))
    wait_until("its Events", lambda: cloud_events(simulated) >= {"BreakerOpened", "BreakerClosed"})
    assert condition_statuses(simulated, "before") == ("True", "Active")
    assert len(simulated.stacks()) == 2


def test_while_the_breaker_is_open_one_call_tries_at_a_time(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    """Twenty VMs wait, one is deleted, the tenant is swept: none of it calls a cloud that does not answer."""
    simulator = simulated.project.simulator
    simulated.create("old")
    simulated.wait_active("old")
    simulator.fail("status", "", "/", status=503, times=None)
    for number in range(20):
        simulated.create(f"web-{number}")
    simulated.delete("old")
    wait_until("the breaker to open", lambda: breaker(simulated) == "Open")

    simulator.do(lambda control: control.calls.clear())

    def waiting() -> int:
        conditions = [c for vm in simulated.vms() for c in vm.get("status", {}).get("conditions", [])]
        return sum((c["type"], c["reason"]) == ("Ready", "CloudUnavailable") for c in conditions)

    wait_until("all to wait", lambda: waiting() >= 20)
    wait_until("a trial", lambda: simulator.count(client="stoker/") >= 2)
    assert simulator.count(client="stoker/") <= 4, "trials only, at growing pauses"

    simulator.do(Control.heal)
    simulated.wait_active(*[f"web-{number}" for number in range(20)])
    wait_until("old to be gone", lambda: simulated.vm("old") is None)
    assert len(simulated.stacks()) == 20


def test_refusals_open_no_breaker(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    simulated.create("good")
    simulated.wait_active("good")
    simulator = simulated.project.simulator
    simulator.fail("status", "POST", "/stacks$", status=400, message="no", times=None)
    for number in range(8):
        simulated.create(f"bad-{number}")
    for number in range(8):
        simulated.wait_reason("InvalidSpec", f"bad-{number}")
    assert breaker(simulated) == ""
    assert cloud_ready(simulated) == ("True", "Reachable")


def test_a_start_during_an_outage_connects_when_it_ends(simulated: SimulatedCluster, onboarded: Any) -> None:
    """Keystone answers nothing at first: the tenant is Unknown, not refused, and its VM is made afterwards."""
    simulator = simulated.project.simulator
    simulator.fail("status", "", "/", status=503, times=None)
    with OperatorThread(onboarded):
        simulated.create()
        wait_until(
            "the Tenant to say so",
            lambda: any(
                (c["type"], c["status"], c["reason"]) == ("Ready", "Unknown", "CloudUnavailable")
                for c in simulated.tenant().get("status", {}).get("conditions", [])
            ),
        )
        simulator.do(Control.heal)
        simulated.wait_active("web-1")


def test_what_exceeds_the_rate_limit_waits_and_all_is_made(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.patch_tenant({"spec": {"rateLimit": {"callsPerSecond": 2, "burst": 2, "userCallsPerSecond": 2}}})
    names = [f"web-{number}" for number in range(15)]
    for name in names:
        simulated.create(name)
    throttled = {"Ready": False}

    def active() -> bool:
        vms = simulated.vms()
        for vm in vms:
            ready = next((c for c in vm.get("status", {}).get("conditions", []) if c["type"] == "Ready"), None)
            throttled["Ready"] |= bool(ready and ready["reason"] == "Throttled")
            assert vm.get("status", {}).get("phase") != "Error"
        return all(vm.get("status", {}).get("phase") == "Active" for vm in vms)

    wait_until("all to be Active", active)
    assert throttled["Ready"], "a wait that a person would notice is said"
    failed = [o["metadata"]["name"] for o in simulated.operations() if o["status"].get("lastError")]
    assert failed == []
    assert len(simulated.stacks()) == 15


def test_a_black_hole_costs_other_clouds_nothing_and_opens_the_breaker(
    simulated: SimulatedCluster, onboarded: LocalSettings
) -> None:
    """Every call to one cloud hangs until its deadline; a tenant of another cloud is served meanwhile."""
    simulator = simulated.project.simulator
    with Simulator() as healthy, OperatorThread(onboarded, call_timeout_seconds=2.0, create_timeout_seconds=2.0):
        other = simulated_cluster(onboarded, healthy)
        other.open()
        try:
            simulated.create("before")
            simulated.wait_active("before")
            simulator.fail("late-request", "", "/", times=None)
            for number in range(40):
                simulated.create(f"dark-{number}")
            other.create("light")
            other.wait_active("light")
            wait_until("the breaker to open", lambda: breaker(simulated) == "Open")
            assert breaker(other) == ""
            assert condition_statuses(simulated, "before") == ("True", "Active")
            assert {vm.get("status", {}).get("phase") for vm in simulated.vms()} <= {
                None,
                "Requested",
                "Provisioning",
                "Active",
            }
            other.delete()
            other.wait_gone()
        finally:
            simulator.do(Control.heal)
            other.close()
        simulated.wait_active(*[f"dark-{number}" for number in range(40)])
        assert len(simulated.stacks()) == 41
