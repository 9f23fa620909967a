"""The protocol of a batch: two processes at once, stopped anywhere, never give one place away twice, and lose none."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoker.api.quota import Amounts, Quota
from stoker.api.virtualmachine import VirtualMachine
from stoker.core.quota import Reserved, claimant, verdict
from support.quota_model import FLAVORS, TENANT, Play, Server, Violation, settle

Event = tuple[str, Callable[[Server], None]]


def enrolled(name: str) -> Event:
    return f"{name} is enrolled", lambda s: s.change(
        name, lambda vm: vm["metadata"].update(finalizers=["stoker.dev/stack"])
    )


def deleted(name: str) -> Event:
    stamp = {"deletionTimestamp": "2026-01-01T01:00:00Z"}
    return f"{name} is deleted", lambda s: s.change(name, lambda vm: vm["metadata"].update(stamp))


def gone(name: str) -> Event:
    return f"{name} is gone", lambda s: s.remove(name)


def edited(name: str, flavor: str) -> Event:
    def edit(vm: dict[str, Any]) -> None:
        vm["spec"]["flavor"] = flavor
        vm["metadata"]["generation"] += 1

    return f"{name} is edited to {flavor}", lambda s: s.change(name, edit)


def applied(name: str) -> Event:
    """Its worker has made the stack from the spec, if that was reserved, and gives the rest back."""

    def apply(server: Server) -> None:
        known = VirtualMachine.model_validate(server.vms()[name])
        said = verdict(claimant(known, name, FLAVORS, seen=False), Quota.model_validate(server.quota), None)
        if not isinstance(said, Reserved):
            return
        made = {"stack": {"name": name, "id": name}, "appliedGeneration": known.metadata.generation}
        server.change(name, lambda vm: vm["status"].update(made, reserved=said.once_applied.to_wire()))

    return f"{name} is applied", apply


EVENTS = st.lists(
    st.one_of(
        st.builds(edited, st.sampled_from("abc"), st.sampled_from(["small", "large"])),
        *(st.builds(kind, st.sampled_from("abc")) for kind in (enrolled, deleted, gone, applied, applied)),
    ),
    max_size=8,
)


def server(unguarded: str = "", **quota: int) -> Server:
    made = Server(quota, unguarded)
    for second, name in enumerate("abc"):
        made.add(name, enrolled=name != "a", second=second)
    return made


def assert_at_rest(made: Server) -> None:
    """All places that fit are taken, none is lost, and what is published is true."""
    assert made.pending() == []
    status = made.objects[TENANT]["status"]
    for resource, limit in made.quota.items():
        assert status["used"][resource] == made.reserved(resource) <= limit
    for vm in made.vms().values():
        known = VirtualMachine.model_validate(vm)
        claim = claimant(known, known.metadata.uid, FLAVORS, seen=False)
        held, limits = claim.holds, Quota.model_validate(made.quota)
        if claim.asking and not claim.covered(limits):
            more = {"vms": 0 if held else 1, "vcpus": (claim.asks.vcpus or 0) - ((held.vcpus if held else 0) or 0)}
            assert any(made.reserved(r) + more[r] > limit for r, limit in made.quota.items()), vm
        if claim.applied and held:
            assert held == claim.asks, "an applied VM keeps no more than it takes"


async def played(choices: list[int], events: list[Event], faults: int, unguarded: str = "", **quota: int) -> Server:
    """Play the choices, then let the events happen that are left, and come to rest."""
    made = server(unguarded, **quota)
    play, left = Play(made, faults, list(events)), iter(choices)
    try:
        await play.play(lambda n: None if (choice := next(left, None)) is None else choice % n)
    finally:
        await play.end()
    while play.events:
        play._event()
    made.check()
    await settle(made)
    return made


@settings(max_examples=400, deadline=None)
@given(st.lists(st.integers(0, 59), max_size=60), EVENTS, st.integers(0, 3), st.integers(1, 3), st.integers(1, 4))
async def test_no_order_of_requests_crashes_and_events_gives_a_place_away_twice_or_loses_one(
    choices: list[int], events: list[Event], faults: int, vms: int, vcpus: int
) -> None:
    assert_at_rest(await played(choices, events, faults, vms=vms, vcpus=vcpus))


async def many_orders(events: list[Event], unguarded: str) -> None:
    for seed in range(20_000):
        order = random.Random(seed)
        await played([order.randrange(60) for _ in range(40)], events, 0, unguarded, vms=1)


LATE: dict[str, list[Event]] = {
    "tenant": [enrolled("a")],
    "vm": [deleted("b")],
}
"""What is not guarded, and the events with which that gives one place to two VMs."""


@pytest.mark.parametrize("unguarded", LATE)
async def test_without_a_guard_some_order_gives_one_place_to_two_vms(unguarded: str) -> None:
    with pytest.raises(Violation, match="2 vms are reserved of 1"):
        await many_orders(LATE[unguarded], unguarded)


async def test_every_order_of_two_batches_with_one_crash_anywhere_keeps_the_quota() -> None:
    """Exhaustive: one place, two VMs of which the older one is enrolled at any moment, and one crash at any moment."""
    path: list[list[int]] = []  # of each choice: which, and of how many
    orders, ends = 0, set()
    while True:
        made = Server({"vms": 1})
        made.add("a", enrolled=False, second=0)
        made.add("b", second=1)
        play, depth = Play(made, faults=1, events=[enrolled("a")], batches=1, answered=True), iter(range(10_000))

        def choose(n: int) -> int:
            at = next(depth)  # noqa: B023 -- used up before the next order
            if at == len(path):
                path.append([0, n])
            return path[at][0]

        play.begin("A")  # the two are alike: who is first does not matter
        await play.play(choose)
        await play.end()
        orders += 1
        if (end := str(made.objects)) not in ends:
            ends.add(end)
            await settle(made)
            assert (made.reserved("vms"), made.pending()) == (1, [])
        while path and path[-1][0] == path[-1][1] - 1:
            path.pop()
        if not path:
            break
        path[-1][0] += 1
    assert orders > 1000, orders


async def test_a_batch_takes_two_writes_of_the_tenant_however_many_vms_it_admits() -> None:
    made = Server({"vms": 50})
    for number in range(120):
        made.add(f"vm-{number}")
    before = made.version
    batch = await settle(made)
    assert made.version - before == 50 + 2
    assert (made.reserved("vms"), len(batch.denied)) == (50, 70)
    await settle(made)
    assert made.version - before == 50 + 2, "and none when nothing changed"


async def test_without_a_quota_nothing_is_written() -> None:
    made = server()
    before = made.version
    assert (await settle(made)).limits is None
    assert made.version == before


async def test_a_quota_that_is_taken_away_takes_what_is_used_with_it_and_leaves_the_vms() -> None:
    made = server(vms=2)
    await settle(made)
    del made.objects[TENANT]["spec"]["quota"]
    await settle(made)
    assert "used" not in made.objects[TENANT]["status"]
    assert made.reserved("vms") == 2


async def test_a_batch_that_was_begun_under_a_quota_is_finished_when_that_is_taken_away() -> None:
    made = server(vms=2)
    made.objects[TENANT]["status"]["admission"] = {"sequence": 1, "pending": [{"uid": "uid-b", "reserved": {"vms": 1}}]}
    del made.objects[TENANT]["spec"]["quota"]
    await settle(made)
    assert made.vms()["b"]["status"]["reserved"] == {"vms": 1}
    assert made.pending() == []


async def test_a_vm_of_another_schema_counts_with_what_is_reserved_on_it() -> None:
    made = server(vms=1)
    made.vms()["a"].update(spec={"hovercraft": True}, status={"reserved": {"vms": 1}})
    batch = await settle(made)
    assert set(batch.denied) == {"uid-b", "uid-c"}


async def test_a_reservation_that_was_given_back_is_not_stored_again() -> None:
    """A batch that was left unended must not undo what an applied edit gave back since."""
    made = server(vms=3, vcpus=4)
    taken = Amounts(vms=1, vcpus=2, ram_mib=512, gpus=0, volumes_gib=0, floating_ips=0).to_wire()
    made.objects[TENANT]["status"]["admission"] = {"sequence": 1, "pending": [{"uid": "uid-b", "reserved": taken}]}
    status = {"reserved": {**taken, "vcpus": 1}, "appliedGeneration": 1, "stack": {"name": "b", "id": "b"}}
    made.change("b", lambda vm: vm.update(status=status))
    await settle(made)
    assert made.vms()["b"]["status"]["reserved"]["vcpus"] == 1
