"""What a request about a stack brings: its body's size, tags, minutes."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from simulator.api import body_of
from simulator.errors import invalid
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
        raise invalid(f'Invalid tags, not a comma-delimited string: "{json.dumps(given)}"', "HTTPBadRequest")
    tags = tuple(tag.strip() for tag in given.split(",")) if given else ()
    for tag in tags:
        if len(tag) > LONGEST_TAG:
            raise invalid(f'Invalid tag, "{tag}" is longer than {LONGEST_TAG} characters', "HTTPBadRequest")
    return tags


def minutes_of(given: Any, default: int | None) -> int | None:
    if given is None:
        return default
    if not str(given).isdecimal():
        raise invalid(f"Only integer is allowed for timeout_mins: {given}", "HTTPBadRequest")
    return int(given)


def defaults_of(template: Template) -> dict[str, Any]:
    """A validation does without values: what has no default is taken as empty of its type."""
    empty = {"json": {}, "number": 0, "boolean": False}
    return {
        name: empty.get(schema.get("type", ""), "")
        for name, schema in template.parameters.items()
        if "default" not in schema
    }
