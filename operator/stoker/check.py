"""`stoker check`: what would fail, before it does; each finding with what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from stoker.api.base import GROUP
from stoker.api.cloud import Cloud
from stoker.api.template import VirtualMachineTemplate
from stoker.api.tenant import Tenant
from stoker.core.admission import tenant_of
from stoker.core.faults import Fault
from stoker.core.templates import check_template
from stoker.kube.client import Access, KubeClient, KubeError, open_session, path
from stoker.openstack.base import CloudError, Endpoint
from stoker.openstack.client import connect
from stoker.openstack.credentials import parse_credentials
from stoker.settings import Settings

RIGHTS = (
    (GROUP, "virtualmachines", "", ("get", "list", "watch", "patch")),
    (GROUP, "virtualmachines", "status", ("patch",)),
    (GROUP, "virtualmachineoperations", "", ("get", "list", "watch", "create", "patch", "delete")),
    (GROUP, "tenants", "", ("get", "list", "watch", "patch")),
    (GROUP, "tenants", "status", ("patch",)),
    (GROUP, "clouds", "", ("get", "list", "watch")),
    (GROUP, "clouds", "status", ("patch",)),
    (GROUP, "virtualmachinetemplates", "", ("get", "list", "watch")),
    ("", "events", "", ("create",)),
)
"""Rights in the whole cluster: group, resource, subresource, verbs."""

OWN_RIGHTS = (
    ("", "secrets", "", ("get",)),
    ("coordination.k8s.io", "leases", "", ("get", "create", "update")),
    ("", "configmaps", "", ("get", "create", "update")),
)
"""Rights in the operator's own namespace."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    subject: str
    problem: str | None
    """What would fail and what to do, or None when all is well."""


def main(settings: Settings, access: Access) -> int:
    """Print a line for each check; 1 when something would fail."""
    return asyncio.run(_print(settings, access))


async def _print(settings: Settings, access: Access) -> int:
    bad = 0
    async with open_session(access) as session:
        kube = KubeClient(session, access.server, user_agent="stoker-check")
        async for finding in findings(kube, settings):
            bad += finding.problem is not None
            print(f"{'ok   ' if finding.problem is None else 'FAIL '} {finding.subject}", end="")
            print(f": {finding.problem}" if finding.problem else "", flush=True)
    print(f"{bad} of the checks failed" if bad else "all is well")
    return 1 if bad else 0


async def findings(kube: KubeClient, settings: Settings) -> AsyncIterator[Finding]:
    """Check the API server, then what is in it, then every tenant's cloud."""
    yield Finding("settings", None)
    try:
        await kube.get("/api/v1/namespaces/kube-system")
    except KubeError as error:
        yield Finding("API server", f"{error}. Check the kubeconfig or the service account.")
        return
    for group, resource, sub, verbs in RIGHTS:
        yield await _right(kube, (group, resource, sub), verbs, None)
    for group, resource, sub, verbs in OWN_RIGHTS:
        yield await _right(kube, (group, resource, sub), verbs, settings.namespace)
    try:
        clouds = [Cloud.model_validate(item) for item in (await kube.list(path("clouds")))[0]]
        tenants = [Tenant.model_validate(item) for item in (await kube.list(path("tenants")))[0]]
        templates = [
            VirtualMachineTemplate.model_validate(i) for i in (await kube.list(path("virtualmachinetemplates")))[0]
        ]
    except KubeError as error:
        yield Finding(
            "CustomResourceDefinitions", f"{error}. Install them: stoker crds | kubectl apply --server-side -f -"
        )
        return
    yield Finding("CustomResourceDefinitions", None)
    for template in templates:
        problems = check_template(template.spec.template)
        yield Finding(f"template {template.reference}", "; ".join(problems) or None)
    if not templates:
        yield Finding("templates", "there are none. Install some: stoker templates | kubectl apply -f -")
    for tenant in tenants:
        yield await _tenant(kube, settings, tenant, {cloud.metadata.name: cloud for cloud in clouds}, tenants)


async def _right(
    kube: KubeClient, what: tuple[str, str, str], verbs: tuple[str, ...], namespace: str | None
) -> Finding:
    group, resource, sub = what
    missing = []
    for verb in verbs:
        attributes = {
            "group": group,
            "resource": resource,
            "subresource": sub,
            "verb": verb,
            "namespace": namespace or "",
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        try:
            answer = await kube.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        except KubeError as error:
            return Finding(f"rights on {resource}", str(error))
        if not answer.get("status", {}).get("allowed"):
            missing.append(verb)
    subject = f"rights on {resource}{'/' + sub if sub else ''}{' in ' + namespace if namespace else ''}"
    return Finding(subject, f"{', '.join(missing)} is missing. Apply deploy/manifests/rbac.yaml." if missing else None)


async def _tenant(
    kube: KubeClient, settings: Settings, tenant: Tenant, clouds: dict[str, Cloud], tenants: list[Tenant]
) -> Finding:
    subject = f"tenant {tenant.metadata.name}"
    for namespace in tenant.spec.namespaces:
        if isinstance(found := tenant_of(namespace, tenants), Fault):
            return Finding(subject, found.sentence)
    cloud = clouds.get(tenant.spec.cloud)
    if cloud is None:
        return Finding(subject, f"there is no Cloud {tenant.spec.cloud}. Apply it.")
    name = tenant.spec.credentials_secret
    try:
        data = await kube.secret(settings.namespace, name)
    except KubeError as error:
        return Finding(subject, f"the Secret {settings.namespace}/{name}: {error}. Create it.")
    spec = cloud.spec
    endpoint = Endpoint(
        spec.auth_url, spec.region, spec.interface.value, tenant.spec.project_id, spec.ca_bundle, spec.allowed_hosts
    )
    try:
        project = connect(
            endpoint,
            parse_credentials(data),
            timeout=settings.call_timeout_seconds,
            create_timeout=settings.create_timeout_seconds,
        )
        await asyncio.to_thread(project.verify)
        project.close()
    except CloudError as error:
        return Finding(subject, error.fault.sentence)
    return Finding(subject, None)
