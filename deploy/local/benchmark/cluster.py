"""The benchmark's side of the API server: many requests at once as the admin, and cheap looks at what came of them."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import onboard
from benchmark import counters
from localenv.settings import REPOSITORY, LocalSettings
from stoker.access import find_access
from stoker.api.tenant import NetworkProfile
from stoker.api.virtualmachine import VirtualMachineSpec
from stoker.core.inputs import Inputs, parameters, spec_hash
from stoker.kube.client import KubeClient, KubeError, open_session, path

PATIENCE = 900.0
"""Longest wait, seconds: for a thousand VMs on a loaded machine."""

AT_ONCE = 40
"""Requests at a time."""

VMS = "virtualmachines"


class Admin:
    """Requests as the environment's admin."""

    def __init__(self, settings: LocalSettings, kube: KubeClient) -> None:
        self.settings, self.kube = settings, kube

    def writes(self) -> Counter[str]:
        """Return the API server's counters of writes."""
        return counters.writes(onboard.kubectl(self.settings, "get", "--raw", "/metrics"))

    async def create(self, manifests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Create VMs, and return them as stored."""
        return await at_once(self.kube.post(path(VMS, vm["metadata"]["namespace"]), vm) for vm in manifests)

    async def delete(self, namespace: str, names: Iterable[str]) -> None:
        """Ask for the deletion of VMs."""
        await at_once(self.kube.delete(path(VMS, namespace, name)) for name in names)

    async def all(self, namespace: str) -> list[dict[str, Any]]:
        """Return a namespace's VMs."""
        return (await self.kube.list(path(VMS, namespace)))[0]

    async def any(self, namespace: str, selector: str = "") -> bool:
        """Tell whether a namespace has a VM of that field selector."""
        query = {"limit": "1", "fieldSelector": selector}
        return bool((await self.kube.request("GET", path(VMS, namespace), query=query))["items"])

    async def release(self, namespace: str, names: Iterable[str]) -> None:
        """Delete VMs without their operator: nobody asks for the deletion of their stacks."""
        names = list(names)
        await self.delete(namespace, names)
        await at_once(self.kube.merge(path(VMS, namespace, name), {"metadata": {"finalizers": None}}) for name in names)


@asynccontextmanager
async def admin(settings: LocalSettings) -> AsyncIterator[Admin]:
    """Open the admin's session; KUBECONFIG must name the admin's."""
    access = find_access()
    async with open_session(access) as session:
        yield Admin(settings, KubeClient(session, access.server, user_agent="bench"))


async def at_once(requests: Iterable[Awaitable[Any]]) -> list[Any]:
    """Send requests, so many at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(request: Awaitable[Any]) -> Any:
        async with places:
            return await request

    return await asyncio.gather(*(one(request) for request in requests))


async def until(condition: Callable[[], Awaitable[bool]], what: str, pause: float = 0.25) -> float:
    """Wait for a condition, and return when it held, monotonic seconds. Raises SystemExit after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE:.0f} s for {what}")
        await asyncio.sleep(pause)
    return time.monotonic()


def vm(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    """Return a small VM's manifest."""
    full = {"template": "ubuntu-basic@v1", "image": "ubuntu-24.04", "flavor": "m1.small", "publicIP": True, **spec}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "stoker.dev/v1alpha1", "kind": "VirtualMachine", "metadata": metadata, "spec": full}


def inputs_of(name: str, given: dict[str, Any]) -> Inputs:
    """Return what Heat is given for a VM of that name and spec."""
    spec = VirtualMachineSpec.model_validate(given)
    profile = NetworkProfile(name="default", network="private", external_network="public")
    text = (REPOSITORY / "heat_templates" / f"{spec.template}.yaml").read_text()
    return Inputs(spec.template, text, parameters(name, spec, profile, None, ()), spec_hash(spec))


@asynccontextmanager
async def tenants(admin: Admin, auth_url: str, accounts: dict[str, dict[str, str]]) -> AsyncIterator[None]:
    """Make a Cloud, and for each account of it a namespace and a Tenant of that name; take them away at the end."""
    first = next(iter(accounts))
    cloud = {
        "apiVersion": "stoker.dev/v1alpha1",
        "kind": "Cloud",
        "metadata": {"name": first},
        "spec": {"authURL": auth_url, "region": "RegionOne"},
    }
    objects: list[dict[str, Any]] = [cloud]
    for name, account in accounts.items():
        credential = {key: value for key, value in account.items() if key.startswith("application_credential_")}
        objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        objects += onboard.tenant(name, account["project_id"], credential, [name], first)
    onboard.apply(admin.settings, objects)
    try:
        yield
    finally:
        await _away(admin, [(path("tenants", None, name), True) for name in accounts])
        await _away(admin, [(path("clouds", None, first), False)])
        await _away(admin, [(f"/api/v1/namespaces/{name}", False) for name in accounts])
        secrets = f"/api/v1/namespaces/{onboard.NAMESPACE}/secrets"
        await _away(admin, [(f"{secrets}/{name}-openstack", False) for name in accounts])


async def _away(admin: Admin, paths: list[tuple[str, bool]]) -> None:
    """Delete objects, of some their finalizers first: the operator that would take them off has stopped."""
    for where, held in paths:
        try:
            await admin.kube.delete(where)
            if held:
                await admin.kube.merge(where, {"metadata": {"finalizers": None}})
        except KubeError as error:
            if error.status != 404:
                raise


def copied(pattern: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of an object without what the API server gave it."""
    made = copy.deepcopy(pattern)
    kept = ("name", "namespace", "labels", "annotations", "finalizers")
    made["metadata"] = {key: value for key, value in made["metadata"].items() if key in kept}
    return made


def shown(counts: Counter[str], share: float) -> str:
    """Return counts divided by a share, as a line for people."""
    return json.dumps({what: round(n / share, 2) for what, n in sorted(counts.items()) if n})
