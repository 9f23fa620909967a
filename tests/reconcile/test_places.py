"""Places: how many calls a cloud has in flight, and whose turn is next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault
from stoker.core.pace import FIRST, InFlight
from stoker.openstack.base import CloudError
from stoker.reconcile.places import Places


class Calls:
    """Calls that last until they are told to end."""

    def __init__(self, limit: float) -> None:
        self.places = Places(InFlight(limit=limit))
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, names: Iterable[str], call: str = "create") -> None:
        """Begin calls; a name's first letter is its tenant."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._call(name, call))
            await asyncio.sleep(0)

    async def _call(self, name: str, call: str) -> None:
        async with self.places.one(name[0], call) as place:
            place.began = asyncio.get_running_loop().time()
            self.begun.append(name)
            await self.ends[name].wait()

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
            await self.tasks[name]
            await asyncio.sleep(0)


async def test_no_more_calls_are_in_flight_than_the_limit_and_tenants_take_turns() -> None:
    calls = Calls(2)
    await calls.begin(["a1", "a2", "a3", "a4", "b1", "b2"])
    assert calls.begun == ["a1", "a2"]
    await calls.end("a1", "a2")
    assert calls.begun[2:] == ["a3", "b1"]
    await calls.end("a3", "b1", "a4", "b2")
    assert calls.begun[4:] == ["a4", "b2"]
    assert calls.places.taken == 0


@pytest.mark.parametrize("call", ["list", "servers", "preflight", "verify", "catalog-flavors"])
async def test_what_all_vms_of_a_tenant_wait_for_needs_no_place(call: str) -> None:
    calls = Calls(2)
    await calls.begin(["a1", "a2"])
    await calls.begin(["a3", "b1"], call)
    assert calls.begun == ["a1", "a2", "a3", "b1"]
    await calls.end("a1", "a2", "a3", "b1")


async def test_a_call_that_is_cancelled_while_it_waits_or_as_its_turn_comes_takes_no_place() -> None:
    calls = Calls(2)
    await calls.begin(["a1", "a2", "a3", "a4", "b1"])
    calls.tasks["a3"].cancel()
    await asyncio.sleep(0)
    calls.ends["a1"].set()
    await asyncio.sleep(0)  # the place is given: to a4, or to b1
    for name in ("a4", "b1"):
        calls.tasks[name].cancel()
    calls.ends["a2"].set()
    await asyncio.gather(*calls.tasks.values(), return_exceptions=True)
    assert calls.places.taken == 0
    await calls.begin(["c1"])
    assert calls.begun[-1] == "c1"
    await calls.end("c1")


async def fail(places: Places, *, sent: bool, outage: bool) -> None:
    async with places.one("a", "create") as place:
        place.began = 1.0 if sent else 0.0
        raise CloudError(Fault(ErrorCode.CLOUD_UNAVAILABLE, "no answer", outage=outage))


@pytest.mark.parametrize(
    ("sent", "outage", "places"),
    [(True, True, FIRST // 2), (True, False, FIRST), (False, True, FIRST)],
    ids=["no answer", "a refusal", "never sent"],
)
async def test_only_a_call_that_found_no_answer_halves_the_places(sent: bool, outage: bool, places: int) -> None:
    found = Places()
    with pytest.raises(CloudError):
        await fail(found, sent=sent, outage=outage)
    assert (found.limit.places, found.taken) == (places, 0)
