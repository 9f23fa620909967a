"""The directory: one tenant's trouble is its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from stoker.api.cloud import Cloud
from stoker.api.errors import ErrorCode
from stoker.api.tenant import Tenant
from stoker.core.faults import Fault
from stoker.core.tenancy import FINALIZER
from stoker.kube.client import Access, KubeClient, open_session
from stoker.openstack.base import CloudError, Credentials, Endpoint, Project
from stoker.reconcile.connection import clock_ahead
from stoker.reconcile.directory import Directory
from stoker.reconcile.tenants import TenantRuntime
from support.kube_store import KubeStore

NOW = datetime.now(UTC)


def tenant(name: str, *finalizers: str) -> dict[str, Any]:
    spec = {
        "cloud": "main", "projectID": name, "namespaces": [name], "credentialsSecret": name,
        "networkProfiles": [{"name": "default", "network": "private"}],
    }  # fmt: skip
    return {"metadata": {"name": name, "uid": name, "finalizers": list(finalizers)}, "spec": spec}


def start(tenant: Tenant) -> TenantRuntime:
    threads = ThreadPoolExecutor(1)
    return TenantRuntime(tenant, "c", 1.0, 1.0, threads, lambda: None, lambda _: None, lambda _: None)


def refuse(_data: dict[str, bytes]) -> Credentials:
    raise CloudError(Fault(ErrorCode.CREDENTIALS_INVALID, "the Secret has no secret"))


def never(_endpoint: Endpoint, _credentials: Credentials) -> Project:
    return cast(Project, None)


async def test_a_tenant_that_this_version_does_not_understand_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    newer = tenant("newer")
    async with KubeStore() as store, open_session(Access(store.url)) as session:
        directory = Directory(KubeClient(session, store.url), "system", never, refuse, start)
        spec = {"authURL": "https://keystone.example/v3", "region": "r", "allowedHosts": ["keystone.example"]}
        directory.saw("clouds", "main", Cloud.model_validate({"metadata": {"name": "main"}, "spec": spec}))
        for known in (newer, tenant("good", FINALIZER)):
            name = known["metadata"]["name"]
            store.store(
                f"/api/v1/namespaces/system/secrets/{name}", {"metadata": {"name": name, "uid": name}, "data": {}}
            )
            directory.saw("tenants", name, Tenant.model_validate(known))
        store.store("/apis/stoker.dev/v1alpha1/tenants/newer", {**newer, "spec": {"cloud": {"name": "main"}}})

        for _ in range(2):
            await directory.refresh()

        fault = directory.runtimes["good"].fault
        assert fault is not None
        assert fault.code is ErrorCode.CREDENTIALS_INVALID
        said = [record for record in caplog.records if record.levelname == "ERROR"]
        assert [record.message for record in said] == ["a look failed in an unexpected way"] * 2
        assert {record.__dict__["look"] for record in said} == {"tenant newer"}
        for runtime in directory.runtimes.values():
            await runtime.stop()


@pytest.mark.parametrize(
    ("server", "ahead"),
    [
        (NOW + timedelta(minutes=10), 600.0),
        (NOW - timedelta(minutes=10), -600.0),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), 0.0),
        (datetime(1970, 1, 1, tzinfo=UTC), 0.0),
    ],
)
def test_only_a_clock_that_may_be_one_is_believed(server: datetime, ahead: float) -> None:
    assert clock_ahead(server, NOW) == ahead
