"""Gather: everything a decision about one VM may depend on, as one frozen `World`."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from stoker.api.errors import ErrorCode
from stoker.api.operation import OperationType, VirtualMachineOperation
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.admission import admit, project_kept, project_of, template_of
from stoker.core.asked import ADOPT, IDEMPOTENCY_KEY
from stoker.core.attempts import Timing
from stoker.core.claims import key_operation
from stoker.core.faults import Fault
from stoker.core.findings import Findings
from stoker.core.identity import Identity, tag_value
from stoker.core.inputs import SPEC_TAG, TEMPLATE_TAG, spec_hash
from stoker.core.power import looks_as_asked
from stoker.core.server import ServerLook
from stoker.core.stack import Listing, Unknown
from stoker.core.world import World, is_open
from stoker.kube.client import KubeClient, KubeError
from stoker.kube.objects import Objects
from stoker.reconcile.directory import Directory
from stoker.reconcile.memory import VmCache, VmMemory, identity_of
from stoker.reconcile.quota import QuotaService
from stoker.reconcile.tenants import TenantRuntime

NOT_READ = Fault(ErrorCode.USER_DATA_NOT_FOUND, "user data is not read for a settled VM")


class Gatherer:
    """Reads what is not in memory yet, and puts the world together."""

    def __init__(
        self, kube: KubeClient, objects: Objects, cache: VmCache, directory: Directory, cluster: str, timing: Timing,
        quota: QuotaService,
    ) -> None:  # fmt: skip
        self._kube, self._objects, self._cache, self._quota = kube, objects, cache, quota
        self._directory, self._cluster, self._timing = directory, cluster, timing

    async def gather(self, vm: VirtualMachine, memory: VmMemory) -> tuple[World, TenantRuntime | None]:
        """Return the VM's world now, and the tenant to act through, if there is one."""
        raw = self._cache.objects[vm.metadata.namespace, vm.metadata.name]
        vm_id = identity_of(raw)
        if memory.operations is None and vm.status.stack is None:
            await self._read_operations(vm, vm_id, memory)  # a create may have gone to another project
        project = project_of(vm, memory.operations or ())
        found = self._directory.runtime_of(vm.metadata.namespace)
        if isinstance(found, TenantRuntime) and (moved := project_kept(project, vm, found.tenant)):
            found = moved
        runtime = found if isinstance(found, TenantRuntime) else None
        listing = runtime.view(vm_id) if runtime else Unknown(found if isinstance(found, Fault) else _NO_TENANT)
        kept = vm.status.stack.id if vm.status.stack else None
        outputs = memory.outputs[1] if memory.outputs and memory.outputs[0] in _ids(listing, kept) else None
        server_id = (outputs.server_id if outputs else None) or vm.status.server_id
        server = runtime.watch.view(server_id, vm_id, vm.status.power_state) if runtime and server_id else None
        if runtime and vm.metadata.deletion_timestamp:
            runtime.watch.forget(vm_id)
        settled = _looks_settled(vm, listing, server)
        if memory.operations is None and not settled:
            await self._read_operations(vm, vm_id, memory)
        key_holder = await self._key_holder(vm, vm_id, memory)
        user_data = NOT_READ if settled else await self._user_data(vm)
        tenant = (runtime.fault or runtime.tenant) if runtime else found
        slots = (*([outputs.volume_slots] if outputs else []), vm.status.volume_slots)
        pinned = _tagged(listing, TEMPLATE_TAG)
        templates = self._directory.templates
        admission = admit(vm, tenant, templates, user_data, slots, pinned)  # type: ignore[arg-type]  # found is a Fault without runtime
        double = self._cache.older_double(vm, vm_id)
        world = World(
            vm=vm,
            identity=Identity(
                self._cluster,
                runtime.tenant.spec.project_id if runtime else project or "",
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
            server=server,
            resources=memory.resources,
            events=memory.events,
            preview=memory.preview,
            candidate=memory.candidate,
            claimant=self._claimant(vm),
            key_holder=key_holder,
            operations=memory.operations or (),
            held=memory.held,
            unresolved_since=memory.unresolved_since,
            last_effect=memory.last_effect,
            findings=self._findings(vm, vm_id, memory, runtime, pinned) if runtime and not settled else Findings(),
            effects=memory.effects,
            claimable=memory.claimable,
            quota=self._quota.verdict(vm, vm_id, runtime) if runtime and not double else None,
            duplicate_of=double,
            timing=self._timing,
        )
        return world, runtime

    async def _read_operations(self, vm: VirtualMachine, vm_id: str, memory: VmMemory) -> None:
        memory.operations = await self._objects.operations(vm, vm_id)
        _note_open_create(memory)

    def _findings(
        self, vm: VirtualMachine, vm_id: str, memory: VmMemory, runtime: TenantRuntime, pinned: str | None
    ) -> Findings:
        """Return what the tenant's catalog and grants have against the VM."""
        view = runtime.view(vm_id)
        template = template_of(vm, runtime.tenant, self._directory.templates, pinned)
        creates = not (isinstance(view, Listing) and view.stacks)
        asked = memory.asks(vm.metadata.generation, time.monotonic(), creates=creates)
        return runtime.browser.findings(vm, vm_id, runtime.tenant, template, asked)

    async def _key_holder(self, vm: VirtualMachine, vm_id: str, memory: VmMemory) -> VirtualMachineOperation | None:
        """Return another VM's create that has this one's idempotency key; only a VM that has no create is asked about."""
        key = vm.metadata.annotations.get(IDEMPOTENCY_KEY)
        if not key or memory.operations is None or any(o.spec.type is OperationType.CREATE for o in memory.operations):
            return None
        found = await self._objects.operation(vm.metadata.namespace, key_operation(key))
        return None if found is None or found.spec.vm_id == vm_id else found

    def _claimant(self, vm: VirtualMachine) -> str | None:
        stack_id = vm.metadata.annotations.get(ADOPT)
        return self._cache.claimant(vm, stack_id) if stack_id and vm.status.stack is None else None

    async def _user_data(self, vm: VirtualMachine) -> str | Fault | None:
        """Return the user data, from the spec or its Secret."""
        source = vm.spec.user_data_from
        if source is None or vm.metadata.deletion_timestamp:
            return vm.spec.user_data
        reference = source.secret_key_ref
        where = f"the Secret {vm.metadata.namespace}/{reference.name}"
        try:
            data = (await self._kube.secret(vm.metadata.namespace, reference.name)).data
            return data[reference.key].decode()
        except KubeError as error:
            what = "does not exist" if error.status == 404 else f"cannot be read ({error.reason})"
            return Fault(ErrorCode.USER_DATA_NOT_FOUND, f"{where} {what}")
        except KeyError:
            return Fault(ErrorCode.USER_DATA_NOT_FOUND, f"{where} has no key {reference.key}")
        except UnicodeDecodeError:
            return Fault(ErrorCode.INVALID_SPEC, f"the key {reference.key} of {where} is not UTF-8 text")


_NO_TENANT = Fault(ErrorCode.TENANT_NOT_FOUND, "the namespace has no Tenant")


def _looks_settled(vm: VirtualMachine, listing: Listing | Unknown | None, server: ServerLook | Unknown | None) -> bool:
    """Tell whether nothing but the listings is needed: stack and server are as recorded, and of this generation."""
    if (
        vm.metadata.deletion_timestamp
        or vm.status.applied_generation != vm.metadata.generation
        or not vm.status.server_id
    ):
        return False
    if not looks_as_asked(vm, server):
        return False
    if not isinstance(listing, Listing):
        return True
    known, as_asked = vm.status.stack, _tagged(listing, SPEC_TAG) in (None, spec_hash(vm.spec))
    if known is None or not as_asked or len(listing.stacks) != 1:
        return False
    stack = listing.stacks[0]
    return stack.complete and (stack.id, stack.changed) == (known.id, known.changed_at)


def _tagged(listing: Listing | Unknown | None, key: str) -> str | None:
    """Return what the VM's stack says under that tag."""
    stacks = listing.stacks if isinstance(listing, Listing) else ()
    return next((value for stack in stacks if (value := tag_value(stack.tags, key))), None)


def _ids(listing: Listing | Unknown | None, recorded: str | None) -> set[str | None]:
    """Return the stacks whose outputs count: those that are listed. What is recorded may be of one that they replace."""
    listed: set[str | None] = {stack.id for stack in listing.stacks} if isinstance(listing, Listing) else set()
    return listed or {recorded}


def _note_open_create(memory: VmMemory) -> None:
    """Remember when this process first knew of a create that somebody left open."""
    if any(is_open(operation) and operation.status.outcome is None for operation in memory.operations or ()):
        memory.unresolved_since = time.monotonic()
