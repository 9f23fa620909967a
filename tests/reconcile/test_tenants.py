"""A tenant at run time: what its end means for calls under way, and for VMs that are no longer its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import cast

import pytest

from stoker.api.errors import ErrorCode
from stoker.api.tenant import Tenant
from stoker.kube.lease import LeaseLostError
from stoker.openstack.base import CloudError, Project
from stoker.reconcile.tenants import TenantRuntime
from stoker.reconcile.trail import Said

NO_PROJECT = cast(Project, None)
"""What these calls look at."""


def tenant() -> Tenant:
    spec = {
        "cloud": "main", "projectID": "p", "namespaces": ["team-a"], "credentialsSecret": "s",
        "networkProfiles": [{"name": "default", "network": "private"}],
    }  # fmt: skip
    return Tenant.model_validate({"metadata": {"name": "t", "uid": "u1"}, "spec": spec})


@pytest.fixture
async def runtime() -> AsyncIterator[TenantRuntime]:
    made = TenantRuntime(
        tenant(), "cluster", 1.0, 1.0, ThreadPoolExecutor(1), lambda: None, lambda _: None, lambda _: None
    )
    yield made
    await made.stop()


async def test_a_call_that_still_waits_when_its_tenant_goes_fails_and_ends_no_worker(runtime: TenantRuntime) -> None:
    answer = Event()
    begun, waits = (asyncio.create_task(runtime.run("list", NO_PROJECT, lambda _: answer.wait(5))) for _ in range(2))
    await asyncio.sleep(0)
    await runtime.stop()
    answer.set()
    assert await begun
    with pytest.raises(CloudError) as gone:
        await waits
    assert (gone.value.fault.code, gone.value.fault.definite) == (ErrorCode.TENANT_NOT_READY, True)


async def test_a_tenant_that_is_gone_is_not_called(runtime: TenantRuntime) -> None:
    await runtime.stop()
    with pytest.raises(CloudError, match="is gone"):
        await runtime.run("list", NO_PROJECT, lambda _: True)


async def test_a_call_that_is_cut_short_by_a_stop_stays_so(runtime: TenantRuntime) -> None:
    answer = Event()
    call = asyncio.create_task(runtime.run("list", NO_PROJECT, lambda _: answer.wait(5)))
    await asyncio.sleep(0)
    call.cancel()
    answer.set()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_what_a_call_does_not_foresee_is_a_fault_like_any_other(
    runtime: TenantRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    def defect(_project: Project) -> None:
        raise AttributeError("no such attribute")

    with pytest.raises(CloudError) as found:
        await runtime.run("list", NO_PROJECT, defect)
    assert (found.value.fault.code, found.value.fault.definite) == (ErrorCode.UNKNOWN, False)
    assert found.value.fault.message == "list: AttributeError"
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_a_lost_lease_is_no_fault_of_the_cloud(runtime: TenantRuntime) -> None:
    def lost() -> None:
        raise LeaseLostError("the lease ran out")

    runtime.may_act = lost
    with pytest.raises(LeaseLostError):
        await runtime.run("create", NO_PROJECT, lambda _: True, effect=Said())
