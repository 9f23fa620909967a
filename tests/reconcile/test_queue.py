"""The work queue: one worker for each key, nothing lost, nothing twice, and a turn for everybody."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from stoker.reconcile.queue import Key, Priority, WorkQueue

A, B, C = ("one", "a"), ("one", "b"), ("one", "c")
SOON = 0.02
"""Due time of a delayed pass in these tests, seconds."""


async def drained(queue: WorkQueue) -> list[Key]:
    """Return everything that is waiting, in its order, each worked on and done."""
    keys = []
    while queue.depth:
        keys.append(await queue.get())
        queue.done(keys[-1])
    return keys


async def is_idle(queue: WorkQueue) -> bool:
    """Tell whether `get` finds nothing now."""
    waiting = asyncio.ensure_future(queue.get())
    for _ in range(3):
        await asyncio.sleep(0)
    idle = not waiting.done()
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    return idle


async def test_adds_of_one_key_are_one_pass():
    queue = WorkQueue()
    for _ in range(5):
        queue.add(A)
    assert queue.depth == 1
    assert await drained(queue) == [A]
    assert await is_idle(queue)


async def test_keys_come_in_the_order_they_were_added():
    queue = WorkQueue()
    for key in (B, A, C):
        queue.add(key)
    assert await drained(queue) == [B, A, C]


async def test_a_key_has_one_worker_and_runs_once_more_if_added_meanwhile():
    queue = WorkQueue()
    queue.add(A)
    assert await queue.get() == A
    queue.add(A)
    queue.add(A, Priority.RESYNC)
    assert queue.depth == 0
    assert await is_idle(queue)
    queue.done(A)
    assert await drained(queue) == [A]
    assert await is_idle(queue)


async def test_the_second_run_keeps_the_most_urgent_reason():
    queue = WorkQueue()
    queue.add(A)
    await queue.get()
    queue.add(A, Priority.RESYNC)
    queue.add(A, Priority.USER)
    queue.add(A, Priority.LISTING)
    queue.add(B, Priority.LISTING)
    queue.done(A)
    assert await drained(queue) == [A, B]


async def test_a_user_goes_before_a_listing_and_that_before_a_resync():
    queue = WorkQueue()
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.LISTING)
    queue.add(C, Priority.USER)
    assert await drained(queue) == [C, B, A]


async def test_a_more_urgent_add_moves_a_waiting_key_up_and_leaves_no_second_pass():
    queue = WorkQueue()
    queue.add(A, Priority.LISTING)
    queue.add(B, Priority.RESYNC)
    queue.add(B, Priority.USER)
    queue.add(B, Priority.RESYNC)
    assert queue.depth == 2
    assert await drained(queue) == [B, A]
    assert await is_idle(queue)


async def test_tenants_take_turns():
    queue = WorkQueue()
    burst = [("big", str(number)) for number in range(4)]
    for key in burst:
        queue.add(key)
    queue.add(("small", "x"))
    queue.add(("other", "y"))
    assert await drained(queue) == [burst[0], ("small", "x"), ("other", "y"), *burst[1:]]


async def test_namespaces_of_one_tenant_share_its_turn():
    queue = WorkQueue(lambda namespace: "another" if namespace == "four" else "tenant")
    for key in (A, ("two", "b"), ("three", "c"), ("four", "d")):
        queue.add(key)
    assert await drained(queue) == [A, ("four", "d"), ("two", "b"), ("three", "c")]


async def test_get_waits_until_there_is_something():
    queue = WorkQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.add(A)
    assert await asyncio.wait_for(waiting, 5) == A


async def test_every_waiting_worker_gets_a_key_of_its_own():
    queue = WorkQueue()
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for key in (A, B, C):
        queue.add(key)
    assert sorted(await asyncio.wait_for(asyncio.gather(*workers), 5)) == [A, B, C]


async def test_a_delayed_pass_comes_when_it_is_due_and_not_before():
    queue = WorkQueue()
    loop = asyncio.get_running_loop()
    started = loop.time()
    queue.add_after(A, SOON)
    assert queue.depth == 0
    assert await asyncio.wait_for(queue.get(), 5) == A
    assert loop.time() - started >= SOON - loop_resolution()


def loop_resolution() -> float:
    """Return how early a timer may fire, seconds: asyncio rounds to the clock's resolution."""
    import time

    return time.get_clock_info("monotonic").resolution + 1e-3


@pytest.mark.parametrize("delays", [(3600.0, SOON), (SOON, 3600.0)])
async def test_of_two_delays_the_sooner_counts(delays: tuple[float, float]):
    queue = WorkQueue()
    for delay in delays:
        queue.add_after(A, delay)
    assert await asyncio.wait_for(queue.get(), 5) == A
    queue.done(A)
    assert await is_idle(queue)


async def test_an_add_takes_the_place_of_a_delayed_pass():
    queue = WorkQueue()
    queue.add_after(A, SOON)
    queue.add(A)
    assert await drained(queue) == [A]
    queue.add_after(B, 2 * SOON)
    assert await asyncio.wait_for(queue.get(), 5) == B, "A's timer was cancelled"


async def test_a_waiting_key_needs_no_delayed_pass():
    queue = WorkQueue()
    queue.add(A)
    queue.add_after(A, 0)
    queue.add_after(B, SOON)
    assert await drained(queue) == [A]
    assert await asyncio.wait_for(queue.get(), 5) == B
    assert await is_idle(queue)


async def test_a_pass_that_falls_due_during_the_work_runs_after_it():
    queue = WorkQueue()
    queue.add(A)
    await queue.get()
    queue.add_after(A, 0)
    queue.add_after(B, SOON)
    assert await asyncio.wait_for(queue.get(), 5) == B
    assert queue.depth == 0
    queue.done(A)
    assert await drained(queue) == [A]


async def test_a_forgotten_key_has_no_delayed_pass():
    queue = WorkQueue()
    queue.add_after(A, 0)
    queue.forget(A)
    queue.forget(C)
    queue.add_after(B, SOON)
    assert await asyncio.wait_for(queue.get(), 5) == B
    assert await is_idle(queue)


async def test_the_longest_wait_is_known():
    queue = WorkQueue()
    assert queue.oldest_seconds == 0
    queue.add(A, Priority.RESYNC)
    before = queue.oldest_seconds
    queue.add(A, Priority.USER)
    queue.add(B)
    assert queue.oldest_seconds >= before >= 0
    await drained(queue)
    assert queue.oldest_seconds == 0
