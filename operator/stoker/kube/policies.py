"""Which of our admission policies the API server has, and whether it applies them. Reads only, by name."""

from __future__ import annotations

from stoker.kube.client import KubeClient, KubeError

REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
VALIDATING, MUTATING = "validatingadmissionpolicies", "mutatingadmissionpolicies"

POLICIES = {
    "stoker-virtualmachines": VALIDATING,
    "stoker-deletions": VALIDATING,
    "stoker-operations": VALIDATING,
    "stoker-requester": MUTATING,
}
"""Our policies → their resource. Each has a binding of its own name."""

FILES = {VALIDATING: "deploy/manifests/admission.yaml", MUTATING: "deploy/manifests/admission-stamp.yaml"}


async def served(kube: KubeClient) -> frozenset[str]:
    """Return the resources of admission that the API server has; before Kubernetes 1.36 it mutates by webhooks alone."""
    return frozenset(item["name"] for item in (await kube.get(REGISTRATION))["resources"])


async def what_is_wrong(kube: KubeClient, name: str) -> str | None:
    """Return why a policy is not applied and what to do, or None when it is."""
    resource = POLICIES[name]
    try:
        await kube.get(f"{REGISTRATION}/{resource}/{name}")
        binding = await kube.get(f"{REGISTRATION}/{resource.removesuffix('ies')}ybindings/{name}")
    except KubeError as error:
        return f"{error}. Apply {'deploy/manifests/rbac.yaml' if error.status == 403 else FILES[resource]}."
    spec = binding["spec"]
    if (
        spec.get("policyName") != name
        or "matchResources" in spec
        or spec.get("validationActions", ["Deny"]) != ["Deny"]
    ):
        return f"its binding does not apply it to every request. Apply {FILES[resource]}."
    return None
