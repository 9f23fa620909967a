"""Nova: the project's servers with start, stop and reboot; flavors, key pairs, limits and quota."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from simulator.api import PREFIXES, body_of, next_link, page_of, token_of
from simulator.errors import RefusedError
from simulator.state import Cloud, Flavor, Project, Server

ACTIONS: dict[str, tuple[str, str, tuple[str, ...], str, int]] = {
    "os-start": ("start", "powering-on", ("SHUTOFF",), "ACTIVE", 1),
    "os-stop": ("stop", "powering-off", ("ACTIVE", "ERROR"), "SHUTOFF", 4),
    "reboot": ("reboot", "rebooting", ("ACTIVE",), "ACTIVE", 1),
    "reboot hard": ("reboot", "rebooting_hard", ("ACTIVE", "SHUTOFF", "ERROR"), "ACTIVE", 1),
}
"""Action → its name in the settings, the task meanwhile, from which status, to which status and power state."""

VM_STATES = {"ACTIVE": "active", "SHUTOFF": "stopped", "ERROR": "error"}
STATUSES = {"rebooting": "REBOOT", "rebooting_hard": "HARD_REBOOT"}
"""Tasks that Nova shows as a status of their own."""

QUOTA = {"cores": "maxTotalCores", "ram": "maxTotalRAMSize", "instances": "maxTotalInstances"}


class Nova:
    """The compute service."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def routes(self) -> list[web.RouteDef]:
        at = f"{PREFIXES['compute']}/v2.1"
        return [
            web.get(at, self.version),
            web.get(f"{at}/", self.version),
            web.get(f"{at}/servers/detail", self.servers),
            web.get(f"{at}/servers/{{id}}", self.server),
            web.delete(f"{at}/servers/{{id}}", self.delete),
            web.post(f"{at}/servers/{{id}}/action", self.act),
            web.get(f"{at}/flavors/detail", self.flavors),
            web.get(f"{at}/os-keypairs", self.key_pairs),
            web.post(f"{at}/os-keypairs", self.create_key_pair),
            web.get(f"{at}/limits", self.limits),
            web.get(f"{at}/os-quota-sets/{{project}}", self.quota),
            web.put(f"{at}/os-quota-sets/{{project}}", self.set_quota),
        ]

    async def version(self, request: web.Request) -> web.Response:
        links = [{"rel": "self", "href": str(request.url)}]
        version = {"id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1", "links": links}
        return web.json_response({"version": version})

    async def servers(self, request: web.Request) -> web.Response:
        """Newest first, as Nova lists them."""
        project = self._project(request)
        servers = list(reversed(project.servers.values()))
        name, status = request.query.get("name"), request.query.get("status")
        kept = [one for one in servers if (not name or name in one.name) and status in (None, one.status)]
        return self._collection(request, "servers", [shown(one, project) for one in kept])

    async def server(self, request: web.Request) -> web.Response:
        return web.json_response({"server": shown(self._server(request), self._project(request))})

    async def delete(self, request: web.Request) -> web.Response:
        """Behind Heat's back."""
        del self._project(request).servers[self._server(request).id]
        return web.Response(status=204)

    async def act(self, request: web.Request) -> web.Response:
        """Begin an action; Nova refuses one that does not fit the server's state."""
        server, body = self._server(request), await body_of(request)
        action = next(iter(body), "")
        if action == "reboot" and (body["reboot"] or {}).get("type") == "HARD":
            action = "reboot hard"
        if action not in ACTIONS:
            raise RefusedError(400, message=f"There is no such action: {action}")
        verb, task, allowed, status, power = ACTIONS[action]
        state = f"task_state {server.task}" if server.task else f"vm_state {VM_STATES[server.status]}"
        if server.task or server.status not in allowed:
            raise RefusedError(409, message=f"Cannot '{verb}' instance {server.id} while it is in {state}")
        server.task = task

        def end() -> None:
            server.task, server.status, server.power = None, status, power

        asyncio.get_running_loop().call_later(self._cloud.settings.seconds[verb], end)
        return web.Response(status=202)

    async def flavors(self, request: web.Request) -> web.Response:
        self._project(request)
        return self._collection(request, "flavors", [_flavor(one) for one in self._cloud.flavors.values()])

    async def key_pairs(self, request: web.Request) -> web.Response:
        names = [{"name": name} for name in sorted(self._project(request).keypairs)]
        page, more = page_of(names, request.query, "name", _missed(request))
        found: dict[str, Any] = {"keypairs": [{"keypair": {**one, "fingerprint": "00:" * 15 + "00"}} for one in page]}
        if more and page:
            found["keypairs_links"] = [{"rel": "next", "href": next_link(request, page[-1]["name"])}]
        return web.json_response(found)

    async def create_key_pair(self, request: web.Request) -> web.Response:
        given = (await body_of(request)).get("keypair") or {}
        project = self._project(request)
        if given.get("name") in project.keypairs:
            raise RefusedError(409, message=f"Key pair '{given['name']}' already exists.")
        project.keypairs[str(given.get("name"))] = str(given.get("public_key"))
        return web.json_response({"keypair": {"name": given.get("name"), "fingerprint": "00:" * 15 + "00"}})

    async def limits(self, request: web.Request) -> web.Response:
        project = self._project(request)
        servers = project.servers.values()
        used = {
            "totalCoresUsed": sum(server.flavor.vcpus for server in servers),
            "totalRAMUsed": sum(server.flavor.ram for server in servers),
            "totalInstancesUsed": len(servers),
        }
        most = {QUOTA[name]: amount for name, amount in project.quota.items() if name in QUOTA}
        return web.json_response({"limits": {"rate": [], "absolute": {**most, **used}}})

    async def quota(self, request: web.Request) -> web.Response:
        project = self._own(request)
        return web.json_response({"quota_set": {"id": project.id, **_nova(project)}})

    async def set_quota(self, request: web.Request) -> web.Response:
        """Only an administrator may, and here there is none: `Control.set_quota` changes it."""
        self._project(request)
        raise RefusedError(403, message="Policy doesn't allow os_compute_api:os-quota-sets:update to be performed.")

    def _project(self, request: web.Request) -> Project:
        return token_of(self._cloud, request).project

    def _own(self, request: web.Request) -> Project:
        project = self._project(request)
        if request.match_info["project"] != project.id:
            raise RefusedError(403, message="Policy doesn't allow os_compute_api:os-quota-sets to be performed.")
        return project

    def _server(self, request: web.Request) -> Server:
        wanted = request.match_info["id"]
        server = self._project(request).servers.get(wanted)
        if server is None:
            raise RefusedError(404, message=f"Instance {wanted} could not be found.")
        return server

    @staticmethod
    def _collection(request: web.Request, key: str, items: list[dict[str, Any]]) -> web.Response:
        page, more = page_of(items, request.query, missed=_missed(request))
        found: dict[str, Any] = {key: page}
        if more and page:
            found[f"{key}_links"] = [{"rel": "next", "href": next_link(request, page[-1]["id"])}]
        return web.json_response(found)


def _missed(request: web.Request) -> RefusedError:
    return RefusedError(400, message=f"marker [{request.query.get('marker')}] not found")


def shown(server: Server, project: Project) -> dict[str, Any]:
    """Return a server as Nova shows it."""
    found = {
        "id": server.id,
        "name": server.name,
        "status": STATUSES.get(server.task or "", server.status),
        "tenant_id": project.id,
        "user_id": project.user_id,
        "created": server.created,
        "updated": server.created,
        "metadata": server.metadata,
        "key_name": server.key_name,
        "image": {"id": server.image} if server.image else "",
        "flavor": {"original_name": server.flavor.name, "vcpus": server.flavor.vcpus, "ram": server.flavor.ram},
        "addresses": _addresses(server, project),
        "OS-EXT-STS:vm_state": VM_STATES[server.status],
        "OS-EXT-STS:task_state": server.task,
        "OS-EXT-STS:power_state": server.power,
    }
    return found | ({"fault": {"code": 500, "message": server.fault}} if server.fault else {})


def _addresses(server: Server, project: Project) -> dict[str, list[dict[str, Any]]]:
    """Return the addresses of the server's ports, fixed and floating, as of one network."""
    fixed = [("fixed", project.ports[port]) for port in server.ports if port in project.ports]
    floating = [("floating", address) for port, address in project.floating.values() if port in server.ports]
    entries = [{"version": 4, "addr": address, "OS-EXT-IPS:type": kind} for kind, address in fixed + floating]
    return {"private": entries} if entries else {}


def _flavor(flavor: Flavor) -> dict[str, Any]:
    return {
        "id": flavor.id,
        "name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "swap": 0,
        "os-flavor-access:is_public": True,
        "extra_specs": flavor.extra,
    }


def _nova(project: Project) -> dict[str, int]:
    return {name: project.quota[name] for name in QUOTA}
