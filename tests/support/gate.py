"""A gate before the API server and the simulator: it numbers what the operator changes for each VM, and stops it there.

Every call passes it on the way in and its answer on the way out. So an operator that is killed while the gate holds a
call died exactly before that call, or exactly after it: the gate says which, and no clock has a part in it.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Whose = Callable[[web.Request], Awaitable[tuple[str, str] | None]]
"""Whose call it is and what it does (`POST stacks`); None for one that changes nothing of a VM."""

HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True)
class Point:
    """Where an operator is to die in a VM's life: at the call of that kind and number, before or after it is done."""

    call: str
    number: int
    """From 1, among the VM's calls of that kind since it was watched."""

    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.call} {self.number}"


@dataclass
class Watched:
    """What the gate has seen for one VM."""

    point: Point | None = None
    asked: list[str] = field(default_factory=list)
    """What came to the gate, in order."""

    done: list[str] = field(default_factory=list)
    """What was let through and answered with success."""

    held: bool = False


class Gate:
    """Used in the thread of the simulator, whose `middleware` it is, as it is the proxy's."""

    def __init__(self) -> None:
        self.watched: dict[str, Watched] = {}
        self._over, self._goes_on = asyncio.Event(), False

    def watch(self, vm: str, point: Point | None = None) -> None:
        """Number the VM's calls from now on, and hold the one at the point."""
        self.watched[vm] = Watched(point)

    def drop(self) -> None:
        """Hang up on what is held: whoever sent it is dead."""
        self._end(goes_on=False)

    def let(self) -> None:
        """Let what is held go on, as if nothing had been."""
        self._end(goes_on=True)

    def _end(self, *, goes_on: bool) -> None:
        self._goes_on = goes_on
        self._over.set()
        self._over = asyncio.Event()
        for seen in self.watched.values():
            seen.point = None

    def middleware(self, whose: Whose) -> Any:
        """Return the middleware for a service whose calls `whose` tells apart."""

        @web.middleware
        async def gated(request: web.Request, handler: Handler) -> web.StreamResponse:
            found = await whose(request) if request.method != "GET" else None
            seen = self.watched.get(found[0]) if found else None
            if found is None or seen is None:
                return await handler(request)
            return await self._pass(seen, found[1], request, handler)

        return gated

    async def _pass(self, seen: Watched, call: str, request: web.Request, handler: Handler) -> web.StreamResponse:
        seen.asked.append(call)
        point = seen.point
        here = point is not None and (point.call, point.number) == (call, seen.asked.count(call))
        if here and point is not None and not point.after and (hung_up := await self._hold(seen, request)):
            return hung_up
        answer = await handler(request)
        if answer.status < 300:
            seen.done.append(call)
        if here and point is not None and point.after and (hung_up := await self._hold(seen, request)):
            return hung_up
        return answer

    async def _hold(self, seen: Watched, request: web.Request) -> web.StreamResponse | None:
        """Wait until that is over; return an answer for nobody unless it goes on."""
        seen.held = True
        try:
            await self._over.wait()
        finally:
            seen.held = False
        if self._goes_on:
            return None
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)  # written to nobody


class ApiServerProxy:
    """The real API server behind the gate, on a free port, for whoever uses its kubeconfig."""

    def __init__(self, kubeconfig: Path, middleware: Any) -> None:
        self._config = yaml.safe_load(kubeconfig.read_text())
        cluster = self._config["clusters"][0]["cluster"]
        self._server = cluster["server"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=ca)
        self._app = web.Application(client_max_size=16 * 1024 * 1024, middlewares=[middleware])
        self._app.router.add_route("*", "/{path:.*}", self._forward)

    async def open(self) -> None:
        """Listen."""
        self._session = aiohttp.ClientSession(
            auto_decompress=False, trust_env=False,
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=0), timeout=aiohttp.ClientTimeout(total=None),
        )  # fmt: skip
        self._runner = web.AppRunner(self._app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    def kubeconfig(self) -> str:
        """Return a kubeconfig with the same user that leads here."""
        server = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        clusters = [{**self._config["clusters"][0], "cluster": {"server": server}}]
        return yaml.safe_dump({**self._config, "clusters": clusters})

    async def close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, and its answer back as it comes: a watch never ends."""
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with self._session.request(
            request.method, f"{self._server}{request.raw_path}",
            data=await request.read() or None, headers=headers, allow_redirects=False,
        ) as upstream:  # fmt: skip
            kept = {name: value for name, value in upstream.headers.items() if name.lower() not in HOP_BY_HOP}
            if "watch" not in request.query:
                return web.Response(status=upstream.status, headers=kept, body=await upstream.read())
            answer = web.StreamResponse(status=upstream.status, headers=kept)
            await answer.prepare(request)
            async for part in upstream.content.iter_any():
                await answer.write(part)
            return answer
