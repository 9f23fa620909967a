"""The first contents of Keystone: catalog, service users, Heat's domain, and the two teams."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localenv.settings import LocalSettings

from .rest import Client

CATALOG: dict[str, tuple[str, str, str]] = {
    "placement": ("placement", "PLACEMENT", ""),
    "glance": ("image", "GLANCE", ""),
    "neutron": ("network", "NEUTRON", ""),
    "nova": ("compute", "NOVA", "/v2.1"),
    "heat": ("orchestration", "HEAT", "/v1/%(tenant_id)s"),
    "cinder": ("block-storage", "CINDER", "/v3"),
    # Heat still asks for the old name of block storage.
    "cinderv3": ("volumev3", "CINDER", "/v3"),
}
"""Service → its type in the catalog, its port, and the path of its API."""

TEAMS = ("team-a", "team-b")

TRUSTS_REGION = "RegionTrusts"
"""The region of the second Heat. Its endpoints exist but are switched off while that Heat does not run, so that a
client which names no region never lands there."""

INTERFACES = ("public", "internal")


def seed_identity(settings: LocalSettings, passwords: dict[str, str]) -> None:
    """Fill a bootstrapped Keystone; the catalog before the users, because Nova starts as soon as its user can log in."""
    admin = Client.admin(settings)
    admin.post("KEYSTONE", "/v3/regions", "region", id=TRUSTS_REGION)
    roles = {role["name"]: role["id"] for role in admin.call("GET", "KEYSTONE", "/v3/roles")["roles"]}
    admin.post("KEYSTONE", "/v3/roles", "role", name="heat_stack_user")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: _service(admin, name), CATALOG))
        _identity_for_trusts(admin)
        service = admin.post("KEYSTONE", "/v3/projects", "project", name="service", domain_id="default")
        users = [
            pool.submit(
                create_user, admin, name, passwords["service"], service["id"], [roles["admin"], roles["service"]]
            )
            for name in CATALOG
            if name != "cinderv3"
        ]
        users += [pool.submit(create_team, admin, name, passwords[name], roles["member"]) for name in TEAMS]
        users.append(pool.submit(_heat_domain, admin, passwords["heat_domain_admin"], roles["admin"]))
        for user in users:
            user.result()


def _service(admin: Client, name: str) -> None:
    """Register a service in both regions; in the second one, Heat has a port of its own."""
    kind, port, path = CATALOG[name]
    service = admin.post("KEYSTONE", "/v3/services", "service", name=name, type=kind)
    for interface in INTERFACES:
        _endpoint(admin, service["id"], interface, admin.settings.url(port, path))
        there = "HEAT_TRUSTS" if port == "HEAT" else port
        _endpoint(admin, service["id"], interface, admin.settings.url(there, path), TRUSTS_REGION)


def _identity_for_trusts(admin: Client) -> None:
    """Register Keystone, which the bootstrap put into the first region only, in the second one too."""
    service = admin.call("GET", "KEYSTONE", "/v3/services?type=identity")["services"][0]
    url = admin.settings.url("KEYSTONE", "/v3")
    for interface in INTERFACES:
        _endpoint(admin, service["id"], interface, url, TRUSTS_REGION)


def _endpoint(admin: Client, service: str, interface: str, url: str, region: str = "RegionOne") -> None:
    enabled = region != TRUSTS_REGION
    fields: dict[str, Any] = {"service_id": service, "interface": interface, "url": url, "region_id": region}
    admin.post("KEYSTONE", "/v3/endpoints", "endpoint", **fields, enabled=enabled)


def create_user(admin: Client, name: str, password: str, project: str, roles: list[str]) -> None:
    """Make a user with roles (by id) in a project."""
    user = admin.post("KEYSTONE", "/v3/users", "user", name=name, password=password, domain_id="default")
    for role in roles:
        admin.call("PUT", "KEYSTONE", f"/v3/projects/{project}/users/{user['id']}/roles/{role}")


def create_team(admin: Client, name: str, password: str, member: str) -> None:
    """Make a team's project and its user of the same name."""
    project = admin.post("KEYSTONE", "/v3/projects", "project", name=name, domain_id="default")
    create_user(admin, name, password, project["id"], [member])


def _heat_domain(admin: Client, password: str, role: str) -> None:
    """Make the domain in which Heat keeps a project per stack, and its administrator."""
    domain = admin.post("KEYSTONE", "/v3/domains", "domain", name="heat")["id"]
    fields = {"name": "heat_domain_admin", "password": password, "domain_id": domain}
    user = admin.post("KEYSTONE", "/v3/users", "user", **fields)["id"]
    admin.call("PUT", "KEYSTONE", f"/v3/domains/{domain}/users/{user}/roles/{role}")
