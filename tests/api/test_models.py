"""The models: what they read from the wire, what they refuse and in which words, and what they write back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from stoker.api.base import Resource, StatusModel, Time
from stoker.api.conditions import MESSAGE_LENGTH, Condition, ConditionStatus, ConditionType, merge
from stoker.api.parts import IngressRule
from stoker.api.template import VirtualMachineTemplate, object_name
from stoker.api.tenant import TenantSpec
from stoker.api.virtualmachine import USER_DATA_BYTES, VirtualMachine, VirtualMachineSpec

SMALL = {"template": "ubuntu-basic@v1", "image": "ubuntu-24.04", "flavor": "m1.small"}
TENANT = {
    "cloud": "example",
    "projectID": "p1",
    "namespaces": ["team-a"],
    "credentialsSecret": "team-a-openstack",
    "networkProfiles": [{"name": "default", "network": "private"}],
}


def spec(**more: Any) -> VirtualMachineSpec:
    return VirtualMachineSpec.model_validate({**SMALL, **more})


REFUSED = {
    "a field that does not exist": ({"flavour": "m1.small"}, "flavour"),
    "a null in a field that does not exist": ({"flavour": None}, "flavour"),
    "a number as text": ({"gpuCount": "1"}, "gpuCount"),
    "a boolean for a number": ({"gpuCount": True}, "gpuCount"),
    "a boolean as text": ({"publicIP": "true"}, "publicIP"),
    "half a GPU": ({"gpuCount": 1.5}, "gpuCount"),
    "a key of two lines": ({"sshAuthorizedKeys": ["ssh-ed25519 AAAA\nssh-rsa BBBB"]}, "sshAuthorizedKeys.0"),
    "two volumes of one name": ({"volumes": [{"name": "a", "sizeGiB": 1}] * 2}, "volumes: names must be unique"),
    "nine volumes": ({"volumes": [{"name": f"v{n}", "sizeGiB": 1} for n in range(9)]}, "volumes"),
    "two sources of user data": (
        {"userData": "", "userDataFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
        "use one of them",
    ),
    "user data of too many bytes": ({"userData": "ü" * (USER_DATA_BYTES // 2 + 1)}, "49150 bytes of UTF-8"),
    "tcp without ports": ({"ingress": [{"protocol": "tcp", "cidr": "::/0"}]}, "needed for tcp and udp"),
    "icmp with ports": ({"ingress": [{"protocol": "icmp", "ports": "8", "cidr": "::/0"}]}, "absent for icmp"),
    "port 0": ({"ingress": [{"protocol": "tcp", "ports": "0", "cidr": "::/0"}]}, "within 1-65535"),
    "a range backwards": ({"ingress": [{"protocol": "tcp", "ports": "9-8", "cidr": "::/0"}]}, "'9-8'"),
    "no CIDR": ({"ingress": [{"protocol": "icmp", "cidr": "10.0.0.0/33"}]}, "10.0.0.0/33"),
    "IPv4 written as IPv6": ({"ingress": [{"protocol": "icmp", "cidr": "::ffff:10.0.0.0/104"}]}, "IPv4"),
}


@pytest.mark.parametrize(("more", "said"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_spec_is_refused_with_the_field(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        spec(**more)
    assert said in str(refused.value)


def test_a_null_is_absent_and_a_whole_float_an_integer() -> None:
    """As the API server reads them (1.36.3): YAML writes a key without a value as null, and JSON has one number."""
    assert spec(keyName=None, publicIP=None, gpuCount=2.0) == spec(gpuCount=2)


def test_user_data_of_exactly_as_many_bytes_as_nova_takes_is_fine() -> None:
    text = "ü" * (USER_DATA_BYTES // 2) + "x"
    assert spec(userData=text).user_data == text


@pytest.mark.parametrize(
    ("ports", "expected"), [("22", (22, 22)), ("8000-8100", (8000, 8100)), ("00080", (80, 80))]
)  # fmt: skip
def test_ports_are_a_number_or_a_range(ports: str, expected: tuple[int, int]) -> None:
    rule = IngressRule.model_validate({"protocol": "tcp", "ports": ports, "cidr": "10.0.0.0/8"})
    assert rule.port_range == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [("namespaces", ["team-a", "team-a"]), ("networkProfiles", TENANT["networkProfiles"] * 2)],  # type: ignore[operator]
)
def test_a_tenant_names_nothing_twice(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=f"{field}: names must be unique"):
        TenantSpec.model_validate({**TENANT, field: value})


def test_a_spec_is_written_as_it_was_read() -> None:
    """Names on the wire with the initialisms of Kubernetes, and no field that was absent."""
    wire = {
        **SMALL,
        "publicIP": True,
        "userDataFrom": {"secretKeyRef": {"name": "a", "key": "b"}},
        "volumes": [{"name": "data", "sizeGiB": 20}],
    }
    written = VirtualMachineSpec.model_validate(wire).to_wire()
    assert {name: written[name] for name in wire} == wire
    assert "keyName" not in written


def test_a_status_of_a_newer_operator_is_read() -> None:
    vm = VirtualMachine.model_validate(
        {"metadata": {"name": "web-1"}, "spec": SMALL, "status": {"phase": "Active", "invented": {"later": 1}}}
    )
    assert vm.status.phase == "Active"


def test_an_object_without_a_status_was_never_looked_at() -> None:
    vm = VirtualMachine.model_validate({"metadata": {"name": "web-1"}, "spec": SMALL})
    assert vm.status.observed_generation == -1


def test_metadata_that_stoker_does_not_read_is_no_error() -> None:
    made = Resource.model_validate({"metadata": {"name": "a", "managedFields": [], "resourceVersion": "7"}})
    assert made.metadata.resource_version == "7"


def test_a_time_is_utc_in_whole_seconds() -> None:
    class Holder(StatusModel):
        at: Time

    holder = Holder.model_validate({"at": "2026-01-02T03:04:05.678+02:00"})

    assert holder.at == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)
    assert holder.to_wire() == {"at": "2026-01-02T01:04:05Z"}


def test_a_template_is_referred_to_by_family_and_version() -> None:
    made = VirtualMachineTemplate.model_validate(
        {"metadata": {"name": "a.v2"}, "spec": {"family": "a", "version": 2, "template": "x"}}
    )
    assert made.reference == "a@v2"
    assert object_name(made.reference) == "a.v2"


EARLIER, LATER = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))
READY = ConditionType.READY


def ready(status: ConditionStatus, reason: str, now: datetime, old: tuple[Condition, ...] = ()) -> Condition:
    (made,) = merge(old, {READY: (status, reason, "a sentence")}, generation=3, now=now)
    return made


def test_the_transition_time_moves_only_with_the_status() -> None:
    first = ready(ConditionStatus.FALSE, "Creating", EARLIER)
    second = ready(ConditionStatus.FALSE, "Retrying", LATER, (first,))
    third = ready(ConditionStatus.TRUE, "Active", LATER, (second,))

    assert [c.last_transition_time for c in (first, second, third)] == [EARLIER, EARLIER, LATER]
    assert (second.reason, second.observed_generation) == ("Retrying", 3)


def test_a_condition_that_is_not_wanted_any_more_is_dropped() -> None:
    old = merge((), {ConditionType.STALLED: (ConditionStatus.TRUE, "X", "")}, generation=1, now=EARLIER)
    assert [c.type for c in (ready(ConditionStatus.TRUE, "Active", LATER, old),)] == [READY]


def test_a_long_message_is_cut() -> None:
    (made,) = merge((), {READY: (ConditionStatus.FALSE, "X", "x" * 5000)}, generation=1, now=EARLIER)
    assert len(made.message) == MESSAGE_LENGTH
