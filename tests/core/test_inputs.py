"""Inputs: what Heat is given for a spec, and a fingerprint that changes when that does and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stoker.api.tenant import NetworkProfile
from stoker.api.virtualmachine import VirtualMachineSpec
from stoker.core.inputs import Inputs, parameters
from stoker.core.slots import VOLUME_SLOTS, placed
from stoker.core.templates import PARAMETERS
from support.build import INPUTS, vm

NETWORK = NetworkProfile(name="default", network="private")
BARE = {"template": "ubuntu-basic@v1", "image": "cirros", "flavor": "m1.tiny"}


def given(network: NetworkProfile = NETWORK, user_data: str | None = None, **spec: object) -> dict[str, object]:
    """Return the parameters for a bare spec and what differs from it, on the wire."""
    full = VirtualMachineSpec.model_validate({**BARE, **spec})
    slots = placed([volume.name for volume in full.volumes])
    assert slots is not None
    return parameters("web-1", full, network, user_data, slots)


def test_a_bare_spec_gives_every_parameter_a_value() -> None:
    assert given() == {
        "name": "web-1",
        "image": "cirros",
        "flavor": "m1.tiny",
        "network": "private",
        "external_network": "",
        "public_ip": False,
        "key_name": "",
        "user_data": "",
        "volumes": [],
        "ingress": [],
        "gpu_count": 0,
    }


def test_the_parameters_are_those_that_templates_must_declare() -> None:
    assert set(given()) == set(PARAMETERS)


def test_a_free_slot_is_empty_as_one_beyond_the_list_is() -> None:
    spec = VirtualMachineSpec.model_validate({**BARE, "volumes": [{"name": "b", "sizeGiB": 2}]})
    assert parameters("web-1", spec, NETWORK, None, ("", "b"))["volumes"] == [
        {"name": "", "size_gib": "", "type": ""},
        {"name": "b", "size_gib": 2, "type": ""},
    ]


PUBLIC = NetworkProfile(name="default", network="private", external_network="public")
CASES = {
    "the external network is the profile's": (given(PUBLIC), "external_network", "public"),
    "a floating IP is asked for": (given(publicIP=True), "public_ip", True),
    "a key pair is named": (given(keyName="mine"), "key_name", "mine"),
    "keys are a part of the boot text": (
        given(sshAuthorizedKeys=["ssh-ed25519 A"]),
        "user_data",
        '#cloud-config\n{"ssh_authorized_keys": ["ssh-ed25519 A"]}\n',
    ),
    "GPUs are counted": (given(gpuCount=2), "gpu_count", 2),
    "user data is the text, wherever it came from": (given(user_data="#!/bin/sh\n"), "user_data", "#!/bin/sh\n"),
    "user text that looks like template syntax stays text": (
        given(user_data="{get_param: x}"),
        "user_data",
        "{get_param: x}",
    ),
    "a volume without a type has the cloud's default": (
        given(volumes=[{"name": "a", "sizeGiB": 1}, {"name": "b", "sizeGiB": 2, "type": "fast"}]),
        "volumes",
        [{"name": "a", "size_gib": 1, "type": ""}, {"name": "b", "size_gib": 2, "type": "fast"}],
    ),
    "one port is a range of one": (
        given(ingress=[{"protocol": "tcp", "ports": "22", "cidr": "0.0.0.0/0"}]),
        "ingress",
        [
            {
                "protocol": "tcp",
                "remote_ip_prefix": "0.0.0.0/0",
                "ethertype": "IPv4",
                "port_range_min": 22,
                "port_range_max": 22,
            }
        ],
    ),
    "ICMP has no ports, and IPv6 is said": (
        given(ingress=[{"protocol": "icmp", "cidr": "::/0"}]),
        "ingress",
        [{"protocol": "icmp", "remote_ip_prefix": "::/0", "ethertype": "IPv6"}],
    ),
}


@pytest.mark.parametrize(("made", "name", "value"), CASES.values(), ids=CASES)
def test_parameter(made: dict[str, object], name: str, value: object) -> None:
    assert made == {**made, name: value}


def test_a_template_can_take_as_many_volumes_as_a_spec_has() -> None:
    assert len(given(volumes=[{"name": f"v{n}", "sizeGiB": 1} for n in range(8)])["volumes"]) == VOLUME_SLOTS


def test_the_hash_is_of_template_and_parameters_only() -> None:
    assert replace(INPUTS, template_version="other@v2").hash == INPUTS.hash
    assert replace(INPUTS, template="other").hash != INPUTS.hash
    assert replace(INPUTS, parameters={"name": "other"}).hash != INPUTS.hash


def test_the_hash_keeps_to_the_order_of_lists_and_not_of_keys() -> None:
    made = [Inputs("t@v1", "t", parameters) for parameters in ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1})]
    assert made[0].hash == made[1].hash
    assert Inputs("t@v1", "t", {"a": 1, "b": [2, 1]}).hash != made[0].hash


def test_policies_of_the_spec_are_no_inputs() -> None:
    """Otherwise a change of deletionPolicy would call for an update of the stack."""
    plain = parameters("web-1", vm().spec, NETWORK, None, ())
    kept = vm(spec={"deletionPolicy": "Retain", "onStackMissing": "Error"}).spec
    assert parameters("web-1", kept, NETWORK, None, ()) == plain
