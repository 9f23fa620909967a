"""Places: how many calls a tenant has in flight, and who is next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault
from stoker.core.pace import InFlight
from stoker.openstack.base import CloudError
from stoker.reconcile.places import Places


class Calls:
    """Calls that last until they are told to end."""

    def __init__(self, most: int) -> None:
        self.places, self.limit = Places(), InFlight(most)
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, names: Iterable[str], call: str = "create") -> None:
        """Begin calls of those names."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._call(name, call))
            await asyncio.sleep(0)

    async def _call(self, name: str, call: str) -> None:
        async with self.places.one(call, self.limit) as place:
            place.began = asyncio.get_running_loop().time()
            self.begun.append(name)
            await self.ends[name].wait()

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
            await self.tasks[name]
            await asyncio.sleep(0)


async def test_no_more_calls_are_in_flight_than_the_limit_and_the_first_to_wait_is_next() -> None:
    calls = Calls(2)
    await calls.begin("abcd")
    assert calls.begun == ["a", "b"]
    await calls.end("b")
    assert calls.begun == ["a", "b", "c"]
    calls.limit.failed(0.0, 1.0)
    await calls.end("a", "c", "d")
    assert (calls.begun, calls.places.taken) == (["a", "b", "c", "d"], 0)


async def test_a_limit_that_was_halved_holds_for_what_comes_next() -> None:
    calls = Calls(4)
    await calls.begin("abcdef")
    calls.limit.failed(0.0, 1.0)
    await calls.end("a", "b")
    assert calls.begun == ["a", "b", "c", "d"]
    await calls.end("c", "d", "e", "f")


@pytest.mark.parametrize("call", ["list", "servers", "preflight", "verify", "catalog-flavors"])
async def test_what_all_vms_of_a_tenant_wait_for_needs_no_place(call: str) -> None:
    calls = Calls(2)
    await calls.begin("ab")
    await calls.begin("cd", call)
    assert calls.begun == ["a", "b", "c", "d"]
    await calls.end("a", "b", "c", "d")


async def test_a_call_that_is_cancelled_while_it_waits_or_as_its_turn_comes_takes_no_place() -> None:
    calls = Calls(2)
    await calls.begin("abcd")
    calls.tasks["c"].cancel()
    await asyncio.sleep(0)
    calls.ends["a"].set()
    await asyncio.sleep(0)  # the place is given to d
    calls.tasks["d"].cancel()
    calls.ends["b"].set()
    await asyncio.gather(*calls.tasks.values(), return_exceptions=True)
    assert (calls.begun, calls.places.taken) == (["a", "b"], 0)
    await calls.begin("e")
    await calls.end("e")


async def test_all_that_wait_go_on_when_the_tenant_ends() -> None:
    calls = Calls(2)
    await calls.begin("abcd")
    calls.tasks["c"].cancel()
    await asyncio.sleep(0)
    calls.places.let_all()
    await asyncio.sleep(0)
    assert calls.begun == ["a", "b", "d"]
    await calls.end("a", "b", "d")
    assert calls.places.taken == 0


async def fail(places: Places, limit: InFlight, *, sent: bool, outage: bool) -> None:
    async with places.one("create", limit) as place:
        place.began = 1.0 if sent else 0.0
        raise CloudError(Fault(ErrorCode.CLOUD_UNAVAILABLE, "no answer", outage=outage))


@pytest.mark.parametrize(
    ("sent", "outage", "places"),
    [(True, True, 4), (True, False, 8), (False, True, 8)],
    ids=["no answer", "a refusal", "never sent"],
)
async def test_only_a_call_that_found_no_answer_halves_the_places(sent: bool, outage: bool, places: int) -> None:
    found, limit = Places(), InFlight(8)
    with pytest.raises(CloudError):
        await fail(found, limit, sent=sent, outage=outage)
    assert (limit.places, found.taken) == (places, 0)
