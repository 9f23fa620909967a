"""Cinder v3: the volume types, the same for every project, and limits; volumes are made by Heat alone."""

from __future__ import annotations

from aiohttp import web

from simulator.api import PREFIXES, next_link, page_of, token_of, versions
from simulator.errors import RefusedError
from simulator.state import Cloud, Project

AT = f"{PREFIXES['block-storage']}/v3"


class Cinder:
    """The block storage service."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def routes(self) -> list[web.RouteDef]:
        """The project in the path may be left out since 3.67."""
        return [
            *versions(PREFIXES["block-storage"], "v3.0", "v3"),
            *(web.get(f"{at}/types", self.types) for at in (AT, f"{AT}/{{project}}")),
            *(web.get(f"{at}/limits", self.limits) for at in (AT, f"{AT}/{{project}}")),
        ]

    async def types(self, request: web.Request) -> web.Response:
        self._project(request)
        types = [{"id": key, "name": name, "is_public": True} for name, key in self._cloud.volume_types.items()]
        page, more = page_of(types, request.query)
        found: dict[str, object] = {"volume_types": page}
        if more and page:
            found["volume_type_links"] = [{"rel": "next", "href": next_link(request, str(page[-1]["id"]))}]
        return web.json_response(found)

    async def limits(self, request: web.Request) -> web.Response:
        project = self._project(request)
        absolute = {
            "maxTotalVolumes": project.quota["volumes"],
            "maxTotalVolumeGigabytes": project.quota["gigabytes"],
            "totalVolumesUsed": len(project.volumes),
            "totalGigabytesUsed": sum(project.volumes.values()),
        }
        return web.json_response({"limits": {"rate": [], "absolute": absolute}})

    def _project(self, request: web.Request) -> Project:
        project = token_of(self._cloud, request).project
        if request.match_info.get("project", project.id) != project.id:
            raise RefusedError(400, message="Malformed request url")
        return project
