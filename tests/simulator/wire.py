"""What a fault does to one request and to its answer on the wire. `faults.KINDS` says it in words.

A handler that goes on while its client is gone is what makes a lost answer and a zombie: the work is done all the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from simulator.api import service_of
from simulator.errors import RefusedError, body_of, page_of_html
from simulator.faults import Planned
from simulator.heat import OUTCOME, RACE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FAULT: web.RequestKey[str] = web.RequestKey("fault", str)
"""The kind of the fault that the request meets."""

HUGE = 64 * 1024 * 1024
CHUNK = 1024 * 1024
_zombies: set[asyncio.Task[web.StreamResponse]] = set()
"""Kept, since the loop itself holds its tasks weakly only."""


async def lost_request(_planned: Planned, request: web.Request, _handler: Handler) -> web.StreamResponse:
    return _hang_up(request)


async def lost_answer(_planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    await handler(request)
    return _hang_up(request)


async def late_answer(planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    answer = await handler(request)
    await planned.wait()
    return answer


async def late_request(planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    await planned.wait()
    return await handler(request)


async def zombie(planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    async def land() -> web.StreamResponse:
        await planned.wait()
        return await handler(request)

    await request.read()  # aiohttp keeps it; what is still on the wire goes with the connection
    task = asyncio.create_task(land())
    _zombies.add(task)
    task.add_done_callback(_zombies.discard)
    return _hang_up(request)


async def status(planned: Planned, request: web.Request, _handler: Handler) -> web.StreamResponse:
    fault = planned.fault
    worded = body_of(service_of(request.path), RefusedError(fault.status, fault.type, fault.message))
    return _answer(fault.status, worded if fault.body is None else fault.body, fault.headers)


async def status_after(planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    await handler(request)
    return await status(planned, request, handler)


async def html(planned: Planned, _request: web.Request, _handler: Handler) -> web.StreamResponse:
    fault = planned.fault
    text = page_of_html(fault.status, "proxy")
    return web.Response(status=fault.status, text=text, content_type="text/html", headers=fault.headers)


async def cut(_planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    answer, content = await _done(request, handler)
    begun = await _begin(request, answer, len(content) + 1)
    await begun.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return begun


async def huge(_planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    answer, _ = await _done(request, handler)
    begun = await _begin(request, answer, HUGE)
    with suppress(ConnectionError):  # the client has had enough
        for _ in range(HUGE // CHUNK):
            await begun.write(b" " * CHUNK)
    return begun


async def slow(planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Without seconds, the rest comes on release."""
    answer, content = await _done(request, handler)
    begun = await _begin(request, answer, len(content))
    with suppress(ConnectionError):
        for at in range(len(content)):
            await begun.write(content[at : at + 1])
            if not planned.released.is_set():
                await planned.wait()
    return begun


async def wrong(planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    answer = await handler(request)
    body = planned.fault.body
    return _answer(answer.status, ["what is this?"] if body is None else body, planned.fault.headers)


async def half_page(_planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    """No client can tell it from a whole one, which is what makes it worth a test."""
    answer, content = await _done(request, handler)
    found = json.loads(content)
    halved = {key: value[: len(value) // 2] if isinstance(value, list) else value for key, value in found.items()}
    return _answer(answer.status, halved, {})


async def name_race(_planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    request[RACE] = True
    return await handler(request)


async def action(planned: Planned, request: web.Request, handler: Handler) -> web.StreamResponse:
    request[OUTCOME] = planned.fault.outcome
    return await handler(request)


DELIVER: dict[str, Callable[[Planned, web.Request, Handler], Awaitable[web.StreamResponse]]] = {
    "lost-request": lost_request,
    "lost-answer": lost_answer,
    "late-answer": late_answer,
    "late-request": late_request,
    "zombie": zombie,
    "status": status,
    "status-after": status_after,
    "html": html,
    "cut": cut,
    "huge": huge,
    "slow": slow,
    "wrong": wrong,
    "half-page": half_page,
    "name-race": name_race,
    "fails": action,
    "times-out": action,
    "slow-action": action,
    "engine-dies": action,
}


def _answer(code: int, body: Any, headers: dict[str, str]) -> web.Response:
    text = body if isinstance(body, str) else json.dumps(body)
    return web.Response(status=code, text=text, content_type="application/json", headers=headers)


def _hang_up(request: web.Request) -> web.Response:
    """Cut the connection; what is returned is written to nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _done(request: web.Request, handler: Handler) -> tuple[web.Response, bytes]:
    answer = await handler(request)
    assert isinstance(answer, web.Response)
    content = answer.body
    return answer, content if isinstance(content, bytes) else b""


async def _begin(request: web.Request, answer: web.Response, length: int) -> web.StreamResponse:
    """Send the head of an answer that has so many bytes."""
    begun = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    begun.content_length = length
    await begun.prepare(request)
    return begun
