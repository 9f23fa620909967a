"""The population: one list for all who wait for it, and no second copy of what is cached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from stoker.core.identity import ID_ANNOTATION
from stoker.kube.client import Access, KubeClient, KubeError, open_session
from stoker.reconcile.memory import VmCache
from stoker.reconcile.population import Populations
from support.kube_store import KubeStore, refusal

ROUNDS = 50
"""Turns of the event loop in which whoever could ask has asked."""


def vm(name: str, version: int = 1, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team-a", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": {**metadata, **more}, "status": {"id": f"id-{name}", "stack": {"id": f"stack-{name}"}}}


class Slow(KubeStore):
    """An API server that lists two pages, each when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[dict[str, Any] | int] = []
        self.lists, self.listed, self.go = 0, asyncio.Event(), asyncio.Event()
        self.go.set()

    async def _serve(self, request: web.Request) -> web.Response:
        second = bool(request.query.get("continue"))
        self.lists += not second
        self.listed.set()
        await self.go.wait()
        page = self.pages[second]
        if isinstance(page, int):
            return refusal(page, "Expired")
        return web.json_response(page)


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    async with Slow() as store:
        metadata = {"resourceVersion": "7"}
        edited = vm("b", 5, annotations={ID_ANNOTATION: "restored"}, managedFields=[{}])
        store.pages = [
            {"items": [vm("a"), edited], "metadata": {**metadata, "continue": "more"}},
            {"items": [vm("c")], "metadata": metadata},
        ]
        yield store


@pytest.fixture
async def cache() -> VmCache:
    found = VmCache()
    for name in ("a", "b"):
        found.store(vm(name))
    return found


@pytest.fixture
async def populations(slow: Slow, cache: VmCache) -> AsyncIterator[Populations]:
    async with open_session(Access(slow.url)) as session:
        yield Populations(KubeClient(session, slow.url), cache.objects)


async def test_every_object_counts_and_only_news_are_held(populations: Populations) -> None:
    found = await populations.read()
    assert found.keys == {("team-a", name) for name in "abc"}
    assert found.ids == {"id-a", "uid-a", "id-b", "uid-b", "restored", "id-c", "uid-c"}
    assert found.recorded == {"team-a": {f"id-{name}": f"stack-{name}" for name in "abc"}}
    assert found.held == {"stack-a", "stack-b", "stack-c"}
    assert [(raw["metadata"]["name"], "managedFields" in raw["metadata"]) for raw in found.news] == [
        ("b", False),
        ("c", False),
    ]
    assert found.version == 7


async def test_another_object_of_the_same_name_and_version_is_news(populations: Populations, cache: VmCache) -> None:
    cache.objects["team-a", "a"]["metadata"]["uid"] = "another"
    assert "uid-a" in (found := await populations.read()).ids
    assert [raw["metadata"]["name"] for raw in found.news] == ["a", "b", "c"]


async def test_who_asks_while_a_list_is_under_way_shares_the_next(populations: Populations, slow: Slow) -> None:
    slow.go.clear()
    first = asyncio.create_task(populations.read())
    await slow.listed.wait()
    others = [asyncio.create_task(populations.read()) for _ in range(5)]
    for _ in range(ROUNDS):
        await asyncio.sleep(0)
    slow.go.set()
    found = await asyncio.gather(first, *others)
    assert slow.lists == 2
    assert found[0] is not found[1], "a list that began before one asked proves nothing to him"
    assert all(one is found[1] for one in found[1:])
    await populations.read()
    assert slow.lists == 3


@pytest.mark.parametrize("half", [0, 1], ids=["the first page", "the second page"])
async def test_half_a_list_is_none(populations: Populations, slow: Slow, half: int) -> None:
    whole, slow.pages[half] = slow.pages[half], 410
    with pytest.raises(KubeError):
        await populations.read()
    slow.pages[half] = whole
    assert len((await populations.read()).keys) == 3
