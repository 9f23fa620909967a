"""What the services share: who asks, what they send, how an answer is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from aiohttp import web

from simulator.errors import RefusedError
from simulator.state import Cloud, Token

PREFIXES = {
    "identity": "/identity",
    "orchestration": "/heat",
    "compute": "/compute",
    "image": "/image",
    "network": "/network",
}
"""Type of the service in the catalogue → its path, since all share one port."""

Item = TypeVar("Item")


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
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RefusedError(
            400, "HTTPBadRequest", "The server could not comply with the request: the body is no JSON object"
        )
    return found


def page_of(items: list[Item], query: Mapping[str, str], key: str = "id") -> tuple[list[Item], bool]:
    """Return one page of the items after `marker`, and whether there is more. Raises RefusedError for a bad limit."""
    text = query.get("limit", "1000")
    if not text.isdecimal():
        raise RefusedError(400, "", f"Invalid input for limit: {text}")
    ids = [str(item[key]) if isinstance(item, dict) else str(getattr(item, key)) for item in items]
    begin = ids.index(query["marker"]) + 1 if query.get("marker") in ids else 0
    page = items[begin : begin + min(int(text), 1000)]
    return page, begin + len(page) < len(items)


def next_link(request: web.Request, marker: str) -> str:
    """Return the URL of the page after the marker."""
    return str(request.url.update_query(marker=marker))
