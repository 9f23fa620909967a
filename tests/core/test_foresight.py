"""Foresight: what an edit would do to a stack, told without Heat; what only Heat can tell is said."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from localenv.settings import REPOSITORY
from stoker.api.errors import ErrorCode
from stoker.api.template import VirtualMachineTemplate
from stoker.api.tenant import Tenant
from stoker.core.foresight import IN_PLACE, Foreseen, foresee
from stoker.core.hot import planned
from stoker.core.templates import template_object
from support.build import active, vm

BASIC = template_object("ubuntu-basic@v1.yaml", (REPOSITORY / "heat_templates" / "ubuntu-basic@v1.yaml").read_text())
DATA = {"name": "data", "sizeGiB": 20}


def templates(*more: dict[str, Any]) -> dict[str, VirtualMachineTemplate]:
    known = [VirtualMachineTemplate.model_validate(one) for one in (BASIC, *more)]
    return {one.metadata.name: one for one in known}


def version(number: int, **sections: Any) -> dict[str, Any]:
    """Return another version of the template, with sections replaced; resources are merged."""
    document = yaml.safe_load(BASIC["spec"]["template"])
    resources = {**document["resources"], **sections.pop("resources", {})}
    return template_object(
        f"ubuntu-basic@v{number}.yaml", yaml.safe_dump({**document, **sections, "resources": resources})
    )


def edit(spec: dict[str, Any], before: dict[str, Any] | None = None, *more: dict[str, Any], **status: Any) -> Foreseen:
    """Tell what an edit of an Active VM would do."""
    old = active(spec=before, **status)
    return foresee(old, vm(spec={**(before or {}), **spec}), templates(*more))


def changes(seen: Foreseen) -> dict[str, tuple[str, ...]]:
    ways = {way: getattr(seen.plan, way) for way in ("updated", "replaced", "added", "deleted")}
    return {way: names for way, names in ways.items() if names}


EDITS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, tuple[str, ...]]]] = {
    "a flavor resizes the server": ({}, {"flavor": "m1.small"}, {"updated": ("server",)}),
    "an image replaces the server": ({}, {"image": "other"}, {"replaced": ("server",)}),
    "user data replaces the server": ({}, {"userData": "#!/bin/sh"}, {"replaced": ("server",)}),
    "another Secret replaces the server": (
        {"userDataFrom": {"secretKeyRef": {"name": "a", "key": "k"}}},
        {"userDataFrom": {"secretKeyRef": {"name": "b", "key": "k"}}},
        {"replaced": ("server",)},
    ),
    "a key pair replaces the server": ({}, {"keyName": "ops"}, {"replaced": ("server",)}),
    "an address is added": ({}, {"publicIP": True}, {"added": ("floating_ip",)}),
    "an address is taken away": ({"publicIP": True}, {"publicIP": False}, {"deleted": ("floating_ip",)}),
    "a volume is added with its attachment": ({}, {"volumes": [DATA]}, {"added": ("volume_0", "attachment_0")}),
    "a volume is taken away": ({"volumes": [DATA]}, {"volumes": []}, {"deleted": ("volume_0", "attachment_0")}),
    "a volume grows": (
        {"volumes": [DATA]}, {"volumes": [{**DATA, "sizeGiB": 30}]}, {"updated": ("volume_0",)},
    ),
    "another network replaces the port, and the server refers to it": (
        {}, {"networkProfile": "other"}, {"replaced": ("port",), "updated": ("server",)},
    ),
    "a rule changes its group": (
        {}, {"ingress": [{"protocol": "icmp", "cidr": "10.0.0.0/8"}]}, {"updated": ("security_group",)},
    ),
    "what is for Stoker alone changes nothing": ({}, {"deletionPolicy": "Retain"}, {}),
    "the same again changes nothing": ({}, {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("row", EDITS)
def test_an_edit_is_told_by_resource(row: str) -> None:
    before, spec, expected = EDITS[row]
    seen = edit({**spec, "allowReplace": True}, before)
    assert changes(seen) == expected
    assert seen.refusal is None
    assert seen.empty is not bool(expected)


def test_what_changes_is_said_with_its_values_but_user_data_is_not() -> None:
    assert edit({"flavor": "m1.small"}).why == {"server": ("flavor: m1.tiny → m1.small",)}
    assert edit({"userData": "password: 1"}).why == {"server": ("user_data: another text",)}
    assert edit({"keyName": "ops"}).why == {"server": ("key_name: none → ops",)}
    assert edit({"networkProfile": "b"}).why == {
        "port": ("network: network of the profile default → network of the profile b",),
        "server": ("refers to the new port",),
    }


def test_rules_are_said_in_words() -> None:
    ssh = {"protocol": "tcp", "ports": "22", "cidr": "10.0.0.0/8"}
    web = {"protocol": "tcp", "ports": "80-90", "cidr": "::/0"}
    seen = edit({"ingress": [ssh, {"protocol": "icmp", "cidr": "10.0.0.0/8"}]}, {"ingress": [web]})
    assert seen.why["security_group"] == (
        "rules: tcp 80-90 from ::/0 → tcp 22 from 10.0.0.0/8, icmp from 10.0.0.0/8",
    )  # fmt: skip


def test_what_refers_to_what_is_made_anew_is_changed() -> None:
    address = {"get_attr": ["port", "fixed_ips", 0, "ip_address"]}
    both = version(2, resources={"x": {"type": "OS::Heat::Value", "properties": {"value": address}}})
    spec = {"template": "ubuntu-basic@v2"}
    seen = edit({**spec, "networkProfile": "other"}, spec, both)
    assert changes(seen) == {"updated": ("server", "x"), "replaced": ("port",)}
    assert seen.why["x"] == ("refers to the new port",)


def test_a_new_vm_adds_everything_that_its_spec_asks_for() -> None:
    seen = foresee(None, vm(spec={"publicIP": True}), templates())
    assert changes(seen) == {"added": ("security_group", "port", "floating_ip", "server")}
    assert changes(foresee(vm(), vm(), templates())) == {"added": ("security_group", "port", "server")}


def test_what_would_cost_data_is_refused_unless_it_is_allowed() -> None:
    refused = edit({"image": "other"}).refusal
    assert refused is not None
    assert (refused.code, refused.message) == (
        ErrorCode.UPDATE_WOULD_REPLACE, "the update would cost the data of server (replaced)",
    )  # fmt: skip
    assert edit({"volumes": []}, {"volumes": [DATA]}).refusal
    assert edit({"image": "other", "allowReplace": True}).refusal is None


def test_a_stopped_server_is_not_resized_but_one_that_starts_is() -> None:
    stopped = {"powerState": "Stopped"}
    refused = edit({"flavor": "m1.small"}, stopped, power_state="Stopped").refusal
    assert refused is not None
    assert refused.code is ErrorCode.SERVER_STOPPED
    started = edit({"flavor": "m1.small", "powerState": "Running"}, stopped, power_state="Stopped")
    assert started.refusal is None
    assert "The server is started first." in started.notes


def test_what_is_not_admitted_is_refused_and_nothing_is_foreseen() -> None:
    seen = edit({"template": "other@v1"})
    assert changes(seen) == {}
    assert seen.refusal is not None
    assert seen.refusal.code is ErrorCode.TEMPLATE_NOT_FOUND


def test_a_tenant_that_is_known_is_used() -> None:
    wire = {
        "cloud": "c", "projectID": "p", "namespaces": ["team-a"], "credentialsSecret": "s",
        "networkProfiles": [{"name": "default", "network": "private"}],
    }  # fmt: skip
    tenant = Tenant.model_validate({"metadata": {"name": "team-a"}, "spec": wire})
    seen = foresee(active(), vm(spec={"networkProfile": "other"}), templates(), tenant)
    assert seen.refusal is not None
    assert seen.refusal.code is ErrorCode.NETWORK_NOT_FOUND
    assert foresee(active(), vm(), templates(), tenant).notes == ()


def test_what_cannot_be_known_here_is_said() -> None:
    secret = {"userDataFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}
    recorded = active().status.stack
    assert recorded is not None
    seen = edit(
        {"powerState": "Stopped"}, secret, applied_generation=0,
        stack=recorded.model_copy(update={"outdated": True}),
    )  # fmt: skip
    assert seen.notes == (
        "The VM's present spec is not applied yet, so this compares with that spec and not with the stack.",
        "A Secret, network profile or template changed since the stack was made: the edit applies that as well.",
        "The server is stopped first.",
        "User data comes from a Secret, whose content is not compared.",
        "Whether your Tenant has the network profile default is not known here.",
    )


def test_a_stack_whose_template_is_gone_is_compared_with_nothing_and_that_is_said() -> None:
    seen = edit({"template": "ubuntu-basic@v1"}, {"template": "older@v1"})
    assert changes(seen) == {}
    assert not seen.empty, "nothing is told, which is not that nothing changes"
    assert seen.notes[-1].startswith("What the stack was made from is not known (there is no template older@v1")


def test_a_type_that_is_not_known_is_left_to_heat() -> None:
    one = {"x": {"type": "OS::Heat::RandomString", "properties": {"length": {"get_param": "gpu_count"}}}}
    seen = edit({"gpuCount": 2}, {"template": "ubuntu-basic@v2"}, version(2, resources=one))
    assert changes(seen) == {"updated": ("x",)}
    assert "Whether x (OS::Heat::RandomString) would be replaced is for Heat's preview to tell." in seen.notes


def test_another_type_under_a_name_replaces_the_resource() -> None:
    other = {"floating_ip": {"type": "OS::Heat::None"}}
    seen = edit({"template": "ubuntu-basic@v2"}, {"publicIP": True}, version(2, resources=other))
    assert changes(seen) == {"replaced": ("floating_ip",)}
    assert seen.why["floating_ip"] == ("type: OS::Neutron::FloatingIP → OS::Heat::None",)


def test_a_condition_that_only_heat_can_decide_is_left_to_heat() -> None:
    conditions = yaml.safe_load(BASIC["spec"]["template"])["conditions"]
    odd = version(2, conditions={**conditions, "with_public_ip": {"yaql": {"expression": "true"}}})
    seen = edit({"template": "ubuntu-basic@v2"}, None, odd)
    assert changes(seen) == {}
    assert seen.notes[-1].startswith("Only Heat can decide the condition {'yaql'")


HOT = """
heat_template_version: 2021-04-16
parameters:
  name: {type: string}
  list: {type: json, default: [{a: 1}]}
conditions:
  both: {and: [{equals: [{get_param: name}, web]}, {or: [{equals: [1, 2]}, true]}]}
resources:
  yes_: {type: T, condition: both, properties: {a: {if: [both, 1, 2]}, b: {if: [{not: both}, 1, 2]}, c: [{if: [{not: both}, 1]}]}}
  no_: {type: T, condition: {not: both}}
  bare: {type: T}
  paths: {type: T, properties: {deep: {get_param: [list, 0, a]}, far: {get_param: [list, 7, a]}, none: {get_param: nothing}}}
  text: {type: T, properties: {joined: {list_join: ["-", [a, {get_param: name}]]}, held: {list_join: ["-", [a], [{get_attr: [bare, x]}]]}}}
"""


def test_a_template_is_read_as_heat_reads_it() -> None:
    found = {name: dict(one.properties) for name, one in planned(HOT, {"name": "web"}).items()}
    assert found == {
        "yes_": {"a": 1, "b": 2, "c": []},
        "bare": {},
        "paths": {"deep": 1, "far": "", "none": ""},
        "text": {"joined": "a-web", "held": {"list_join": ["-", ["a", {"get_attr": ["bare", "x"]}]]}},
    }
    assert set(planned(HOT, {"name": "db"})) == {"no_", "bare", "paths", "text"}


def test_every_type_of_the_shipped_templates_is_known() -> None:
    for file in (REPOSITORY / "heat_templates").glob("*@v*.yaml"):
        types = {resource["type"] for resource in yaml.safe_load(file.read_text())["resources"].values()}
        assert types <= set(IN_PLACE), file.name
