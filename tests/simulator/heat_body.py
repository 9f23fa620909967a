"""What a request about a stack brings: its size, tags, numbers."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator.api import body_of
from simulator.errors import RefusedError, invalid
from simulator.hot import Template

LARGEST_BODY = 1024 * 1024
"""Bytes of JSON that Heat reads."""

LONGEST_TAG = 80


async def stack_body(request: web.Request) -> dict[str, Any]:
    size = len(await request.read())
    if size > LARGEST_BODY:
        message = f"JSON body size ({size} bytes) exceeds maximum allowed size ({LARGEST_BODY} bytes)."
        raise invalid(f"Request limit exceeded: {message}", "RequestLimitExceeded")
    return await body_of(request)


def tags_of(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, str):
        raise RefusedError(400, "AttributeError")  # Heat itself stumbles over a list
    tags = tuple(tag.strip() for tag in given.split(",")) if given else ()
    for tag in tags:
        if len(tag) > LONGEST_TAG:
            raise invalid(f'Invalid tag, "{tag}" is longer than {LONGEST_TAG} characters', "HTTPBadRequest")
    return tags


def whole_number(name: str, given: Any) -> int | None:
    """Return the number of a query or a body, None when none was given. Raises RefusedError."""
    if given is None:
        return None
    text = str(given)
    if not text.lstrip("-").isdecimal():
        raise invalid(f"Only integer is acceptable by '{name}'.", "HTTPBadRequest")
    if text.startswith("-"):
        message = f"Value '{text}' is invalid for '{name}' which only accepts non-negative integer."
        raise invalid(message, "HTTPBadRequest")
    return int(text)


def defaults_of(template: Template) -> dict[str, Any]:
    """A validation does without values: what has no default is taken as empty of its type."""
    empty = {"json": {}, "number": 0, "boolean": False}
    return {
        name: empty.get(schema.get("type", ""), "")
        for name, schema in template.parameters.items()
        if "default" not in schema
    }
