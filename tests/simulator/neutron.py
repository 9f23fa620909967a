"""Neutron v2.0: two networks for each project, `public` (shared by all) and its own `private`; quota."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator.api import PREFIXES, next_link, page_of, token_of, versions
from simulator.errors import RefusedError
from simulator.state import Cloud, Project

AT = f"{PREFIXES['network']}/v2.0"


class Neutron:
    """The network service."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def routes(self) -> list[web.RouteDef]:
        return [
            *versions(PREFIXES["network"], "v2.0", "v2.0"),
            web.get(f"{AT}/networks", self.networks),
            web.get(f"{AT}/networks/{{id}}", self.network),
            web.get(f"{AT}/quotas/{{project}}", self.quota),
            web.get(f"{AT}/quotas/{{project}}/details", self.details),
        ]

    async def networks(self, request: web.Request) -> web.Response:
        name = request.query.get("name")
        networks = [one for one in self._networks(request) if name in (None, one["name"])]
        marker = request.query.get("marker")
        missed = RefusedError(404, "NetworkNotFound", f"Network {marker} could not be found.")
        page, more = page_of(networks, request.query, missed=missed)
        found: dict[str, Any] = {"networks": page}
        if more and page:
            found["networks_links"] = [{"rel": "next", "href": next_link(request, page[-1]["id"])}]
        return web.json_response(found)

    async def network(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        for one in self._networks(request):
            if one["id"] == wanted:
                return web.json_response({"network": one})
        raise RefusedError(404, "NetworkNotFound", f"Network {wanted} could not be found.")

    async def details(self, request: web.Request) -> web.Response:
        project = self._own(request)
        used = {"limit": project.quota["floatingip"], "used": len(project.floating_ips), "reserved": 0}
        return web.json_response({"quota": {"floatingip": used}})

    async def quota(self, request: web.Request) -> web.Response:
        project = token_of(self._cloud, request).project
        limits = {"network": 100, "subnet": 100, "port": 500, "router": 10, "security_group": 10}
        return web.json_response({"quota": {**limits, "floatingip": project.quota["floatingip"]}})

    def _own(self, request: web.Request) -> Project:
        project = token_of(self._cloud, request).project
        if request.match_info["project"] != project.id:
            raise RefusedError(
                403,
                "AdminRequired",
                "User does not have admin privileges: Only admin is authorized to access quotas for another project.",
            )
        return project

    def _networks(self, request: web.Request) -> list[dict[str, Any]]:
        """In the order of their ids, as Neutron pages."""
        project = token_of(self._cloud, request).project
        found = [_shown(self._cloud.public_network, "public", None), _shown(project.network, "private", project)]
        return sorted(found, key=lambda one: str(one["id"]))


def _shown(network: str, name: str, project: Project | None) -> dict[str, Any]:
    return {
        "id": network,
        "name": name,
        "status": "ACTIVE",
        "admin_state_up": True,
        "shared": False,
        "router:external": project is None,
        "project_id": project.id if project else "",
        "subnets": [],
    }
