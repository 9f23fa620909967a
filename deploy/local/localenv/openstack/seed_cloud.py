"""The first contents of the other services: flavors, images, networks, volume types, and what the teams need."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from localenv.settings import LocalSettings

from .rest import Client
from .seed_identity import TEAMS

FLAVORS: dict[str, tuple[int, int, int, dict[str, str]]] = {
    "m1.tiny": (1, 512, 1, {}),
    "m1.small": (1, 2048, 20, {}),
    "m1.medium": (2, 4096, 40, {}),
    "m1.large": (4, 8192, 80, {}),
    "gpu.large": (8, 32768, 100, {"resources:CUSTOM_GPU": "1"}),
    "too.big": (2048, 2048 * 1024, 10, {}),
    "gpu.none": (1, 2048, 1, {"resources:CUSTOM_NO_SUCH_GPU": "1"}),
}
"""Name → vCPUs, RAM in MiB, disk in GiB, extra specs. No host can take the last two."""

IMAGES = {"ubuntu-24.04": "24.04", "ubuntu-22.04": "22.04", "cirros": ""}
"""Name → version of Ubuntu. The data is a few bytes: no hypervisor ever reads it."""

VOLUME_TYPES = ("ssd", "hdd")

QUOTAS = {
    "team-a": {"cores": 400, "ram": 1024 * 1024, "instances": 300},
    "team-b": {"cores": 40, "ram": 100 * 1024, "instances": 20},
}
"""Team → its limits in Nova (RAM in MiB); team-b's are small enough to run into."""

PUBLIC_KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode() + " ops"
"""A well-formed public key without a private one: no machine here has anything to log in to."""


@dataclass(frozen=True, slots=True)
class Project:
    """A seeded project and the credentials of its user."""

    name: str
    username: str
    password: str
    project_id: str
    user_id: str
    application_credential: dict[str, str]
    """`id` and `secret` of a restricted application credential: it cannot make further ones."""


def seed_cloud(settings: LocalSettings, passwords: dict[str, str]) -> list[Project]:
    """Fill the services side by side; return the teams' projects."""
    admin = Client.admin(settings)
    teams = {name: Client.login(settings, name, passwords[name], name) for name in TEAMS}
    with ThreadPoolExecutor(8) as pool:
        public = pool.submit(_public_network, admin)
        tasks = [
            *(pool.submit(_image, admin, name) for name in IMAGES),
            *(pool.submit(_flavor, admin, name) for name in FLAVORS),
            *(pool.submit(_volume_type, admin, name) for name in VOLUME_TYPES),
            *(pool.submit(_quota, admin, name, team.project_id) for name, team in teams.items()),
            *(pool.submit(_keypair, team) for team in teams.values()),
        ]
        credentials = {name: pool.submit(create_application_credential, team) for name, team in teams.items()}
        network = public.result()
        for number, team in enumerate(teams.values()):
            tasks.append(pool.submit(create_private_network, team, network, f"10.{number}.0.0/20"))
        for task in tasks:
            task.result()
    return [
        Project(name, name, passwords[name], team.project_id, team.user_id, credentials[name].result())
        for name, team in teams.items()
    ]


def _flavor(admin: Client, name: str) -> None:
    vcpus, ram, disk, extra_specs = FLAVORS[name]
    flavor = admin.post("NOVA", "/v2.1/flavors", "flavor", name=name, vcpus=vcpus, ram=ram, disk=disk)
    if extra_specs:
        admin.call("POST", "NOVA", f"/v2.1/flavors/{flavor['id']}/os-extra_specs", {"extra_specs": extra_specs})


def _image(admin: Client, name: str) -> None:
    version = {"os_distro": "ubuntu", "os_version": IMAGES[name]} if IMAGES[name] else {}
    fields = {"name": name, "visibility": "public", "disk_format": "raw", "container_format": "bare", **version}
    image = admin.call("POST", "GLANCE", "/v2/images", fields)
    admin.call("PUT", "GLANCE", f"/v2/images/{image['id']}/file", name.encode() * 64)


def _volume_type(admin: Client, name: str) -> None:
    admin.post("CINDER", f"/v3/{admin.project_id}/types", "volume_type", name=name)


def _quota(admin: Client, name: str, project: str) -> None:
    admin.call("PUT", "NOVA", f"/v2.1/os-quota-sets/{project}", {"quota_set": QUOTAS[name]})


def _keypair(team: Client) -> None:
    team.post("NOVA", "/v2.1/os-keypairs", "keypair", name="ops", public_key=PUBLIC_KEY)


def _public_network(admin: Client) -> str:
    """Make the external network with room for 4,000 floating IPs; return its id."""
    fields = {
        "name": "public",
        "router:external": True,
        "provider:network_type": "flat",
        "provider:physical_network": "public",
    }
    network: str = admin.post("NEUTRON", "/v2.0/networks", "network", **fields)["id"]
    _subnet(admin, network, "public-subnet", "172.24.0.0/20", enable_dhcp=False)
    return network


def create_private_network(team: Client, public: str, cidr: str) -> None:
    """Make a team's network and connect it to the external one."""
    network = team.post("NEUTRON", "/v2.0/networks", "network", name="private")["id"]
    subnet = _subnet(team, network, "private-subnet", cidr, enable_dhcp=True)
    gateway = {"network_id": public}
    router = team.post("NEUTRON", "/v2.0/routers", "router", name="router", external_gateway_info=gateway)["id"]
    team.call("PUT", "NEUTRON", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet})


def _subnet(client: Client, network: str, name: str, cidr: str, *, enable_dhcp: bool) -> str:
    fields = {"network_id": network, "name": name, "ip_version": 4, "cidr": cidr, "enable_dhcp": enable_dhcp}
    subnet: str = client.post("NEUTRON", "/v2.0/subnets", "subnet", **fields)["id"]
    return subnet


def create_application_credential(team: Client) -> dict[str, str]:
    """Make a restricted application credential of the user who is logged in; return its id and secret."""
    path = f"/v3/users/{team.user_id}/application_credentials"
    made = team.post("KEYSTONE", path, "application_credential", name="stoker", unrestricted=False)
    return {"id": made["id"], "secret": made["secret"]}
