"""Parts of a `VirtualMachine`'s spec that have fields of their own: volumes, traffic, where user data comes from."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from stoker.api.base import CloudName, Integer, Model, Name


class Protocol(StrEnum):
    """The protocol of an ingress rule."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"


class SecretKeyRef(Model):
    """One key of a Secret in the VM's own namespace."""

    name: Annotated[Name, Field(description="Name of the Secret, in the namespace of the VM.")]
    key: Annotated[
        str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$", description="Key in the Secret's data.")
    ]


class UserDataSource(Model):
    """Where user data comes from when it is not written in the spec."""

    secret_key_ref: Annotated[SecretKeyRef, Field(description="A key of a Secret in the namespace of the VM.")]


class Volume(Model):
    """A block volume that lives and dies with the VM."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            description="Name of the volume, unique in the VM.",
        ),
    ]
    size_gib: Annotated[Integer, Field(alias="sizeGiB", ge=1, le=65_536, description="Size in GiB.")]
    type: Annotated[CloudName | None, Field(description="Volume type in Cinder; the cloud's default when absent.")] = (
        None
    )


class IngressRule(Model):
    """One kind of traffic that may reach the VM. Everything else is dropped by the security group."""

    protocol: Annotated[Protocol, Field(description="tcp, udp or icmp.")]
    ports: Annotated[
        str | None,
        Field(
            max_length=11,
            pattern=r"^[0-9]{1,5}(-[0-9]{1,5})?$",
            description='One port ("22") or a range ("8000-8100"), 1 to 65535; absent for icmp.',
        ),
    ] = None
    cidr: Annotated[
        str,
        Field(
            min_length=1,
            max_length=43,
            pattern=r"^[0-9a-fA-F:.]+/(0|[1-9][0-9]{0,2})$",
            description="Where the traffic may come from, in CIDR notation.",
        ),
    ]

    @field_validator("cidr")
    @classmethod
    def _is_cidr(cls, value: str) -> str:
        address = ipaddress.ip_interface(value).ip  # ValueError says what is wrong
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            raise ValueError(f"{value!r} is an IPv4 address in IPv6 clothes")
        return value

    @model_validator(mode="after")
    def _ports_fit_the_protocol(self) -> Self:
        if (self.protocol is Protocol.ICMP) != (self.ports is None):
            raise ValueError("ports: needed for tcp and udp, absent for icmp")
        first, last = self.port_range or (1, 1)
        if not 1 <= first <= last <= 65_535:
            raise ValueError(f"ports: {self.ports!r} is not a port or a range within 1-65535")
        return self

    @property
    def port_range(self) -> tuple[int, int] | None:
        """First and last port, or None for icmp."""
        if self.ports is None:
            return None
        first, _, last = self.ports.partition("-")
        return int(first), int(last or first)
