"""`stoker check`: what would fail, before it does; each finding with what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from stoker.api.base import GROUP
from stoker.api.cloud import Cloud
from stoker.api.conditions import ConditionStatus, ConditionType
from stoker.api.template import VirtualMachineTemplate
from stoker.api.tenant import Tenant
from stoker.core import tenancy
from stoker.core.catalog import Catalog, Part
from stoker.core.findings import network_doubts
from stoker.core.templates import check_template
from stoker.core.tenancy import Seen
from stoker.kube import policies
from stoker.kube.client import Access, KubeClient, KubeError, open_session, path
from stoker.openstack.base import CloudError, Endpoint
from stoker.openstack.client import connect
from stoker.openstack.credentials import parse_credentials
from stoker.reconcile.connection import QUESTIONS, preflight_of
from stoker.settings import Settings

RIGHTS = (
    (GROUP, "virtualmachines", "", ("get", "list", "watch", "patch", "operate")),
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

SECRETS_AT_REST = (
    "no client can see whether they are encrypted in etcd. Verify that the API server has --encryption-provider-config, "
    "with a provider for secrets before identity (KMS v2 if there is one); that Secrets from before were rewritten; "
    "and who can read etcd's disks and backups and the key."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    subject: str
    problem: str | None
    """What would fail and what to do, or None when all is well."""

    note: str = ""
    """What a person should know, or look at where Stoker cannot."""


def main(settings: Settings, access: Access) -> int:
    """Print a line for each check; 1 when something would fail."""
    return asyncio.run(_print(settings, access))


async def _print(settings: Settings, access: Access) -> int:
    bad = 0
    async with open_session(access) as session:
        kube = KubeClient(session, access.server, user_agent="stoker-check")
        async for finding in findings(kube, settings):
            bad += finding.problem is not None
            word = "FAIL " if finding.problem else "note " if finding.note else "ok   "
            said = finding.problem or finding.note
            print(f"{word} {finding.subject}{': ' if said else ''}{said}", flush=True)
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
    async for finding in _policies(kube):
        yield finding
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
        async for finding in _tenant(kube, settings, tenant, {c.metadata.name: c for c in clouds}, tenants):
            yield finding
    yield Finding("Secrets at rest", None, SECRETS_AT_REST)


async def _policies(kube: KubeClient) -> AsyncIterator[Finding]:
    """Check that the admission policies which this API server can have are there and bound."""
    resources = await policies.served(kube)
    for name, resource in policies.POLICIES.items():
        if resource in resources:
            yield Finding(f"admission policy {name}", await policies.what_is_wrong(kube, name))


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
) -> AsyncIterator[Finding]:
    """Check one tenant as the operator does: a finding for each of its conditions."""
    subject = f"tenant {tenant.metadata.name}"
    cloud = clouds.get(tenant.spec.cloud)
    if cloud is None:
        yield Finding(subject, f"there is no Cloud {tenant.spec.cloud}. Apply it.")
        return
    name = tenant.spec.credentials_secret
    try:
        data = (await kube.secret(settings.namespace, name)).data
    except KubeError as error:
        yield Finding(subject, f"the Secret {settings.namespace}/{name}: {error}. Create it.")
        return
    seen, catalog = await asyncio.to_thread(_look, settings, tenant, cloud, data)
    seen = replace(seen, conflicts=tenancy.conflicts(tenant, tenants))
    for kind, (status, _, message) in tenancy.conditions(seen).items():
        if kind not in (ConditionType.READY, ConditionType.STALLED, ConditionType.RECONCILING):
            bad = status is ConditionStatus.FALSE or (status is ConditionStatus.UNKNOWN and seen.connected is not None)
            note = message if status is ConditionStatus.UNKNOWN else ""
            yield Finding(f"{subject}: {kind.value}", message if bad else None, note)
    expires, now = seen.preflight.expires if seen.preflight else None, datetime.now(UTC)
    if isinstance(expires, datetime):
        said = tenancy.expiry_message(expires, now)
        soon = tenancy.warning_due(expires, None, now) is not None
        yield Finding(f"{subject}: end of the credentials", said if soon else None, said)
    if catalog:
        yield Finding(f"{subject}: catalog", None, catalog.summary)
        for profile in tenant.spec.network_profiles if catalog.knows(Part.NETWORKS) else ():
            doubts = network_doubts(profile, catalog, public=True)
            problem = " ".join(doubt.fault.sentence for doubt in doubts)
            yield Finding(f"{subject}: network profile {profile.name}", problem or None)


def _look(settings: Settings, tenant: Tenant, cloud: Cloud, data: dict[str, bytes]) -> tuple[Seen, Catalog | None]:
    """Ask the tenant's cloud for the tenant's rights and for what it offers; nothing is changed."""
    spec = cloud.spec
    endpoint = Endpoint(
        spec.auth_url, spec.region, spec.interface.value, tenant.spec.project_id, spec.ca_bundle, spec.allowed_hosts
    )
    times = settings.call_timeout_seconds, settings.create_timeout_seconds
    try:
        project = connect(endpoint, parse_credentials(data), timeout=times[0], create_timeout=times[1])
        project.verify()
    except CloudError as error:
        return Seen(connected=error.fault), None
    answers: list[Any] = []
    for question in QUESTIONS:
        try:
            answers.append(question(project))
        except CloudError as error:
            answers.append(error.fault)
    seen = Seen(preflight=preflight_of(project.rights(), *answers))
    catalog = Catalog()
    for part in Part:
        try:
            catalog = catalog.with_part(part, project.browse(part), 0.0)
        except CloudError:
            catalog = catalog.without(part)
    project.close()
    return seen, catalog
