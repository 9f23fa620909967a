"""Glance v2: the images, the same for every project."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from simulator.api import PREFIXES, page_of, token_of, versions
from simulator.errors import RefusedError
from simulator.state import Cloud, Image

AT = f"{PREFIXES['image']}/v2"


class Glance:
    """The image service."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def routes(self) -> list[web.RouteDef]:
        return [
            *versions(PREFIXES["image"], "v2.9", "v2"),
            web.get(f"{AT}/images", self.images),
            web.get(f"{AT}/images/{{id}}", self.image),
        ]

    async def images(self, request: web.Request) -> web.Response:
        """Twenty-five at a time unless asked otherwise; the next page is named by a path."""
        token_of(self._cloud, request)
        name = request.query.get("name")
        images = [_shown(image) for image in self._cloud.images.values() if name in (None, image.name)]
        missed = RefusedError(400, message=f"No image found with ID {request.query.get('marker')}")
        page, more = page_of(images, {"limit": "25", **request.query}, missed=missed)
        found: dict[str, Any] = {"images": page, "schema": "/v2/schemas/images"}
        if more and page:
            found["next"] = f"/v2/images?{urlencode({**request.query, 'marker': page[-1]['id']})}"
        return web.json_response(found)

    async def image(self, request: web.Request) -> web.Response:
        token_of(self._cloud, request)
        image = self._cloud.images.get(request.match_info["id"])
        if image is None:
            raise RefusedError(404, message=f"No image found with ID {request.match_info['id']}")
        return web.json_response(_shown(image))


def _shown(image: Image) -> dict[str, Any]:
    return {
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "visibility": "public",
        "size": image.size,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "disk_format": "raw",
        "container_format": "bare",
    }
