"""The probes: answered from the first moment on, by leaders and by those that wait."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from stoker.health import Health, State, serving


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def health(port: int) -> AsyncIterator[Health]:
    async with serving("127.0.0.1", port) as health:
        yield health


async def answer(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, (await response.text()).strip()


@pytest.mark.parametrize(
    ("state", "ready"),
    [(State.STARTING, 503), (State.STANDBY, 200), (State.LEADING, 200), (State.STOPPING, 503)],
)
async def test_who_leads_or_waits_is_ready_and_everybody_is_alive(
    port: int, health: Health, state: State, ready: int
) -> None:
    health.state = state
    assert await answer(port, "/readyz") == (ready, state)
    assert await answer(port, "/healthz") == (200, state)
    assert (await answer(port, "/metrics"))[0] == 404


async def test_a_process_begins_as_not_ready_and_a_taken_port_is_an_error(port: int, health: Health) -> None:
    assert await answer(port, "/readyz") == (503, "starting")
    with pytest.raises(OSError, match="address already in use"):
        async with serving("127.0.0.1", port):
            pass


async def test_without_a_port_nothing_listens() -> None:
    async with serving("127.0.0.1", 0) as health:
        assert not health.ready
