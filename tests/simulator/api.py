"""What the services share: who asks, what they send, how an answer is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from simulator.errors import EXPLANATIONS, RefusedError
from simulator.state import Cloud, Token

PREFIXES = {
    "identity": "/identity",
    "orchestration": "/heat",
    "compute": "/compute",
    "image": "/image",
    "network": "/network",
    "block-storage": "/volume",
}
"""Type of the service in the catalogue → its path, since all share one port."""

LARGEST_PAGE = 1000
"""Items that a service gives at once, whatever is asked."""


def service_of(path: str) -> str:
    """Return the service's type, or nothing for the simulator's own interface."""
    return next((service for service, prefix in PREFIXES.items() if path.startswith(f"{prefix}/")), "")


def token_of(cloud: Cloud, request: web.Request) -> Token:
    """Return the token of the request. Raises RefusedError (401)."""
    return cloud.authenticate(request.headers.get("X-Auth-Token"))


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return the body, which must be a JSON object. Raises RefusedError (400)."""
    try:
        found = json.loads(await request.read())
    except ValueError as error:
        raise RefusedError(400, "HTTPBadRequest", str(error)) from None
    if not isinstance(found, dict):
        raise RefusedError(400, "HTTPBadRequest", EXPLANATIONS[400])
    return found


def page_of(
    items: list[dict[str, Any]], query: Mapping[str, str], key: str = "id", missed: RefusedError | None = None
) -> tuple[list[dict[str, Any]], bool]:
    """Return one page of the items after `marker`, and whether there is more.

    Raises RefusedError for a bad limit, and `missed`, if there is one, for a marker that is none of the items'.
    """
    text = query.get("limit", str(LARGEST_PAGE))
    if not text.isdecimal():
        message = f"Invalid input for query parameters limit. Value: {text}. '{text}' does not match '^[0-9]*$'"
        raise RefusedError(400, "", message)
    ids, marker = [str(item[key]) for item in items], query.get("marker")
    if marker is not None and marker not in ids and missed is not None:
        raise missed
    begin = ids.index(marker) + 1 if marker in ids else 0
    page = items[begin : begin + min(int(text), LARGEST_PAGE)]
    return page, begin + len(page) < len(items)


def versions(at: str, version: str, path: str) -> list[web.RouteDef]:
    """Return the routes of a service's list of versions, which clients that discover them ask for."""

    async def show(request: web.Request) -> web.Response:
        links = [{"rel": "self", "href": f"{request.url.origin()}{at}/{path}/"}]
        return web.json_response({"versions": [{"id": version, "status": "CURRENT", "links": links}]})

    return [web.get(at, show), web.get(f"{at}/", show)]


def next_link(request: web.Request, marker: str) -> str:
    """Return the URL of the page after the marker."""
    return str(request.url.update_query(marker=marker))
