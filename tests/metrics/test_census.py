"""What is counted from the objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from stoker.api.errors import ErrorCode
from stoker.api.tenant import Tenant
from stoker.core.faults import Fault
from stoker.core.stack import Listing
from stoker.metrics.census import Census, CensusCollector, Usage
from stoker.reconcile.census import take
from stoker.reconcile.clouds import CloudRuntime
from stoker.reconcile.tenants import Snapshot, TenantRuntime
from support.build import stack

END = datetime(2026, 12, 1, tzinfo=UTC)


def tenant(name: str = "team", **status: Any) -> Tenant:
    profile = {"name": "default", "network": "private"}
    spec = {"cloud": "main", "projectID": "p", "namespaces": [f"{name}-a"], "credentialsSecret": "s"}
    spec["networkProfiles"] = [profile]
    return Tenant.model_validate({"metadata": {"name": name}, "spec": spec, "status": status})


def runtime(of: Tenant) -> TenantRuntime:
    return TenantRuntime(of, "c", 1.0, 1.0, ThreadPoolExecutor(1), lambda: None, lambda _: None, lambda _: None)


def vm(namespace: str = "team-a", **status: Any) -> dict[str, Any]:
    spec = {"flavor": "m1.small", "plan": "gold"}
    return {"metadata": {"namespace": namespace, "name": "web-1"}, "spec": spec, "status": status}


def ready(status: str, reason: str, *others: dict[str, str], **more: Any) -> dict[str, Any]:
    return vm(conditions=[{"type": "Ready", "status": status, "reason": reason}, *others], **more)


def census(*vms: dict[str, Any], **known: Tenant) -> Census:
    return take(vms, known or {"team": tenant()}, {})[0]


def test_vms_are_counted_by_tenant_and_phase_and_one_without_a_status_is_requested() -> None:
    found = census(vm(phase="Active"), vm(phase="Active"), vm(), vm("nobodys"))
    assert found.vms == {("team", "Active"): 2, ("team", "Requested"): 1, ("", "Requested"): 1}


def test_what_is_not_ready_is_counted_by_reason_and_a_word_that_is_none_of_ours_is_other() -> None:
    found = census(ready("True", "Active"), ready("False", "NoValidHost"), ready("Unknown", "Whatever"))
    assert found.not_ready == {("team", "NoValidHost"): 1, ("team", "other"): 1}
    assert census(vm(phase="Whatever")).vms == {("team", "other"): 1}


def test_trouble_is_counted_for_each_tenant_and_shown_before_there_is_any() -> None:
    drifted = {"type": "Drifted", "status": "True", "reason": "DriftFound"}
    found = census(ready("False", "Stuck"), ready("True", "Active", drifted), ready("False", "DuplicateIdentity"))
    assert (found.stuck, found.drifted, found.duplicates) == ({("team",): 1}, {("team",): 1}, {("team",): 1})
    found = census()
    assert (found.stuck, found.drifted, found.duplicates) == ({("team",): 0}, {("team",): 0}, {("team",): 0})


def test_vms_with_two_stacks_are_duplicates() -> None:
    listed = runtime(tenant())
    listed.snapshot = Snapshot.of(Listing(0.0, (stack(id="a"), stack(id="b"))))
    assert take([], {"team": tenant()}, {"team": listed})[0].duplicates == {("team",): 1}


def test_only_vms_with_a_server_use_something_running_or_not() -> None:
    vms = [vm(serverID="1", powerState="Stopped"), vm(serverID="2"), vm(phase="Provisioning")]
    assert take(vms, {"team": tenant()}, {})[1] == (Usage("team", "gold", "m1.small", 2),)


def test_what_tenants_say_of_themselves_is_shown() -> None:
    brake = {"since": "2026-11-01T00:00:00Z", "message": "many"}
    said = tenant("b", orphanCount=3, orphanBrake=brake, credentialsExpireAt=END)
    found = census(a=tenant("a"), b=said)
    assert found.orphans == {("a",): 0, ("b",): 3}
    assert found.brakes == {("a",): 0, ("b",): 1}
    assert found.expiries == {("b",): END.timestamp()}


@pytest.mark.parametrize(("is_connected", "fault", "shown"), [
    (False, None, 0), (True, None, 1), (True, Fault(ErrorCode.UNAUTHORIZED, "no"), 0),
])  # fmt: skip
def test_a_tenant_is_connected_while_its_credentials_are_accepted(
    is_connected: bool, fault: Fault | None, shown: int
) -> None:
    connecting = runtime(tenant())
    connecting.project, connecting.fault = (object() if is_connected else None), fault  # type: ignore[assignment]
    assert take([], {"team": tenant()}, {"team": connecting})[0].connected == {("team",): shown}


def test_a_cloud_whose_breaker_is_open_is_shown_and_one_that_is_called_too() -> None:
    closed, opened = runtime(tenant("a")), runtime(tenant("b"))
    closed.cloud, opened.cloud = CloudRuntime("good"), CloudRuntime("bad")
    while opened.cloud.suspended is None:
        opened.cloud.failed("b", Fault(ErrorCode.CLOUD_UNAVAILABLE, "no", outage=True), trial=False)
    assert take([], {}, {"a": closed, "b": opened})[0].breakers == {("good",): 0, ("bad",): 1}


def test_a_scrape_shows_the_newest_census_and_nothing_of_the_one_before() -> None:
    collector = CensusCollector()
    collector.newest = census(vm(phase="Active"), vm(phase="Error"))
    collector.newest = census(vm(phase="Error"))
    (shown,) = (family for family in collector.collect() if family.name == "stoker_vms")
    assert [(sample.labels, sample.value) for sample in shown.samples] == [({"tenant": "team", "phase": "Error"}, 1)]
