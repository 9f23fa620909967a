"""OpenStack projects for tests: each with a user, a restricted application credential and a network of its own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from localenv.openstack.rest import Client, RestError
from localenv.openstack.seed_cloud import create_application_credential, create_private_network
from localenv.openstack.seed_identity import create_team
from localenv.process import wait_for
from localenv.settings import LocalSettings
from stoker.openstack.base import Endpoint

QUOTA = {"cores": 400, "ram": 1024 * 1024, "instances": 300}
"""A project's limits in Nova (RAM in MiB), unless a test wants to run into one."""

DELETION_TIMEOUT = 180.0
"""Longest wait for the stacks of a project to go, seconds."""

EMPTY_TEMPLATE = {"heat_template_version": "2021-04-16", "outputs": {"answer": {"value": "42"}}}
"""A stack of no resources: complete within a second."""


@dataclass(frozen=True, slots=True)
class HeatStack:
    """A stack as Heat lists it."""

    name: str
    id: str
    status: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """A project, and its user's eyes and hands in Heat."""

    name: str
    id: str
    user_id: str
    password: str
    application_credential_id: str
    application_credential_secret: str
    user: Client
    """The user, logged in with the application credential."""

    def stacks(self) -> list[HeatStack]:
        """Return the stacks of the project.

        For a moment after a deletion, Heat lists the stack as DELETE_COMPLETE; such a stack is gone.
        """
        found = self.user.call("GET", "HEAT", f"/v1/{self.id}/stacks")["stacks"]
        stacks = [HeatStack(s["stack_name"], s["id"], s["stack_status"], tuple(s["tags"] or ())) for s in found]
        return [stack for stack in stacks if stack.status != "DELETE_COMPLETE"]

    def servers(self) -> list[dict[str, Any]]:
        """Return the servers of the project; for a moment after a deletion, Nova lists one as DELETED."""
        found: list[dict[str, Any]] = self.user.call("GET", "NOVA", "/v2.1/servers/detail")["servers"]
        return [server for server in found if server["status"] != "DELETED"]

    def stack(self, name: str, stack_id: str) -> dict[str, Any]:
        """Return a stack with parameters and outputs, as Heat shows it."""
        shown: dict[str, Any] = self.user.call("GET", "HEAT", f"/v1/{self.id}/stacks/{name}/{stack_id}")["stack"]
        return shown

    def stack_parameters(self, name: str, stack_id: str) -> dict[str, str]:
        parameters: dict[str, str] = self.stack(name, stack_id)["parameters"]
        return parameters

    def create_stack(self, name: str, template: dict[str, Any] | None = None, **fields: Any) -> str:
        """Ask for a stack, by default one without resources; return its id at once.

        Raises RestError when Heat refuses.
        """
        body = {"stack_name": name, "template": template or EMPTY_TEMPLATE, "timeout_mins": 10, **fields}
        made: str = self.user.call("POST", "HEAT", f"/v1/{self.id}/stacks", body)["stack"]["id"]
        return made

    def delete_stack(self, name: str, stack_id: str) -> None:
        """Ask Heat to delete a stack; one that is gone is no error."""
        try:
            self.user.call("DELETE", "HEAT", f"/v1/{self.id}/stacks/{name}/{stack_id}")
        except RestError as error:
            if error.status != 404:
                raise


def create_project(settings: LocalSettings, name: str, **quota: int) -> Project:
    """Make a project with all that a VM stack needs: private network, subnet, router to `public`.

    `quota` changes limits, for example `cores=2`, `floatingip=1` or `volumes=3`. Raises RestError, for example when the name is taken.
    """
    admin, password = Client.admin(settings), secrets.token_urlsafe(18)
    create_team(admin, name, password, admin.call("GET", "KEYSTONE", "/v3/roles?name=member")["roles"][0]["id"])
    owner = Client.login(settings, name, password, name)
    credential = create_application_credential(owner)
    _set_quota(admin, owner.project_id, QUOTA | quota)
    public = admin.call("GET", "NEUTRON", "/v2.0/networks?name=public")["networks"][0]["id"]
    create_private_network(owner, public, "10.8.0.0/20")
    user = Client.login_with_application_credential(settings, credential)
    return Project(name, owner.project_id, owner.user_id, password, credential["id"], credential["secret"], user)


def _set_quota(admin: Client, project: str, quota: dict[str, int]) -> None:
    """Change limits in the service that has each; only Nova's are always given."""
    addresses = {name: quota[name] for name in quota if name == "floatingip"}
    volumes = {name: quota[name] for name in quota if name in ("volumes", "gigabytes")}
    servers = {name: quota[name] for name in quota if name not in {**addresses, **volumes}}
    admin.call("PUT", "NOVA", f"/v2.1/os-quota-sets/{project}", {"quota_set": servers})
    if addresses:
        admin.call("PUT", "NEUTRON", f"/v2.0/quotas/{project}", {"quota": addresses})
    if volumes:
        admin.call("PUT", "CINDER", f"/v3/{admin.project_id}/os-quota-sets/{project}", {"quota_set": volumes})


def delete_project(settings: LocalSettings, project: Project) -> None:
    """Delete a project with its stacks and networks.

    Raises AssertionError naming the stacks that Heat did not delete in time.
    """
    for stack in project.stacks():
        project.delete_stack(stack.name, stack.id)
    assert wait_for(lambda: not project.stacks(), DELETION_TIMEOUT), f"still there: {project.stacks()}"
    admin = Client.admin(settings)
    _delete_networks(admin, project.id)
    admin.call("DELETE", "KEYSTONE", f"/v3/users/{project.user_id}")
    admin.call("DELETE", "KEYSTONE", f"/v3/projects/{project.id}")
    # Neutron makes a default group again whenever somebody looks into the project, hence last.
    _delete_all(admin, project.id, "security-groups")


def _delete_networks(admin: Client, project: str) -> None:
    """Delete the routers, then what hangs on them."""
    for router in _listed(admin, project, "routers"):
        path = f"/v2.0/ports?device_id={router['id']}&device_owner=network:router_interface"
        for port in admin.call("GET", "NEUTRON", path)["ports"]:
            interface = f"/v2.0/routers/{router['id']}/remove_router_interface"
            admin.call("PUT", "NEUTRON", interface, {"port_id": port["id"]})
    for kind in ("floatingips", "routers", "ports", "networks"):
        _delete_all(admin, project, kind)


def _delete_all(admin: Client, project: str, kind: str) -> None:
    for item in _listed(admin, project, kind):
        admin.call("DELETE", "NEUTRON", f"/v2.0/{kind}/{item['id']}")


def _listed(admin: Client, project: str, kind: str) -> list[dict[str, Any]]:
    answer: dict[str, list[dict[str, Any]]] = admin.call("GET", "NEUTRON", f"/v2.0/{kind}?project_id={project}")
    return answer[kind.replace("-", "_")]


def endpoint_of(local: LocalSettings, project: str) -> Endpoint:
    """Return the local cloud as a project's Tenant would reach it."""
    hosts = tuple(f"127.0.0.1:{local.ports[name]}" for name in ("HEAT", "NOVA", "GLANCE", "NEUTRON", "CINDER"))
    return Endpoint(local.url("KEYSTONE", "/v3"), "RegionOne", "public", project, None, hosts)
