"""What is written of Tenants, in the face of others who write them, and of Clouds that nobody uses."""

from __future__ import annotations

import pytest

from stoker.api.base import ObjectMeta
from stoker.api.cloud import Cloud
from stoker.api.tenant import Tenant
from stoker.kube.client import Access, KubeClient, open_session
from stoker.reconcile.clouds import CloudRuntime
from stoker.reconcile.reports import Reports
from support.kube_store import KubeStore

SPEC = {
    "cloud": "main", "projectID": "p", "namespaces": ["team-a"], "credentialsSecret": "s",
    "networkProfiles": [{"name": "default", "network": "private"}],
}  # fmt: skip
WHERE = "/apis/stoker.dev/v1alpha1/tenants/team-a"


@pytest.mark.parametrize(("reason", "status", "held"), [("Conflict", 409, True), ("Forbidden", 403, False)])
async def test_a_tenant_that_somebody_else_just_wrote_is_held_all_the_same(
    reason: str, status: int, held: bool
) -> None:
    async with KubeStore() as store, open_session(Access(store.url)) as session:
        stored = store.store(WHERE, {"metadata": {"name": "team-a", "uid": "u"}, "spec": SPEC})
        tenant = Tenant(metadata=ObjectMeta.model_validate(stored["metadata"]), spec=SPEC)  # type: ignore[arg-type]  # parsed
        store.refuse_next("PATCH", status, reason)

        assert await Reports(KubeClient(session, store.url), "holder").finalizers(tenant, None) is held

        assert [method for method, _ in store.requests] == (["GET", "PATCH"] * 2 if held else ["GET", "PATCH"])


async def test_the_spec_of_a_cloud_that_no_tenant_uses_is_seen_once_and_nothing_said_of_the_cloud() -> None:
    async with KubeStore() as store, open_session(Access(store.url)) as session:
        where, reports = "/apis/stoker.dev/v1alpha1/clouds/main", Reports(KubeClient(session, store.url), "holder")
        spec = {"authURL": "https://keystone.example.org/v3", "region": "RegionOne"}
        made = {"metadata": {"name": "main", "generation": 2}, "spec": spec}
        store.store(f"{where}/status", made)  # the subresource, which is all that is written

        await reports.cloud(Cloud.model_validate(made), CloudRuntime("main"), [])
        written = store.objects[f"{where}/status"]
        assert written["status"] == {"observedGeneration": 2}

        before = len(store.requests)
        await reports.cloud(Cloud.model_validate(written), CloudRuntime("main"), [])
        assert len(store.requests) == before
