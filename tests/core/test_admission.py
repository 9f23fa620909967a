"""Admission: which tenant, and what Heat would be given, or the first reason against it."""

from __future__ import annotations

import pytest

from stoker.api.base import ObjectMeta
from stoker.api.errors import ErrorCode
from stoker.api.template import VirtualMachineTemplate, VirtualMachineTemplateSpec
from stoker.api.tenant import NetworkProfile, Tenant, TenantSpec
from stoker.api.virtualmachine import StackStatus
from stoker.core.admission import admit, tenant_of
from stoker.core.faults import Fault
from stoker.core.inputs import Inputs, parameters
from support.build import IDENTITY, vm


def tenant(name: str = "a", *, external: str | None = "public", namespaces: tuple[str, ...] = ("team-a",)) -> Tenant:
    """Return a tenant with one network profile."""
    profile = NetworkProfile(name="default", network="private", external_network=external)
    spec = TenantSpec(
        cloud="c", project_id="project", namespaces=namespaces, credentials_secret="s", network_profiles=(profile,)
    )
    return Tenant(metadata=ObjectMeta(name=name), spec=spec)


def templates(*versions: int) -> dict[str, VirtualMachineTemplate]:
    """Return versions of ubuntu-basic, by object name."""
    made = [VirtualMachineTemplateSpec(family="ubuntu-basic", version=n, template=f"v{n}") for n in versions]
    return {
        f"ubuntu-basic.v{spec.version}": VirtualMachineTemplate(
            metadata=ObjectMeta(name=f"ubuntu-basic.v{spec.version}"), spec=spec
        )
        for spec in made
    }


def test_a_namespace_of_one_tenant_is_its() -> None:
    assert tenant_of("team-a", [tenant(), tenant("b", namespaces=("team-b",))]) == tenant()


@pytest.mark.parametrize(
    ("tenants", "code", "said"),
    [
        pytest.param([], ErrorCode.TENANT_NOT_FOUND, "team-a", id="of nobody"),
        pytest.param([tenant("a"), tenant("b")], ErrorCode.TENANT_NOT_READY, "a, b", id="of two, belongs to neither"),
    ],
)
def test_a_namespace(tenants: list[Tenant], code: ErrorCode, said: str) -> None:
    found = tenant_of("team-a", tenants)
    assert isinstance(found, Fault)
    assert found.code is code
    assert said in found.message


def misnamed() -> dict[str, VirtualMachineTemplate]:
    """Return version 2 in an object that is named like version 1."""
    wrong = templates(2)["ubuntu-basic.v2"].model_copy(update={"metadata": ObjectMeta(name="ubuntu-basic.v1")})
    return {"ubuntu-basic.v1": wrong}


REFUSED = {
    "the tenant's own fault": (vm(), Fault(ErrorCode.TENANT_NOT_FOUND, "none"), templates(1), None, ErrorCode.TENANT_NOT_FOUND),
    "no such template": (vm(), tenant(), templates(2), None, ErrorCode.TEMPLATE_NOT_FOUND),
    "no template at all": (vm(), tenant(), {}, None, ErrorCode.TEMPLATE_NOT_FOUND),
    "a template under another's name": (
        vm(), tenant(), misnamed(), None, ErrorCode.TEMPLATE_NOT_FOUND),
    "no such profile": (vm(spec={"networkProfile": "x"}), tenant(), templates(1), None, ErrorCode.NETWORK_NOT_FOUND),
    "no external network for publicIP": (
        vm(spec={"publicIP": True}), tenant(external=None), templates(1), None, ErrorCode.NETWORK_NOT_FOUND),
    "user data that could not be read": (
        vm(), tenant(), templates(1), Fault(ErrorCode.USER_DATA_NOT_FOUND, "no key"), ErrorCode.USER_DATA_NOT_FOUND),
    "user data one byte too long": (vm(), tenant(), templates(1), "é" * 24_574 + "xx", ErrorCode.INVALID_SPEC),
}  # fmt: skip


@pytest.mark.parametrize(("machine", "owner", "known", "user_data", "code"), REFUSED.values(), ids=REFUSED)
def test_refused(machine, owner, known, user_data, code) -> None:
    found = admit(machine, owner, known, user_data)
    assert isinstance(found, Fault)
    assert found.code is code


def test_admitted_inputs_hold_template_and_parameters() -> None:
    found = admit(vm(spec={"volumes": [{"name": "d", "sizeGiB": 3}]}), tenant(), templates(1), "x" * 49_149)
    assert isinstance(found, Inputs)
    assert (found.template_version, found.template) == ("ubuntu-basic@v1", "v1")
    assert found.parameters["volumes"] == [{"name": "d", "size_gib": 3, "type": ""}]
    assert found.parameters["network"] == "private"


@pytest.mark.parametrize(
    ("pinned", "version"),
    [
        pytest.param(None, "ubuntu-basic@v3", id="the newest at first sight"),
        pytest.param("ubuntu-basic@v1", "ubuntu-basic@v1", id="then the pinned one"),
        pytest.param("other@v9", "ubuntu-basic@v3", id="not that of another family"),
    ],
)
def test_a_family_without_a_version_gets(pinned: str | None, version: str) -> None:
    recorded = StackStatus(name=IDENTITY.stack_name, template_version=pinned) if pinned else None
    found = admit(vm(spec={"template": "ubuntu-basic"}, stack=recorded), tenant(), templates(1, 3), None)
    assert isinstance(found, Inputs)
    assert found.template_version == version


def test_ingress_is_given_as_neutron_takes_it() -> None:
    rules = [
        {"protocol": "tcp", "ports": "80-90", "cidr": "10.0.0.0/8"},
        {"protocol": "icmp", "cidr": "::/0"},
    ]
    spec = vm(spec={"ingress": rules}).spec
    assert parameters("web-1", spec, NetworkProfile(name="default", network="n"), None, ())["ingress"] == [
        {
            "protocol": "tcp",
            "remote_ip_prefix": "10.0.0.0/8",
            "ethertype": "IPv4",
            "port_range_min": 80,
            "port_range_max": 90,
        },
        {"protocol": "icmp", "remote_ip_prefix": "::/0", "ethertype": "IPv6"},
    ]


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert Inputs("t", "x", {"a": 1, "b": 2}).hash == Inputs("t", "x", {"b": 2, "a": 1}).hash
    assert Inputs("t", "x", {"a": 1}).hash != Inputs("t", "x", {"a": 2}).hash


def test_a_new_volume_does_not_take_the_slot_of_one_that_goes() -> None:
    eight = tuple("abcdefgh")
    machine = vm(spec={"volumes": [{"name": "new", "sizeGiB": 1}]})
    refused = admit(machine, tenant(), templates(1), None, [eight])
    assert isinstance(refused, Fault)
    assert (refused.code, "remove first" in refused.message) == (ErrorCode.INVALID_SPEC, True)
    assert isinstance(admit(machine, tenant(), templates(1), None, [eight[:7]]), Inputs)
