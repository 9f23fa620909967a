"""Gather: everything a decision about one VM may depend on, as one frozen `World`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from stoker.api.errors import ErrorCode
from stoker.api.template import VirtualMachineTemplate
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.admission import admit, template_of
from stoker.core.catalog import Catalog
from stoker.core.faults import Fault
from stoker.core.findings import Findings, Wish, examine
from stoker.core.identity import Identity
from stoker.core.stack import Listing, Unknown
from stoker.core.world import Timing, World, is_open
from stoker.kube.client import KubeClient, KubeError
from stoker.kube.objects import Objects
from stoker.reconcile.directory import Directory
from stoker.reconcile.memory import VmCache, VmMemory, identity_of
from stoker.reconcile.tenants import TenantRuntime

NOT_READ = Fault(ErrorCode.USER_DATA_NOT_FOUND, "user data is not read for a settled VM")


class Gatherer:
    """Reads what is not in memory yet, and puts the world together."""

    def __init__(
        self, kube: KubeClient, objects: Objects, cache: VmCache, directory: Directory, cluster: str, timing: Timing
    ) -> None:
        self._kube, self._objects, self._cache = kube, objects, cache
        self._directory, self._cluster, self._timing = directory, cluster, timing

    async def gather(self, vm: VirtualMachine, memory: VmMemory) -> tuple[World, TenantRuntime | None]:
        """Return the VM's world now, and the tenant to act through, if there is one."""
        raw = self._cache.objects[vm.metadata.namespace, vm.metadata.name]
        vm_id = identity_of(raw)
        found = self._directory.runtime_of(vm.metadata.namespace)
        runtime = found if isinstance(found, TenantRuntime) else None
        listing = runtime.view(vm_id) if runtime else Unknown(found if isinstance(found, Fault) else _NO_TENANT)
        settled = _looks_settled(vm, listing)
        if memory.operations is None and not settled:
            memory.operations = await self._objects.operations(vm, vm_id)
            _note_open_create(memory)
        user_data = NOT_READ if settled else await self._user_data(vm)
        tenant = (runtime.fault or runtime.tenant) if runtime else found
        kept = vm.status.stack.id if vm.status.stack else None
        outputs = memory.outputs[1] if memory.outputs and memory.outputs[0] in _ids(listing, kept) else None
        slots = (*([outputs.volume_slots] if outputs else []), vm.status.volume_slots)
        templates = self._directory.templates
        admission = admit(vm, tenant, templates, user_data, slots)  # type: ignore[arg-type]  # found is a Fault without runtime
        world = World(
            vm=vm,
            identity=Identity(
                self._cluster,
                runtime.tenant.spec.project_id if runtime else "",
                vm_id,
                vm.metadata.namespace,
                vm.metadata.name,
            ),
            admission=admission,
            now=datetime.now(UTC).replace(microsecond=0),
            clock=time.monotonic(),
            listing=listing,
            named=memory.named,
            probe=memory.probe,
            outputs=outputs,
            preview=memory.preview,
            operations=memory.operations or (),
            held=memory.held,
            unresolved_since=memory.unresolved_since,
            last_effect=memory.last_effect,
            findings=Findings() if settled or not runtime else examined(vm, vm_id, memory, runtime, templates),
            effects=memory.effects,
            claimable=memory.claimable,
            duplicate_of=self._cache.older_double(vm, vm_id),
            timing=self._timing,
        )
        return world, runtime

    async def _user_data(self, vm: VirtualMachine) -> str | Fault | None:
        """Return the user data, from the spec or its Secret."""
        source = vm.spec.user_data_from
        if source is None or vm.metadata.deletion_timestamp:
            return vm.spec.user_data
        reference = source.secret_key_ref
        where = f"the Secret {vm.metadata.namespace}/{reference.name}"
        try:
            data = await self._kube.secret(vm.metadata.namespace, reference.name)
            return data[reference.key].decode()
        except KubeError as error:
            what = "does not exist" if error.status == 404 else f"cannot be read ({error.reason})"
            return Fault(ErrorCode.USER_DATA_NOT_FOUND, f"{where} {what}")
        except KeyError:
            return Fault(ErrorCode.USER_DATA_NOT_FOUND, f"{where} has no key {reference.key}")
        except UnicodeDecodeError:
            return Fault(ErrorCode.INVALID_SPEC, f"the key {reference.key} of {where} is not UTF-8 text")


_NO_TENANT = Fault(ErrorCode.TENANT_NOT_FOUND, "the namespace has no Tenant")


def examined(
    vm: VirtualMachine,
    vm_id: str,
    memory: VmMemory,
    runtime: TenantRuntime,
    templates: Mapping[str, VirtualMachineTemplate],
) -> Findings:
    """Return what the tenant's catalog and grants have against the VM; a new wish begins its time now."""
    view = runtime.view(vm_id)
    creates = not (isinstance(view, Listing) and view.stacks)
    if memory.asked != (vm.metadata.generation, creates):
        memory.asked, memory.asked_since = (vm.metadata.generation, creates), time.monotonic()
    template = template_of(vm, runtime.tenant, templates)
    wish = Wish(
        spec=vm.spec,
        tenant=runtime.tenant.metadata.name,
        grants=runtime.tenant.spec,
        template="" if isinstance(template, Fault) else template.reference,
        text="" if isinstance(template, Fault) else template.spec.template,
        creates=creates,
        promised=runtime.browser.promises.besides(vm_id),
        since=memory.asked_since,
        clock=time.monotonic(),
    )
    return examine(wish, runtime.catalog or Catalog())


def _looks_settled(vm: VirtualMachine, listing: Listing | Unknown | None) -> bool:
    """Tell whether nothing but the listing is needed: the recorded stack is complete and of this generation."""
    if (
        vm.metadata.deletion_timestamp
        or vm.status.applied_generation != vm.metadata.generation
        or not vm.status.server_id
    ):
        return False
    if not isinstance(listing, Listing):
        return True
    recorded = vm.status.stack.id if vm.status.stack else None
    return len(listing.stacks) == 1 and listing.stacks[0].complete and listing.stacks[0].id == recorded


def _ids(listing: Listing | Unknown | None, recorded: str | None) -> set[str | None]:
    return {recorded, *(stack.id for stack in listing.stacks)} if isinstance(listing, Listing) else {recorded}


def _note_open_create(memory: VmMemory) -> None:
    """Remember when this process first knew of a create that somebody left open."""
    if any(is_open(operation) and operation.status.outcome is None for operation in memory.operations or ()):
        memory.unresolved_since = time.monotonic()
