"""Admission: which tenant a namespace belongs to, and what Heat would be given for a VM, or why nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from stoker.api.errors import ErrorCode
from stoker.api.operation import AttemptOutcome, VirtualMachineOperation
from stoker.api.template import VirtualMachineTemplate, object_name
from stoker.api.tenant import NetworkProfile, Tenant
from stoker.api.virtualmachine import USER_DATA_BYTES, VirtualMachine
from stoker.core.attempts import newest_create
from stoker.core.boot import boot_text
from stoker.core.faults import Fault, together
from stoker.core.inputs import Inputs, parameters, spec_hash
from stoker.core.names import EVERYTHING, offer, template_allowed
from stoker.core.slots import VOLUME_SLOTS, Slots, placed

_UNKNOWN_AGE = datetime.max.replace(tzinfo=UTC)


def claims_of(namespace: str, tenants: Iterable[Tenant]) -> list[Tenant]:
    """Return the Tenants that claim a namespace, the oldest first.

    A Tenant that is being deleted gives way to one that is as old or older: its going ends the conflict that it made.
    """

    def age(tenant: Tenant) -> tuple[datetime, bool, str]:
        metadata = tenant.metadata  # of one second are also those that one `kubectl apply` made
        return metadata.creation_timestamp or _UNKNOWN_AGE, metadata.deletion_timestamp is not None, metadata.name

    claims = sorted((tenant for tenant in tenants if namespace in tenant.spec.namespaces), key=age)
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


def project_of(vm: VirtualMachine, operations: Iterable[VirtualMachineOperation]) -> str | None:
    """Return the id of the project that the VM's stack is in, or may be: where its create went that could have made one."""
    if vm.status.stack and vm.status.stack.project_id:
        return vm.status.stack.project_id
    create = newest_create(operations)
    if create is None or (create.status.outcome is AttemptOutcome.FAILED and not create.status.stack_id):
        return None
    return create.status.project_id


def project_kept(project: str | None, vm: VirtualMachine, tenant: Tenant) -> Fault | None:
    """Return why a VM is not the tenant's: its stack is, or may be, in another project, where nobody would look for it."""
    if project is None or project == tenant.spec.project_id:
        return None
    where = "the stack is" if vm.status.stack else "a create was sent, and the stack may be"
    message = (
        f"{where} in the project {project}, and the Tenant {tenant.metadata.name} that the namespace "
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
    """Return what Heat would be given, or everything that keeps it from being said.

    `templates` maps object names to templates; `user_data` is the text, or why it could not be read; `slots` are the
    volumes' slots that the stack may hold, the newest first; `pinned` is the template version that a stack of the VM
    says it has, for one without a status.
    """
    if isinstance(tenant, Fault):
        return tenant
    if tenant.metadata.deletion_timestamp:
        return Fault(ErrorCode.TENANT_NOT_READY, f"the Tenant {tenant.metadata.name} is being deleted")
    template = template_of(vm, tenant, templates, pinned)
    network = _network(vm, tenant)
    volumes = _volumes(vm, slots)
    data = user_data if isinstance(user_data, Fault) else _small_enough(vm, user_data)
    faults = [found for found in (template, network, volumes, data) if isinstance(found, Fault)]
    if faults:
        return together(faults)
    assert isinstance(template, VirtualMachineTemplate)
    assert isinstance(network, NetworkProfile)
    assert not isinstance(volumes, Fault)
    assert not isinstance(data, Fault)
    values = parameters(vm.metadata.name, vm.spec, network, data, volumes)
    return Inputs(template.reference, template.spec.template, values, spec_hash(vm.spec))


def template_of(
    vm: VirtualMachine, tenant: Tenant, templates: Mapping[str, VirtualMachineTemplate], pinned: str | None
) -> VirtualMachineTemplate | Fault:
    """Return the template of a VM; of a family, the version that it has, else the newest that the Tenant allows."""
    reference, patterns = vm.spec.template, tenant.spec.allowed_templates or EVERYTHING
    may_use = [template for template in templates.values() if template_allowed(template.reference, patterns)]
    if "@" in reference:
        found = templates.get(object_name(reference))
    else:
        pinned = (vm.status.stack.template_version if vm.status.stack else None) or pinned
        family = [template for template in templates.values() if template.spec.family == reference]
        newest = max(family, key=lambda one: (one in may_use, one.spec.version), default=None)
        is_pinned = pinned is not None and pinned.partition("@")[0] == reference
        found = templates.get(object_name(pinned)) if is_pinned and pinned else newest
    if found is None or object_name(found.reference) != found.metadata.name:
        known = offer(reference, [template.reference for template in may_use])
        return Fault(ErrorCode.TEMPLATE_NOT_FOUND, f"there is no template {reference}{known}")
    return found


def _volumes(vm: VirtualMachine, slots: Sequence[Slots]) -> Slots | Fault:
    volumes = placed([volume.name for volume in vm.spec.volumes], *slots)
    if volumes is None:
        message = f"a template has {VOLUME_SLOTS} volumes, and a new one cannot take the place of one that goes: remove first, add when the VM is Ready"
        return Fault(ErrorCode.INVALID_SPEC, message)
    return volumes


def _small_enough(vm: VirtualMachine, user_data: str | None) -> str | Fault | None:
    """Return the user data, if Nova takes as much as the VM boots with."""
    if (size := len(boot_text(user_data, vm.spec.ssh_authorized_keys).encode())) > USER_DATA_BYTES:
        message = f"user data and SSH keys have {size} bytes of UTF-8 together; Nova takes at most {USER_DATA_BYTES}"
        return Fault(ErrorCode.INVALID_SPEC, message)
    return user_data


def _network(vm: VirtualMachine, tenant: Tenant) -> NetworkProfile | Fault:
    profiles = {profile.name: profile for profile in tenant.spec.network_profiles}
    profile = profiles.get(vm.spec.network_profile)
    if profile is None:
        known = offer(vm.spec.network_profile, profiles)
        message = f"the Tenant {tenant.metadata.name} has no network profile {vm.spec.network_profile}{known}"
        return Fault(ErrorCode.NETWORK_NOT_FOUND, message)
    if vm.spec.public_ip and profile.external_network is None:
        message = f"publicIP: the network profile {profile.name} has no external network"
        return Fault(ErrorCode.NETWORK_NOT_FOUND, message)
    return profile
