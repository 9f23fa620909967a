"""What is gathered of a VM that has no Tenant any more."""

from __future__ import annotations

import json

from stoker.api.virtualmachine import StackStatus
from stoker.core.attempts import Timing
from stoker.kube.client import Access, KubeClient, open_session
from stoker.kube.objects import Objects
from stoker.openstack.client import connect
from stoker.openstack.credentials import parse_credentials
from stoker.reconcile.directory import Directory
from stoker.reconcile.gather import Gatherer
from stoker.reconcile.memory import VmCache
from stoker.reconcile.queue import WorkQueue
from stoker.reconcile.quota import QuotaService
from support.build import NOW, active
from support.kube_store import KubeStore

API = "/apis/stoker.dev/v1alpha1/namespaces/team-a"


async def test_a_vm_without_a_tenant_keeps_the_project_of_its_stack_for_what_is_recorded_of_it() -> None:
    vm = active(deleting=True, stack=StackStatus(name="vm", id="s1", project_id="p1"))
    vm = vm.model_copy(update={"metadata": vm.metadata.model_copy(update={"creation_timestamp": NOW})})
    async with KubeStore() as store, open_session(Access(store.url)) as session:
        store.store(f"{API}/virtualmachineoperations", {"items": [], "metadata": {}})
        kube, cache = KubeClient(session, store.url), VmCache()
        directory = Directory(kube, "system", connect, parse_credentials, lambda _: None)  # type: ignore[arg-type, return-value]  # no Tenant, nothing starts
        quota = QuotaService(kube, cache, WorkQueue(), directory, lambda: None)
        gatherer = Gatherer(kube, Objects(kube, "holder"), cache, directory, "cluster", Timing(), quota)
        cache.store(json.loads(json.dumps(vm.to_wire())))
        world, runtime = await gatherer.gather(vm, cache.memory(vm))
    assert runtime is None
    assert world.identity.project == "p1"
