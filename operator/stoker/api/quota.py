"""Quota: what a Tenant's VMs may take together, what is reserved for one of them, and the batch that is being admitted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stoker.api.base import Integer, Model, StatusModel

MOST = 1_000_000_000
"""The largest limit, in any unit: beyond it a limit means nothing, and absent says that better."""

BATCH = 200
"""Most VMs that are admitted together: their reservations stand in the Tenant's status until each is on its VM."""

Limit = Annotated[Integer | None, Field(ge=0, le=MOST)]
Amount = Annotated[int | None, Field(ge=0)]


class Quota(Model):
    """What the Tenant's VMs may take together. What is absent is not limited."""

    vms: Annotated[Limit, Field(description="VMs.")] = None
    vcpus: Annotated[Limit, Field(description="vCPUs of their flavors.")] = None
    ram_mib: Annotated[Limit, Field(alias="ramMiB", description="RAM of their flavors, MiB.")] = None
    gpus: Annotated[Limit, Field(description="GPUs of their flavors.")] = None
    volumes_gib: Annotated[Limit, Field(alias="volumesGiB", description="Size of their volumes, GiB.")] = None
    floating_ips: Annotated[Limit, Field(alias="floatingIPs", description="Public addresses.")] = None


class Amounts(StatusModel):
    """How much of each resource; absent where it is not known."""

    vms: Annotated[Amount, Field(description="VMs.")] = None
    vcpus: Annotated[Amount, Field(description="vCPUs of the flavor.")] = None
    ram_mib: Annotated[Amount, Field(alias="ramMiB", description="RAM of the flavor, MiB.")] = None
    gpus: Annotated[Amount, Field(description="GPUs of the flavor.")] = None
    volumes_gib: Annotated[Amount, Field(alias="volumesGiB", description="Size of the volumes, GiB.")] = None
    floating_ips: Annotated[Amount, Field(alias="floatingIPs", description="Public addresses.")] = None


class Grant(StatusModel):
    """One VM's reservation on its way to the VM."""

    uid: Annotated[str, Field(max_length=64, description="UID of the VirtualMachine.")]
    reserved: Annotated[Amounts, Field(description="What is to be reserved for it.")]


class Admission(StatusModel):
    """The newest batch of admitted VMs. It is stored before any of its reservations is."""

    sequence: Annotated[int, Field(ge=0, description="Number of the newest batch.")] = 0
    pending: Annotated[
        tuple[Grant, ...],
        Field(max_length=BATCH, description="Reservations of that batch that may not be on their VMs yet."),
    ] = ()
