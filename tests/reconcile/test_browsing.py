"""The catalog service: what is read when, who is woken, and what is promised until the cloud's numbers have it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stoker.api.errors import ErrorCode
from stoker.core.catalog import Limit, Part
from stoker.core.faults import Fault
from stoker.openstack.base import CloudError
from stoker.reconcile import browsing
from stoker.reconcile.browsing import Browser, Promises

DOWN = Fault(ErrorCode.CLOUD_UNAVAILABLE, "list flavors: HTTP 503")


class Desk:
    """Answers each read, and counts them; a part that is down cannot be read."""

    def __init__(self) -> None:
        self.read: list[Part] = []
        self.down: set[Part] = set()
        self.woken: list[str] = []
        self.at_once = self.most = 0

    async def __call__(self, name: str, _function: Callable[[Any], Any]) -> Any:
        part = Part(name.removeprefix("catalog-"))
        self.read.append(part)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if part in self.down:
            raise CloudError(DOWN)
        return {"instances": Limit(1, 0)} if part is Part.COMPUTE_LIMITS else {}


@asynccontextmanager
async def browsed(desk: Desk) -> AsyncIterator[Browser]:
    """Run a browser until its first reads are done."""
    browser = Browser("team", desk, desk.woken.append)
    browser.renew("project")
    task = asyncio.create_task(browser.browse_for_ever())
    await reached(lambda: browser.catalog is not None and len(browser.catalog.read) == len(Part))
    yield browser
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def reached(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110 -- what is waited for has no event
            await asyncio.sleep(0.01)


async def test_everything_is_read_once_at_connect_and_few_at_a_time() -> None:
    desk = Desk()
    async with browsed(desk) as browser:
        assert sorted(desk.read) == sorted(Part)
        assert desk.most == browsing.AT_ONCE
        assert all(browser.catalog and browser.catalog.knows(part) for part in Part)


async def test_what_cannot_be_read_is_not_known_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.down = {Part.FLAVORS}
    async with browsed(desk) as browser:
        assert browser.catalog is not None
        assert [part for part in Part if not browser.catalog.knows(part)] == [Part.FLAVORS]
    assert [record.message for record in caplog.records].count("a part of the catalog is not known") == 1


async def test_what_a_vm_asks_for_is_read_at_its_pace_and_wakes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsing, "PACE", 0.0)
    desk = Desk()
    async with browsed(desk) as browser:
        desk.read.clear()
        browser.want({Part.IMAGES}, "vm-1")
        browser.want({Part.IMAGES}, "vm-2")
        await reached(lambda: len(desk.woken) == 2)
        assert desk.read == [Part.IMAGES]
        assert sorted(desk.woken) == ["vm-1", "vm-2"]


async def test_nobody_has_a_part_read_again_within_its_pace() -> None:
    desk = Desk()
    async with browsed(desk) as browser:
        desk.read.clear()
        for _ in range(100):
            browser.want(set(Part), "vm-1")
            await asyncio.sleep(0)
        assert desk.read == []


async def test_a_new_connection_has_everything_read_anew() -> None:
    desk = Desk()
    desk.down = {Part.FLAVORS}
    async with browsed(desk) as browser:
        desk.down, desk.read = set(), []
        browser.renew("project")
        assert browser.catalog is not None
        assert not browser.tried(Part.FLAVORS), "a failure with the old credentials says nothing of the new"
        await reached(lambda: sorted(desk.read) == sorted(Part))
        await reached(lambda: bool(browser.catalog and browser.catalog.knows(Part.FLAVORS)))
        browser.renew("another")
        assert browser.catalog is None


def test_what_is_promised_counts_for_the_others_until_it_is_old() -> None:
    promises = Promises()
    promises.make("a", {"cores": 2}, now=1.0)
    promises.make("b", {"cores": 4, "instances": 1}, now=2.0)
    assert promises.besides("a") == {"cores": 4, "instances": 1}
    assert promises.besides("c") == {"cores": 6, "instances": 1}
    promises.make("a", {"cores": 3}, now=3.0)
    assert promises.besides("c") == {"cores": 7, "instances": 1}
    promises.forget(before=3.0)
    assert promises.besides("c") == {"cores": 3, "instances": 0}
