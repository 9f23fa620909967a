"""What is written of Tenants, in the face of others who write them."""

from __future__ import annotations

import pytest

from stoker.api.base import ObjectMeta
from stoker.api.tenant import Tenant
from stoker.kube.client import Access, KubeClient, open_session
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
