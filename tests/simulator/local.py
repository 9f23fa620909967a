"""The simulator in a thread of a test, on a free port, with a handle to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from aiohttp import web

from simulator.control import Control
from simulator.server import application

Answer = TypeVar("Answer")
GRACE = 0.1
"""How long what is under way may go on at the end, seconds: a fault may hold it for ever."""


class Simulator:
    """A context manager; inside it, `url` is where it listens and `do` how it is controlled.

    `do(Control.method, …)` runs in the server's thread and returns what the method returns, so no lock is needed.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host, self._port = host, port
        self.outer: list[Any] = []
        """aiohttp middlewares that every request passes first; for who starts it."""

        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)
        self._stop = asyncio.Event()
        self._error: BaseException | None = None
        self.control = Control()
        """Only for `do`."""

        self.url = ""

    @property
    def auth_url(self) -> str:
        """Keystone's address."""
        return f"{self.url}/identity/v3"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def do(self, act: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """Call a method of `Control` in the server's thread."""

        async def run() -> Answer:
            return act(self.control, *args, **kwargs)

        return self.run(run())

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Run a coroutine in the server's thread, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def project(self, name: str, **quota: int) -> dict[str, str]:
        """Make a project; return what its client needs."""
        found: dict[str, str] = self.do(Control.add_project, name, quota)
        return found

    def fail(self, kind: str, method: str = "", path: str = "", **more: Any) -> int:
        """Plan a fault; return its number."""
        return self.do(Control.fail, kind=kind, method=method, path=path, **more)

    def count(self, kind: str = "", client: str = "") -> int:
        """Return how many calls there were."""
        return self.do(Control.count, kind, client)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 -- told to the thread that waits
            self._error = error
        finally:
            self._started.set()
            self._loop.close()

    async def _serve(self) -> None:
        runner = await start(self.control, self._host, self._port, *self.outer)
        self.url = f"http://{self._host}:{runner.addresses[0][1]}"
        self._started.set()
        await self._stop.wait()
        self.control.heal()
        await runner.cleanup()
        await _cancel_rest()


async def start(control: Control, host: str, port: int, *outer: Any) -> web.AppRunner:
    """Listen; the port is in the runner's addresses when 0 was asked for. `outer` are middlewares."""
    runner = web.AppRunner(application(control, *outer), shutdown_timeout=GRACE, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


async def _cancel_rest() -> None:
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
