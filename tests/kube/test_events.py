"""Events: what is said, and what is no news."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from stoker.core.actions import Nothing
from stoker.core.common import trouble
from stoker.core.decision import Decision, Outlook, Reason
from stoker.core.faults import ErrorCode, Fault
from stoker.kube.client import Access, KubeClient, open_session
from stoker.kube.events import FLAP, REPEAT, Events
from support.build import vm
from support.kube_store import KubeStore

RUNS = Decision(Nothing(), Reason.ACTIVE, "The VM is as its spec asks.", Outlook.SETTLED)
STOPS = Decision(Nothing(), Reason.STOPPING, "Asking Nova to stop the server.")
CLAIMS = Decision(Nothing(), Reason.CLAIMING, "Storing the create operation.")
FULL = trouble(Fault(ErrorCode.NO_VALID_HOST, "no host"))


@dataclass
class Speaking:
    """Events with a clock to turn."""

    events: Events
    store: KubeStore
    now: float = 1000.0

    async def say(self, *decisions: Decision, after: float = 1.0) -> list[str]:
        """Tell of decisions, so many seconds apart; return the reasons of the events that this made."""
        before = len(self.store.objects)
        for decision in decisions:
            self.now += after
            await self.events.tell(vm(), decision)
        return [event["reason"] for event in list(self.store.objects.values())[before:]]


@pytest.fixture
async def speaking() -> AsyncIterator[Speaking]:
    async with KubeStore() as store, open_session(Access(store.url)) as session:
        made = Speaking(Events(KubeClient(session, store.url), "replica-1", clock=lambda: made.now), store)
        yield made


async def test_what_a_person_would_want_is_said_of_the_object_with_who_says_it(speaking: Speaking) -> None:
    assert await speaking.say(CLAIMS, RUNS, FULL) == ["Active", "NoValidHost"]
    active, full = speaking.store.objects.values()
    assert (active["type"], full["type"]) == ("Normal", "Warning")
    assert active["involvedObject"]["uid"] == vm().metadata.uid
    assert active["reportingInstance"] == "replica-1"


async def test_what_goes_on_is_said_once_an_hour(speaking: Speaking) -> None:
    assert await speaking.say(RUNS, RUNS, after=REPEAT - 1) == ["Active"]
    assert await speaking.say(RUNS) == ["Active"]


async def test_what_happens_again_after_something_else_is_said_again(speaking: Speaking) -> None:
    assert await speaking.say(RUNS, STOPS, RUNS, STOPS, after=FLAP) == ["Active", "Stopping", "Active", "Stopping"]


async def test_what_goes_back_and_forth_is_said_once_a_minute(speaking: Speaking) -> None:
    assert await speaking.say(*[RUNS, FULL] * 10, after=1.0) == ["Active", "NoValidHost"]


async def test_an_event_that_is_refused_fails_nothing(speaking: Speaking) -> None:
    speaking.store.refuse_next("POST", 403, "Forbidden")
    assert await speaking.say(RUNS) == []
