"""The requests of power and repairs, and the listing of servers: what is sent, what is remembered, who is woken."""

from __future__ import annotations

import time

import pytest

from reconcile.test_effects import DEAD, FULL, REQUEST, STACK, Acting, acting, tenant  # noqa: F401 -- the fixture
from stoker.core.actions import ConvergeStack, LookAtResources, MarkUnhealthy, PowerServer, ReadEvents
from stoker.core.server import PowerAction, ServerLook, Servers
from stoker.core.stack import Outputs, StackEvents, Unknown
from stoker.core.world import Accepted, Lost
from stoker.openstack.base import CloudError
from stoker.reconcile.server_watch import STALE
from support.build import CREATE, UID, stack
from support.canned import Canned

SERVERS, ACT = "/compute/v2.1/servers/detail", "/compute/v2.1/servers/id-1/action"
STOPPING = PowerServer(CREATE, 1, "s1", "id-1", PowerAction.STOP)
LISTED = {"servers": [{"id": "id-1", "name": "web-1", "status": "ACTIVE", "OS-EXT-STS:power_state": 1}]}
HALTED = {"servers": [{**LISTED["servers"][0], "status": "SHUTOFF"}]}
NONE: dict[str, list[object]] = {"servers": []}


RESOURCES = Canned(200, {"resources": [{
    "resource_name": "server", "resource_type": "OS::Nova::Server", "resource_status": "CREATE_COMPLETE",
    "physical_resource_id": "id-1"}]})  # fmt: skip
SERVER = {
    "there": (Canned(200, {"server": LISTED["servers"][0]}), False),
    "in a cell that is down": (Canned(200, {"server": {"id": "id-1", "status": "UNKNOWN"}}), False),
    "gone": (Canned(404, {"itemNotFound": {"code": 404, "message": "Instance id-1 could not be found."}}), True),
    "in the bin": (Canned(200, {"server": {"id": "id-1", "status": "SOFT_DELETED"}}), True),
}


async def test_a_stop_is_sent_once_recorded_and_its_answer_remembered(acting: Acting) -> None:  # noqa: F811
    acting.cloud.on("POST", ACT, Canned(202, None, REQUEST))
    await acting.do(STOPPING)
    (sent,) = acting.cloud.seen("POST", ACT)
    assert sent.body == {"os-stop": None}
    assert acting.memory.held is not None
    assert acting.memory.held.answer == Accepted("s1")
    assert acting.told() == [
        ("Intent", "PowerServer", None, None, "s1", None),
        ("Outcome", "PowerServer", "Accepted", None, "s1", "req-1"),
    ]


async def test_a_stop_whose_answer_is_lost_is_not_repeated_here(acting: Acting) -> None:  # noqa: F811
    acting.cloud.on("POST", ACT, DEAD)
    await acting.do(STOPPING)
    assert acting.memory.held is not None
    assert isinstance(acting.memory.held.answer, Lost)
    assert len(acting.cloud.seen("POST", ACT)) == 1


async def test_the_resources_of_a_stack_are_looked_at(acting: Acting) -> None:  # noqa: F811
    acting.cloud.on("GET", f"{STACK}/resources", RESOURCES)
    for answer, gone in SERVER.values():
        acting.cloud.on("GET", "/compute/v2.1/servers/id-1", answer)
        await acting.do(LookAtResources("s1"))
        assert acting.memory.resources is not None
        (found,) = acting.memory.resources.resources
        assert (found.name, found.physical_id, found.gone) == ("server", "id-1", gone)
    assert acting.told() == []


async def test_a_server_that_cannot_be_looked_at_is_not_gone(acting: Acting) -> None:  # noqa: F811
    acting.cloud.on("GET", f"{STACK}/resources", RESOURCES)
    for answer in (Canned(404, b"<html>nobody here"), Canned(404, {"error": {"message": "no route"}}), Canned(503)):
        acting.cloud.on("GET", "/compute/v2.1/servers/id-1", answer)
        with pytest.raises(CloudError):
            await acting.do(LookAtResources("s1"))
    assert acting.memory.resources is None


EVENTS = {"events": [{
    "id": "e1", "event_time": "2026-11-25T10:00:00Z", "resource_name": "server", "resource_status": "CREATE_FAILED",
    "resource_status_reason": "no disk"}]}  # fmt: skip


async def test_what_heat_did_is_read_and_a_refusal_holds_up_nothing(acting: Acting) -> None:  # noqa: F811
    broken = stack("CREATE_FAILED")
    acting.cloud.on("GET", f"{STACK}/events", Canned(200, EVENTS), Canned(503), Canned(403))
    await acting.do(ReadEvents(broken))
    assert acting.memory.events is not None
    (event,) = acting.memory.events.events
    assert (acting.memory.events.stack, event.resource, event.status, event.reason) == (
        broken, "server", "CREATE_FAILED", "no disk",
    )  # fmt: skip
    read = acting.memory.events
    with pytest.raises(CloudError):
        await acting.do(ReadEvents(broken))
    assert acting.memory.events is read
    await acting.do(ReadEvents(broken))
    assert acting.memory.events == StackEvents(broken, ())
    assert acting.told() == []


async def test_a_mark_is_recorded_and_counts_as_an_effect_also_when_it_is_refused(acting: Acting) -> None:  # noqa: F811
    acting.cloud.on("PATCH", f"{STACK}/resources/server", Canned(200, b"null", REQUEST), FULL)
    mark = MarkUnhealthy(f"vm-{UID}", "s1", "server")
    await acting.do(mark)
    first = acting.memory.last_effect
    with pytest.raises(CloudError):
        await acting.do(mark)
    assert acting.memory.last_effect > first > 0
    assert acting.memory.effects == 0
    assert [told[2] for told in acting.told()] == [None, "Accepted", None, "Refused"]


async def test_a_stack_that_is_taken_up_may_have_another_server(acting: Acting) -> None:  # noqa: F811
    acting.cloud.on("PATCH", STACK, Canned(202, b"<html>", REQUEST))
    acting.memory.outputs = ("s1", Outputs("id-1"))
    await acting.do(ConvergeStack(CREATE, 1, f"vm-{UID}", "s1", ("a", "b=1")))
    (sent,) = acting.cloud.seen("PATCH", STACK)
    assert sent.body == {"tags": "a,b=1", "timeout_mins": 60}
    assert acting.memory.outputs is None


# ---- the listing


async def test_a_listing_wakes_whose_server_changed_or_is_not_there(acting: Acting) -> None:  # noqa: F811
    woken: list[str] = []
    acting.runtime.wake = woken.append
    watch = acting.runtime.watch
    acting.cloud.on("GET", SERVERS, *(Canned(200, body) for body in (LISTED, LISTED, HALTED, NONE, NONE)))
    assert watch.view("id-1", "vm-1", "Running") is None
    for expected in (["vm-1"], [], ["vm-1"], ["vm-1"], ["vm-1"]):
        woken.clear()
        await watch.list()
        assert woken == expected
    seen = watch.view("id-1", "vm-1", "Running")
    assert isinstance(seen, ServerLook)
    assert seen.server is None

    watch.forget("vm-1")
    woken.clear()
    await watch.list()
    assert woken == []
    watch.await_look("vm-2", awaited=True)
    await watch.list()
    assert woken == ["vm-2"]
    watch.await_look("vm-2", awaited=False)
    assert watch.awaited == set()


@pytest.mark.parametrize("said", [None, "Stopped"])
async def test_a_listing_wakes_whose_status_says_another_power_state(acting: Acting, said: str | None) -> None:  # noqa: F811
    """What a process that died did not write, and what was seen before the server's id was known, is not left so."""
    woken: list[str] = []
    acting.runtime.wake, watch = woken.append, acting.runtime.watch
    acting.cloud.on("GET", SERVERS, *(Canned(200, LISTED) for _ in range(3)))
    await watch.list()
    watch.view("id-1", "vm-1", said)
    await watch.list()
    assert woken == ["vm-1"]

    watch.view("id-1", "vm-1", "Running")
    await watch.list()
    assert woken == ["vm-1"]


async def test_a_failed_listing_keeps_the_last_one_until_it_is_stale(acting: Acting) -> None:  # noqa: F811
    watch = acting.runtime.watch
    acting.cloud.on("GET", SERVERS, Canned(503), Canned(200, LISTED), Canned(503))
    await watch.list()
    assert isinstance(watch.view("id-1", "vm-1", "Running"), Unknown)
    await watch.list()
    await watch.list()
    seen = watch.view("id-1", "vm-1", "Running")
    assert isinstance(seen, ServerLook)
    assert acting.runtime.servers is not None
    watch.servers = Servers(time.monotonic() - STALE, acting.runtime.servers.by_id)
    stale = watch.view("id-1", "vm-1", "Running")
    assert isinstance(stale, Unknown)
