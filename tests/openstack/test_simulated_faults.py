"""Each fault of a request, as the adapter sees it: what it is called, whether it may still land, what it left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.control import Control
from simulator.faults import KINDS
from stoker.api.errors import ErrorCode
from stoker.openstack.base import CloudError
from stoker.openstack.client import ProjectClient
from support.cluster import wait_until
from support.simulated import World
from support.stacks import create, fault_of, settled

STACKS = "/stacks$"
C = ErrorCode

SHORT = 1.0
"""A deadline that is meant to pass, seconds."""

# What a create meets: (fault, code, definite, is the stack there)
CREATES: dict[str, tuple[dict[str, Any], ErrorCode, bool, bool]] = {
    "a request lost": ({"kind": "lost-request"}, C.CLOUD_UNAVAILABLE, False, False),
    "an answer lost": ({"kind": "lost-answer"}, C.CLOUD_UNAVAILABLE, False, True),
    "401 twice": ({"kind": "status", "status": 401, "times": 2}, C.UNAUTHORIZED, True, False),
    "403": ({"kind": "status", "status": 403, "message": "no"}, C.FORBIDDEN, True, False),
    "403 without a word": ({"kind": "status", "status": 403}, C.CREDENTIAL_CANNOT_CREATE_TRUSTS, True, False),
    "404": ({"kind": "status", "status": 404, "message": "no"}, C.NOT_FOUND, True, False),
    "409": ({"kind": "status", "status": 409, "type": "ActionInProgress"}, C.CONFLICT, True, False),
    "429": ({"kind": "status", "status": 429}, C.RATE_LIMITED, True, False),
    "500": ({"kind": "status", "status": 500}, C.CLOUD_UNAVAILABLE, False, False),
    "500 after all": ({"kind": "status-after", "status": 500}, C.CLOUD_UNAVAILABLE, False, True),
    "502 with a page": ({"kind": "html", "status": 502}, C.CLOUD_UNAVAILABLE, False, False),
    "503": ({"kind": "status", "status": 503}, C.CLOUD_UNAVAILABLE, False, False),
    "500 of a credential with access rules": (
        {"kind": "status", "status": 500, "type": "Unauthorized"},
        C.CREDENTIAL_CANNOT_CREATE_TRUSTS,
        True,
        False,
    ),
    "a body cut": ({"kind": "cut"}, C.CLOUD_UNAVAILABLE, False, True),
    "a huge body": ({"kind": "huge"}, C.CLOUD_UNAVAILABLE, False, True),
    "a wrong body": ({"kind": "wrong"}, C.CLOUD_UNAVAILABLE, False, True),
    "a body without an id": ({"kind": "wrong", "body": {"stack": {}}}, C.CLOUD_UNAVAILABLE, False, True),
}


@pytest.mark.parametrize(("fault", "code", "definite", "there"), CREATES.values(), ids=CREATES)
def test_what_a_create_meets(
    world: World, cloud: ProjectClient, fault: dict[str, Any], code: ErrorCode, definite: bool, there: bool
) -> None:
    world.simulator.fail(method="POST", path=STACKS, **fault)
    met = fault_of(lambda: create(cloud, "vm-1"))
    assert (met.code, met.definite) == (code, definite)
    assert world.names() == (["vm-1"] if there else [])


LATE = {
    "a late answer": "late-answer",
    "a late request": "late-request",
    "a slow body": "slow",
}


@pytest.mark.parametrize("kind", LATE.values(), ids=LATE)
def test_what_outlasts_the_deadline_is_a_timeout_and_lands(world: World, kind: str) -> None:
    """Held until it is released, so the deadline passes whatever the machine does."""
    cloud = world.open(SHORT)
    cloud.verify()
    number = world.simulator.fail(kind, "POST", STACKS)
    met = fault_of(lambda: create(cloud, "vm-1"))
    assert (met.code, met.definite) == (C.TIMEOUT, False)
    assert kind != "late-request" or world.names() == []
    world.simulator.do(Control.release, number)
    wait_until("the request to land", lambda: world.names() == ["vm-1"])


def test_a_zombie_lands_after_its_client_gave_up(world: World, cloud: ProjectClient) -> None:
    """A look in between sees nothing, and proves nothing."""
    number = world.simulator.fail("zombie", "POST", STACKS)
    assert not fault_of(lambda: create(cloud, "vm-1")).definite
    assert cloud.heat.find("vm-1").stacks == ()
    world.simulator.do(Control.release, number)
    wait_until("the zombie", lambda: cloud.heat.find("vm-1").stacks)
    assert fault_of(lambda: create(cloud, "vm-1")).code is C.NAME_CONFLICT


def test_what_heat_began_is_counted_whether_its_answer_came_or_not(world: World, cloud: ProjectClient) -> None:
    world.simulator.fail("lost-answer", "POST", STACKS)
    world.simulator.fail("lost-request", "POST", STACKS, first=2)
    for name in ("vm-1", "vm-2"):
        fault_of(lambda name=name: create(cloud, name))
    create(cloud, "vm-3")
    (project,) = world.simulator.do(Control.state)["projects"]
    assert project["actions"] == {"CREATE": 2}


def test_a_zombie_deletion_takes_what_was_to_stay(world: World, cloud: ProjectClient) -> None:
    stack_id = create(cloud, "vm-1")
    settled(cloud, "vm-1", stack_id)
    number = world.simulator.fail("zombie", "DELETE")
    assert not fault_of(lambda: cloud.heat.delete("vm-1", stack_id)).definite
    assert cloud.heat.probe("vm-1", stack_id).stack is not None
    world.simulator.do(Control.release, number)
    wait_until("the zombie", lambda: cloud.heat.probe("vm-1", stack_id).stack is None)


def test_a_retry_after_is_told(world: World, cloud: ProjectClient) -> None:
    world.simulator.fail("status", "GET", STACKS, status=503, headers={"Retry-After": "7"})
    fault = fault_of(lambda: cloud.heat.list(()))
    assert (fault.code, fault.retry_after) == (C.CLOUD_UNAVAILABLE, 7.0)


def test_half_a_page_looks_like_a_whole_one(world: World, cloud: ProjectClient) -> None:
    """No client can tell: an absence in one listing proves nothing, and a look by id must agree."""
    world.simulator.do(Control.add_stacks, "team-a", 4, "stoker")
    world.simulator.fail("half-page", "GET", STACKS)
    assert len(cloud.heat.list(("stoker",)).stacks) == 2
    assert len(cloud.heat.list(("stoker",)).stacks) == 4


def test_a_page_that_fails_in_the_middle_is_no_list(world: World, cloud: ProjectClient) -> None:
    world.simulator.do(Control.add_stacks, "team-a", 5, "stoker")
    world.simulator.fail("status", "GET", STACKS, first=2, status=500)
    cloud.heat._page = 2
    assert fault_of(lambda: cloud.heat.list(("stoker",))).code is C.CLOUD_UNAVAILABLE
    assert len(cloud.heat.list(("stoker",)).stacks) == 5


def test_a_name_race_leaves_two_stacks_of_one_name(world: World, cloud: ProjectClient) -> None:
    first = create(cloud, "vm-1")
    world.simulator.fail("name-race", "POST", STACKS)
    second = create(cloud, "vm-1")
    assert [stack.id for stack in cloud.heat.find("vm-1").stacks] == [first, second]
    cloud.heat.delete("vm-1", first)
    wait_until("one", lambda: [stack.id for stack in cloud.heat.find("vm-1").stacks] == [second])


# What selects a fault, and the counts


SELECTED: dict[str, tuple[dict[str, Any], list[bool]]] = {
    "the second call": ({"first": 2}, [True, False, True]),
    "two calls": ({"times": 2}, [False, False, True]),
    "for ever": ({"times": None}, [False, False, False]),
    "the project": ({"project": "team-a"}, [False, True, True]),
    "another project": ({"project": "team-b"}, [True, True, True]),
    "the client": ({"client": "stoker/"}, [False, True, True]),
    "another client": ({"client": "curl/"}, [True, True, True]),
    "the stack": ({"stack": "^vm-1$"}, [True, False, True]),
    "another path": ({"path": "/servers"}, [True, True, True]),
    "another method": ({"method": "DELETE"}, [True, True, True]),
}


@pytest.mark.parametrize(("chosen", "well"), SELECTED.values(), ids=SELECTED)
def test_a_fault_is_met_by_those_it_selects(
    world: World, cloud: ProjectClient, chosen: dict[str, Any], well: list[bool]
) -> None:
    world.simulator.fail(**{"kind": "status", "method": "POST", "path": STACKS, "status": 429, **chosen})
    made = []
    for number in range(3):
        try:
            create(cloud, f"vm-{number}")
            made.append(True)
        except CloudError as error:
            made.append(error.fault.code is not C.RATE_LIMITED)
    assert made == well


def test_what_is_planned_can_be_taken_back(world: World, cloud: ProjectClient) -> None:
    world.simulator.fail("status", times=None)
    fault_of(lambda: cloud.heat.list(()))
    (planned,) = world.simulator.do(Control.faults)
    assert (planned["kind"], planned["hit"]) == ("status", 1)
    world.simulator.do(Control.heal)
    assert cloud.heat.list(()).stacks == ()


def test_calls_are_counted_by_client_and_kind(world: World, cloud: ProjectClient) -> None:
    stack_id = create(cloud, "vm-1")
    for _ in range(3):
        cloud.heat.probe("vm-1", stack_id)
    world.simulator.fail("lost-answer", "DELETE")
    fault_of(lambda: cloud.heat.delete("vm-1", stack_id))
    shown = "GET /heat/v1/{project}/stacks/{name}/{id}"
    assert world.simulator.count(shown, "stoker/") == 3
    assert world.simulator.count(shown, "curl/") == 0
    newest = world.simulator.do(lambda control: control.calls.log("stoker/")[-1])
    assert (newest["kind"], newest["status"], newest["fault"]) == (shown.replace("GET", "DELETE"), 0, "lost-answer")
    assert newest["project"] == world.project["project_id"]


def test_every_kind_of_fault_is_shown_here() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_simulated_*.py"))
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
