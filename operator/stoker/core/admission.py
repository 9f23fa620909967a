"""Admission: which tenant a namespace belongs to, and what Heat would be given for a VM, or why nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from stoker.api.errors import ErrorCode
from stoker.api.template import VirtualMachineTemplate, object_name
from stoker.api.tenant import NetworkProfile, Tenant
from stoker.api.virtualmachine import USER_DATA_BYTES, VirtualMachine
from stoker.core.faults import Fault
from stoker.core.inputs import Inputs, parameters, spec_hash
from stoker.core.slots import VOLUME_SLOTS, Slots, placed

_UNKNOWN_AGE = datetime.max.replace(tzinfo=UTC)


def claims_of(namespace: str, tenants: Iterable[Tenant]) -> list[Tenant]:
    """Return the Tenants that claim a namespace, the oldest first.

    A Tenant that is being deleted gives way to an older one: its going ends the conflict that it made.
    """
    claims = [tenant for tenant in tenants if namespace in tenant.spec.namespaces]
    claims.sort(key=lambda t: (t.metadata.creation_timestamp or _UNKNOWN_AGE, t.metadata.name))
    return [tenant for tenant in claims if tenant is claims[0] or tenant.metadata.deletion_timestamp is None]


def tenant_of(namespace: str, tenants: Iterable[Tenant]) -> Tenant | Fault:
    """Return the namespace's one tenant; a namespace that two claim belongs to neither."""
    claims = claims_of(namespace, tenants)
    if not claims:
        return Fault(ErrorCode.TENANT_NOT_FOUND, f"no Tenant has the namespace {namespace}")
    if len(claims) > 1:
        names = ", ".join(sorted(tenant.metadata.name for tenant in claims))
        return Fault(ErrorCode.TENANT_NOT_READY, f"the namespace {namespace} is claimed by several Tenants: {names}")
    return claims[0]


def project_kept(vm: VirtualMachine, tenant: Tenant) -> Fault | None:
    """Return why a VM is not the tenant's: its stack is in another project, where nobody would look for it."""
    kept = vm.status.stack.project_id if vm.status.stack else None
    if kept is None or kept == tenant.spec.project_id:
        return None
    message = (
        f"the stack is in the project {kept}, and the Tenant {tenant.metadata.name} that the namespace "
        f"{vm.metadata.namespace} has now is for {tenant.spec.project_id}"
    )
    return Fault(ErrorCode.PROJECT_CHANGED, message)


def admit(
    vm: VirtualMachine,
    tenant: Tenant | Fault,
    templates: Mapping[str, VirtualMachineTemplate],
    user_data: str | Fault | None,
    slots: Sequence[Slots] = (),
    pinned: str | None = None,
) -> Inputs | Fault:
    """Return what Heat would be given, or the first reason against it.

    `templates` maps object names to templates; `user_data` is the text, or why it could not be read; `slots` are the
    volumes' slots that the stack may hold, the newest first; `pinned` is the template version that a stack of the VM
    says it has, for one without a status.
    """
    if isinstance(tenant, Fault):
        return tenant
    if tenant.metadata.deletion_timestamp:
        return Fault(ErrorCode.TENANT_NOT_READY, f"the Tenant {tenant.metadata.name} is being deleted")
    template = _template(vm, templates, pinned)
    network = _network(vm, tenant)
    for found in (template, network, user_data):
        if isinstance(found, Fault):
            return found
    assert isinstance(template, VirtualMachineTemplate)
    assert isinstance(network, NetworkProfile)
    assert not isinstance(user_data, Fault)
    volumes = placed([volume.name for volume in vm.spec.volumes], *slots)
    if volumes is None:
        message = f"a template has {VOLUME_SLOTS} volumes, and a new one cannot take the place of one that goes: remove first, add when the VM is Ready"
        return Fault(ErrorCode.INVALID_SPEC, message)
    values = parameters(vm.metadata.name, vm.spec, network, user_data, volumes)
    if (size := len(values["user_data"].encode())) > USER_DATA_BYTES:
        message = f"user data and SSH keys have {size} bytes of UTF-8 together; Nova takes at most {USER_DATA_BYTES}"
        return Fault(ErrorCode.INVALID_SPEC, message)
    return Inputs(template.reference, template.spec.template, values, spec_hash(vm.spec))


def _template(
    vm: VirtualMachine, templates: Mapping[str, VirtualMachineTemplate], pinned: str | None
) -> VirtualMachineTemplate | Fault:
    reference = vm.spec.template
    if "@" in reference:
        found = templates.get(object_name(reference))
    else:
        pinned = (vm.status.stack.template_version if vm.status.stack else None) or pinned
        family = [template for template in templates.values() if template.spec.family == reference]
        newest = max(family, key=lambda template: template.spec.version, default=None)
        is_pinned = pinned is not None and pinned.partition("@")[0] == reference
        found = templates.get(object_name(pinned)) if is_pinned and pinned else newest
    if found is None or object_name(found.reference) != found.metadata.name:
        known = ", ".join(sorted(template.reference for template in templates.values())[:10]) or "none"
        return Fault(ErrorCode.TEMPLATE_NOT_FOUND, f"there is no template {reference} (the cluster has: {known})")
    return found


def _network(vm: VirtualMachine, tenant: Tenant) -> NetworkProfile | Fault:
    profiles = {profile.name: profile for profile in tenant.spec.network_profiles}
    profile = profiles.get(vm.spec.network_profile)
    if profile is None:
        known = ", ".join(sorted(profiles))
        message = (
            f"the Tenant {tenant.metadata.name} has no network profile {vm.spec.network_profile} (it has: {known})"
        )
        return Fault(ErrorCode.NETWORK_NOT_FOUND, message)
    if vm.spec.public_ip and profile.external_network is None:
        message = f"publicIP: the network profile {profile.name} has no external network"
        return Fault(ErrorCode.NETWORK_NOT_FOUND, message)
    return profile
