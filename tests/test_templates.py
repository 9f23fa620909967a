"""The released templates on the real Heat: what a VM asks for is there, and nothing is left when it goes.

What a template must not do is refused before it gets that far: the rest of that contract is in core/test_templates.py.
"""

from __future__ import annotations

import base64
import email
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import yaml

from localenv.openstack.rest import Client, RestError
from localenv.openstack.seed_cloud import PUBLIC_KEY
from localenv.settings import REPOSITORY, LocalSettings
from stoker.api.tenant import NetworkProfile
from stoker.api.virtualmachine import USER_DATA_BYTES, VirtualMachineSpec
from stoker.core.inputs import VOLUME_SLOTS, Inputs, parameters
from stoker.core.templates import check_template
from stoker.openstack.base import Credentials
from stoker.openstack.client import connect
from support.cluster import wait_until
from support.openstack_projects import Project, create_project, delete_project, endpoint_of

TEMPLATES = REPOSITORY / "heat_templates"
UBUNTU, GPU = ((TEMPLATES / f"{name}.yaml").read_text() for name in ("ubuntu-basic@v1", "gpu-ubuntu@v1"))


def changed(section: str, **parts: Any) -> str:
    """Return ubuntu-basic with parts of one section added or replaced."""
    template = yaml.safe_load(UBUNTU)
    template[section] = {**template[section], **parts}
    return yaml.safe_dump(template)


GROUP = {"type": "OS::Heat::ResourceGroup", "properties": {"resource_def": {"type": "https://example.org/x.yaml"}}}
REPLACED = {"str_replace": {"template": "$x", "params": {"$x": {"get_param": "name"}}}}
PROBLEMS = {
    "a version that Heat does not know": (
        UBUNTU.replace("2021-04-16", "2099-01-01", 1),
        "heat_template_version is none of",
    ),
    "a version without conditions": (UBUNTU.replace("2021-04-16", "2013-05-23", 1), "heat_template_version is none of"),
    "a section that is a list": ("heat_template_version: wallaby\noutputs: [a]", "outputs is not a mapping"),
    "a resource that is a word": (changed("resources", x="y"), "resources is not a mapping"),
    "a parameter of another type": (
        changed("parameters", volumes={"type": "string"}),
        "volumes: the type must be json",
    ),
    "a parameter that nobody gives": (changed("parameters", colour={"type": "string"}), "colour: Stoker does not give"),
    "a group of something from elsewhere": (changed("resources", x=GROUP), "resource x, resource_def: the type"),
    "a server without properties": (changed("resources", x={"type": "OS::Nova::Server"}), "user_data_format must be"),
    "a value put into text": (changed("outputs", x={"value": [REPLACED]}), "str_replace: only in user data"),
}


@pytest.mark.parametrize(("text", "said"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_template_that_breaks_the_contract_is_refused(text: str, said: str) -> None:
    assert said in "; ".join(check_template(text))


def test_words_in_comments_and_values_in_user_data_are_fine() -> None:
    server = yaml.safe_load(UBUNTU)["resources"]["server"]
    server["properties"]["user_data"] = REPLACED
    text = changed("resources", server=server) + "# get_file and str_replace are not used\n"

    assert check_template(text) == []


def test_a_parameter_of_the_template_s_own_is_fine_with_a_default() -> None:
    assert check_template(changed("parameters", colour={"type": "string", "default": "blue"})) == []


@pytest.fixture(scope="module")
def team(local: LocalSettings) -> Iterator[Project]:
    project = create_project(local, f"templates-{uuid.uuid4().hex[:8]}")
    project.user.post("NOVA", "/v2.1/os-keypairs", "keypair", name="ops", public_key=PUBLIC_KEY)
    yield project
    delete_project(local, project)


def vm(user_data: str | None = None, **spec: Any) -> dict[str, Any]:
    """Return what Heat is given for a VM; keywords are spec fields on the wire."""
    full = {"template": "any@v1", "image": "cirros", "flavor": "m1.tiny", **spec}
    network = NetworkProfile(name="default", network="private", external_network="public")
    return parameters("web-1", VirtualMachineSpec.model_validate(full), network, user_data)


@contextmanager
def stack(team: Project, template: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Make a stack, give its outputs once it is complete, and delete it; nothing of it must be left."""
    name = f"vm-{uuid.uuid4()}"
    stack_id = team.create_stack(name, template, parameters=values)  # type: ignore[arg-type]
    try:
        yield outputs(team, name, stack_id)
    finally:
        team.delete_stack(name, stack_id)
    wait_until(f"stack {name} to be gone", lambda: not team.stacks())
    assert {kind: left for kind in LISTS if (left := listed(team, kind))} == {}


def outputs(team: Project, name: str, stack_id: str) -> dict[str, Any]:
    """Wait until a stack is complete and return its outputs."""
    shown = wait_until(
        f"stack {name} to settle",
        lambda: (found := team.stack(name, stack_id))["stack_status"] != "CREATE_IN_PROGRESS" and found,
    )
    assert shown["stack_status"] == "CREATE_COMPLETE", shown["stack_status_reason"]
    return {output["output_key"]: output["output_value"] for output in shown["outputs"]}


LISTS = {
    "servers": ("NOVA", "/v2.1/servers"),
    "volumes": ("CINDER", "/v3/{project}/volumes/detail"),
    "floatingips": ("NEUTRON", "/v2.0/floatingips"),
    "ports": ("NEUTRON", "/v2.0/ports?project_id={project}&device_owner=compute:nova"),
}


def listed(team: Project, kind: str) -> list[dict[str, Any]]:
    """Return what the project has of a kind."""
    service, path = LISTS[kind]
    found: list[dict[str, Any]] = team.user.call("GET", service, path.format(project=team.id))[kind]
    return found


def ingress(team: Project) -> list[dict[str, Any]]:
    """Return what the security group lets in: the one that is not Neutron's own."""
    groups = team.user.call("GET", "NEUTRON", f"/v2.0/security-groups?project_id={team.id}")["security_groups"]
    (group,) = (group for group in groups if group["name"] != "default")
    return [rule for rule in group["security_group_rules"] if rule["direction"] == "ingress"]


def booted_with(local: LocalSettings, server: str) -> str | None:
    """Return a server's user data as Nova has it, which only an administrator sees (microversion 2.3)."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the machine is not for loopback
        headers = {"X-Auth-Token": Client.admin(local).token, "OpenStack-API-Version": "compute 2.3"}
        answer = session.get(local.url("NOVA", f"/v2.1/servers/{server}"), headers=headers, timeout=60)
    encoded = answer.json()["server"]["OS-EXT-SRV-ATTR:user_data"]
    return None if encoded is None else base64.b64decode(encoded).decode()


@pytest.mark.openstack
@pytest.mark.parametrize("template", [UBUNTU, GPU], ids=["ubuntu-basic", "gpu-ubuntu"])
def test_heat_takes_the_template_with_the_documented_parameters(team: Project, template: str) -> None:
    answer = team.user.call("POST", "HEAT", f"/v1/{team.id}/validate", {"template": template})

    assert set(answer["Parameters"]) == set(vm())


@pytest.mark.openstack
def test_a_vm_that_asks_for_little_gets_no_more(local: LocalSettings, team: Project) -> None:
    """No floating IP, no volume, no way in, no user data."""
    with stack(team, UBUNTU, vm()) as made:
        (server,) = listed(team, "servers")
        assert (server["id"], server["name"]) == (made["server_id"], "web-1")
        assert made["private_ip"].startswith("10.8.")
        assert made["public_ip"] == ""
        assert ingress(team) == []
        assert listed(team, "volumes") == listed(team, "floatingips") == []
        assert booted_with(local, made["server_id"]) is None


@pytest.mark.openstack
def test_user_data_alone_reaches_the_vm_byte_by_byte(local: LocalSettings, team: Project) -> None:
    """The longest that Nova takes, with everything in it that a template language could trip over."""
    tricky = "#cloud-config\n# {get_param: image} %(x)s $x \"'\t\U0001f525 \u202e\r\n"
    text = tricky + "x" * (USER_DATA_BYTES - len(tricky.encode()))

    with stack(team, UBUNTU, vm(text)) as made:
        assert booted_with(local, made["server_id"]) == text


INGRESS = [
    {"protocol": "tcp", "ports": "22", "cidr": "0.0.0.0/0"},
    {"protocol": "udp", "ports": "8000-8100", "cidr": "10.0.0.0/8"},
    {"protocol": "icmp", "cidr": "0.0.0.0/0"},
    {"protocol": "tcp", "ports": "443", "cidr": "::/0"},
]
VOLUMES = [{"name": f"data-{n}", "sizeGiB": n + 1, "type": "hdd"} for n in range(VOLUME_SLOTS - 1)]
UNTYPED = {"name": "untyped", "sizeGiB": 1}


@pytest.mark.openstack
def test_a_vm_that_asks_for_everything_gets_it(local: LocalSettings, team: Project) -> None:
    text = "#!/bin/sh\necho grüß\n"
    values = vm(
        text,
        publicIP=True,
        keyName="ops",
        ingress=INGRESS,
        volumes=[*VOLUMES, UNTYPED],
        sshAuthorizedKeys=[PUBLIC_KEY],
    )

    with stack(team, UBUNTU, values) as made:
        (address,) = listed(team, "floatingips")
        assert (address["floating_ip_address"], address["fixed_ip_address"]) == (
            made["public_ip"],
            made["private_ip"],
        )
        assert {
            (rule["protocol"], rule["port_range_min"], rule["port_range_max"], rule["remote_ip_prefix"])
            for rule in ingress(team)
        } == {
            ("tcp", 22, 22, "0.0.0.0/0"),
            ("udp", 8000, 8100, "10.0.0.0/8"),
            ("icmp", None, None, "0.0.0.0/0"),
            ("tcp", 443, 443, "::/0"),
        }
        volumes = {volume["name"]: volume for volume in listed(team, "volumes")}
        assert {name: volume["size"] for name, volume in volumes.items()} == {
            **{f"web-1-{volume['name']}": volume["sizeGiB"] for volume in VOLUMES},
            "web-1-untyped": 1,
        }
        assert volumes["web-1-data-0"]["volume_type"] == "hdd"
        attached = {found["server_id"] for volume in volumes.values() for found in volume["attachments"]}
        assert attached == {made["server_id"]}
        server = team.user.call("GET", "NOVA", f"/v2.1/servers/{made['server_id']}")["server"]
        assert server["key_name"] == "ops"
        keys, user = parts(booted_with(local, made["server_id"]))
        assert yaml.safe_load(keys) == {"ssh_authorized_keys": [PUBLIC_KEY]}
        assert user == text


def parts(message: str | None) -> list[str]:
    """Return the texts of a MIME message, as cloud-init decodes them."""
    assert message is not None
    found = email.message_from_bytes(message.encode()).get_payload()
    assert isinstance(found, list)
    return [part.get_payload(decode=True).decode(part.get_content_charset() or "ascii") for part in found]


@pytest.mark.openstack
def test_a_gpu_vm_with_keys_alone_boots_with_a_cloud_config(local: LocalSettings, team: Project) -> None:
    values = vm(flavor="gpu.large", gpuCount=1, sshAuthorizedKeys=[PUBLIC_KEY])

    with stack(team, GPU, values) as made:
        server = team.user.call("GET", "NOVA", f"/v2.1/servers/{made['server_id']}")["server"]
        assert server["metadata"] == {"gpu_count": "1"}
        text = booted_with(local, made["server_id"]) or ""
        assert text.startswith("#cloud-config\n")
        assert yaml.safe_load(text) == {"ssh_authorized_keys": [PUBLIC_KEY]}


@pytest.mark.openstack
def test_a_gpu_vm_without_gpus_is_refused_with_what_to_do(team: Project) -> None:
    with pytest.raises(RestError, match="ask for at least one in gpuCount") as refused:
        team.create_stack("vm-none", GPU, parameters=vm(flavor="gpu.large"))  # type: ignore[arg-type]

    assert refused.value.status == 400
    assert json.loads(str(refused.value).split("400 ", 1)[1])["error"]["type"] == "StackValidationFailed"


PREVIEWS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nothing": ({}, set()),
    "another flavor": ({"flavor": "m1.small"}, set()),
    "a way in": ({"ingress": INGRESS}, set()),
    "a public address": ({"publicIP": True}, set()),
    "one more volume": ({"volumes": [UNTYPED, *VOLUMES[:1]]}, set()),
    "a larger volume": ({"volumes": [{**UNTYPED, "sizeGiB": 2}]}, set()),
    "one volume less": ({"volumes": []}, {"volume_0"}),
    "another image": ({"image": "ubuntu-24.04"}, {"server"}),
    "other keys": ({"sshAuthorizedKeys": [PUBLIC_KEY, f"{PUBLIC_KEY}-2"]}, {"server"}),
}


@pytest.mark.openstack
def test_a_preview_names_the_server_and_volumes_that_an_update_would_cost(local: LocalSettings, team: Project) -> None:
    """What an update is refused for rests on this; of a template that Heat previews wrongly, every edit would be."""
    asked: dict[str, Any] = {"sshAuthorizedKeys": [PUBLIC_KEY], "volumes": [UNTYPED]}
    credentials = Credentials("password", team.name, team.password)
    project = connect(endpoint_of(local, team.id), credentials, timeout=60, create_timeout=120)
    with stack(team, UBUNTU, vm("#!/bin/sh\n", **asked)):
        (made,) = team.stacks()
        costs = {}
        for what, (edit, _) in PREVIEWS.items():
            wanted = Inputs("any@v1", UBUNTU, vm("#!/bin/sh\n", **{**asked, **edit}))
            plan = project.heat.preview_update(made.name, made.id, (), wanted, timeout_minutes=5)
            costs[what] = {
                name for name in plan.replaced + plan.deleted if name == "server" or name.startswith("volume")
            }
        project.close()
    assert costs == {what: cost for what, (_, cost) in PREVIEWS.items()}
