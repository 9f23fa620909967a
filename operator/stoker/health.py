"""What the kubelet asks of this process: whether it is alive (/healthz), and would work if it had to (/readyz).

Both are answered from the first moment on by the loop that does the work, so one that hangs answers neither. A process
that waits for the Lease is ready: waiting is what it is for, and a roll-out goes on once it does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web


class State(StrEnum):
    """What the process is doing."""

    STARTING = "starting"
    STANDBY = "waiting for the lease"
    LEADING = "leading"
    STOPPING = "stopping"


@dataclass
class Health:
    """The state, as the process says it; written by `app.run`."""

    state: State = State.STARTING

    @property
    def ready(self) -> bool:
        return self.state in (State.STANDBY, State.LEADING)


@asynccontextmanager
async def serving(address: str, port: int) -> AsyncIterator[Health]:
    """Answer at the address while the block runs; port 0 answers nowhere.

    Raises OSError when the port is taken.
    """
    health = Health()

    async def alive(_request: web.Request) -> web.Response:
        return web.Response(text=f"{health.state}\n")

    async def ready(_request: web.Request) -> web.Response:
        return web.Response(text=f"{health.state}\n", status=200 if health.ready else 503)

    application = web.Application()
    application.add_routes([web.get("/healthz", alive), web.get("/readyz", ready)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        if port:
            await web.TCPSite(runner, address, port).start()
        yield health
    finally:
        await runner.cleanup()
