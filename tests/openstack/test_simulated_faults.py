"""Each fault of the simulator, as the adapter sees it: what it is called, whether it may still land, what it left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from simulator.control import Control
from simulator.faults import KINDS, REASONS
from simulator.local import Simulator
from stoker.api.errors import ErrorCode
from stoker.core.classify import classify_reason
from stoker.openstack.base import Credentials, Endpoint
from stoker.openstack.client import ProjectClient, connect
from support.cluster import wait_until
from support.stacks import create, fault_of, inputs, server_with_port, settled

SHORT = 0.5
"""A deadline that is meant to pass, seconds."""

STACKS = "/stacks$"
C = ErrorCode


@dataclass
class World:
    """A simulator with a project, and its adapter."""

    simulator: Simulator
    project: dict[str, str]
    opened: list[ProjectClient] = field(default_factory=list)

    def open(self, timeout: float = 20.0, *, password: bool = False) -> ProjectClient:
        endpoint = Endpoint(self.simulator.auth_url, "RegionOne", "public", self.project["project_id"])
        by_id = self.project["application_credential_id"], self.project["application_credential_secret"]
        credentials = Credentials("application-credential", *by_id)
        if password:
            credentials = Credentials("password", self.project["username"], self.project["password"])
        self.opened.append(connect(endpoint, credentials, timeout=timeout, create_timeout=timeout, user_agent="t/1"))
        return self.opened[-1]

    def names(self) -> list[str]:
        """Return the names of the stacks that there are, faults or not."""
        return self.simulator.do(
            lambda control: [stack.name for stack in control.cloud.stacks.of_project(self.project["project_id"])]
        )


@pytest.fixture
def world(simulator: Simulator) -> Iterator[World]:
    world = World(simulator, simulator.project("team-a"))
    yield world
    for opened in world.opened:
        opened.close()


@pytest.fixture
def cloud(world: World) -> ProjectClient:
    cloud = world.open()
    cloud.verify()
    return cloud


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


LATE: dict[str, tuple[dict[str, Any], bool]] = {
    "a late answer": ({"kind": "late-answer"}, True),
    "a late request": ({"kind": "late-request"}, False),
    "a slow body": ({"kind": "slow"}, True),
}


@pytest.mark.parametrize(("fault", "there"), LATE.values(), ids=LATE)
def test_what_outlasts_the_deadline_is_a_timeout_and_lands(world: World, fault: dict[str, Any], there: bool) -> None:
    """Held until it is released, so the deadline passes whatever the machine does."""
    cloud = world.open(SHORT)
    cloud.verify()
    number = world.simulator.fail(method="POST", path=STACKS, **fault)
    met = fault_of(lambda: create(cloud, "vm-1"))
    assert (met.code, met.definite) == (C.TIMEOUT, False)
    assert world.names() == (["vm-1"] if there else [])
    world.simulator.do(Control.release, number)
    wait_until("the request to land", lambda: world.names() == ["vm-1"], 20)


def test_a_zombie_lands_after_its_client_gave_up(world: World, cloud: ProjectClient) -> None:
    """It even lands on a name that was looked for in between, and taken: then it is refused, to nobody."""
    number = world.simulator.fail("zombie", "POST", STACKS)
    assert not fault_of(lambda: create(cloud, "vm-1")).definite
    assert cloud.heat.find("vm-1").stacks == ()
    world.simulator.do(Control.release, number)
    wait_until("the zombie", lambda: cloud.heat.find("vm-1").stacks, 20)
    assert fault_of(lambda: create(cloud, "vm-1")).code is C.NAME_CONFLICT


def test_a_zombie_deletion_takes_what_was_to_stay(world: World, cloud: ProjectClient) -> None:
    stack_id = create(cloud, "vm-1")
    settled(cloud, "vm-1", stack_id)
    number = world.simulator.fail("zombie", "DELETE")
    assert not fault_of(lambda: cloud.heat.delete("vm-1", stack_id)).definite
    assert cloud.heat.probe("vm-1", stack_id).stack is not None
    world.simulator.do(Control.release, number)
    wait_until("the zombie", lambda: cloud.heat.probe("vm-1", stack_id).stack is None, 20)


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
    wait_until("one", lambda: [stack.id for stack in cloud.heat.find("vm-1").stacks] == [second], 20)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("quota", C.CLOUD_QUOTA_EXCEEDED),
        ("floating-ip-quota", C.CLOUD_QUOTA_EXCEEDED),
        ("no-valid-host", C.NO_VALID_HOST),
        ("something else", C.STACK_FAILED),
    ],
)
def test_a_create_fails_with_heats_own_words(world: World, cloud: ProjectClient, reason: str, code: ErrorCode) -> None:
    world.simulator.fail("fails", "POST", STACKS, reason=reason)
    stack = settled(cloud, "vm-1", create(cloud, "vm-1"))
    assert stack.status == "CREATE_FAILED"
    assert stack.reason.startswith("Resource CREATE failed: ")
    assert (REASONS[reason].text if reason in REASONS else reason) in stack.reason
    assert classify_reason(stack.reason).code is code


def test_a_half_built_stack_has_what_came_before(world: World, cloud: ProjectClient) -> None:
    world.simulator.fail("fails", "POST", STACKS, reason="no-valid-host")
    stack_id = create(cloud, "vm-1", inputs(server_with_port()))
    settled(cloud, "vm-1", stack_id)
    states = {resource.name: resource.status for resource in cloud.heat.resources("vm-1", stack_id)}
    assert states == {"port": "CREATE_COMPLETE", "server": "CREATE_FAILED"}


def test_an_engine_that_dies_leaves_a_stack_in_progress_until_it_is_asked_again(
    world: World, cloud: ProjectClient
) -> None:
    world.simulator.fail("engine-dies", "POST", STACKS)
    stack_id = create(cloud, "vm-1", inputs(server_with_port()))
    states = {resource.name: resource.status for resource in cloud.heat.resources("vm-1", stack_id)}
    assert states == {"port": "CREATE_COMPLETE", "server": "CREATE_IN_PROGRESS"}
    world.simulator.fail("engine-dies", "DELETE")
    cloud.heat.delete("vm-1", stack_id)
    probe = cloud.heat.probe("vm-1", stack_id)
    assert probe.stack is not None
    assert probe.stack.status == "DELETE_IN_PROGRESS"
    cloud.heat.delete("vm-1", stack_id)
    wait_until("it to go", lambda: cloud.heat.probe("vm-1", stack_id).stack is None, 20)


def test_an_action_times_out(world: World, cloud: ProjectClient) -> None:
    """A deletion is limited by timeout_mins as well."""
    world.simulator.fail("times-out", "POST", STACKS)
    stack_id = create(cloud, "vm-1")
    stack = settled(cloud, "vm-1", stack_id)
    assert (stack.status, stack.reason) == ("CREATE_FAILED", "Timed out")
    assert classify_reason(stack.reason).code is C.TIMEOUT
    world.simulator.fail("times-out", "DELETE")
    cloud.heat.delete("vm-1", stack_id)
    assert settled(cloud, "vm-1", stack_id).status == "DELETE_FAILED"


def test_a_project_has_a_limit_of_stacks(world: World, cloud: ProjectClient) -> None:
    world.simulator.do(Control.settings, max_stacks=1)
    create(cloud, "vm-1")
    fault = fault_of(lambda: create(cloud, "vm-2"))
    assert (fault.code, fault.definite) == (C.CLOUD_QUOTA_EXCEEDED, True)


def test_a_deletion_fails_and_the_next_one_succeeds(world: World, cloud: ProjectClient) -> None:
    stack_id = create(cloud, "vm-1", inputs(server_with_port()))
    settled(cloud, "vm-1", stack_id)
    world.simulator.fail("fails", "DELETE", reason="Port is in use")
    cloud.heat.delete("vm-1", stack_id)
    stack = settled(cloud, "vm-1", stack_id)
    assert stack.status == "DELETE_FAILED"
    assert "Port is in use" in stack.reason
    assert len(cloud.compute.servers()) == 1
    cloud.heat.delete("vm-1", stack_id)
    wait_until("it to go", lambda: cloud.heat.probe("vm-1", stack_id).stack is None, 20)
    assert cloud.compute.servers() == ()


def test_an_action_may_be_made_slow_and_a_newer_one_supersedes_it(world: World, cloud: ProjectClient) -> None:
    world.simulator.fail("slow-action", "POST", STACKS, seconds=3600)
    stack_id = create(cloud, "vm-1")
    probe = cloud.heat.probe("vm-1", stack_id)
    assert probe.stack is not None
    assert probe.stack.in_progress
    cloud.heat.update("vm-1", stack_id, ("stoker",), inputs(), timeout_minutes=5)
    assert settled(cloud, "vm-1", stack_id).status == "UPDATE_COMPLETE"


def test_a_dead_server_stays_to_be_seen(world: World, cloud: ProjectClient) -> None:
    stack_id = create(cloud, "vm-1", inputs(server_with_port("too.big")))
    assert classify_reason(settled(cloud, "vm-1", stack_id).reason).code is C.NO_VALID_HOST
    (found,) = cloud.compute.servers()
    assert (found.status, found.fault) == ("ERROR", "No valid host was found.")


# Credentials


@pytest.mark.parametrize("password", [False, True])
def test_a_cloud_with_trusts_refuses_application_credentials_only(world: World, password: bool) -> None:
    world.simulator.do(Control.settings, trusts=True)
    cloud = world.open(password=password)
    if password:
        create(cloud, "vm-1")
        return
    fault = fault_of(lambda: create(cloud, "vm-1"))
    assert (fault.code, fault.definite) == (C.CREDENTIAL_CANNOT_CREATE_TRUSTS, True)
    assert world.names() == []


def test_a_token_that_ended_is_renewed_unseen(world: World, cloud: ProjectClient) -> None:
    assert world.simulator.do(Control.expire_tokens) == 1
    assert cloud.heat.list(()).stacks == ()
    assert world.simulator.count("POST /identity/v3/auth/tokens") == 2


def test_a_revoked_credential_is_unauthorized_at_the_next_call(world: World, cloud: ProjectClient) -> None:
    world.simulator.do(Control.revoke, world.project["application_credential_id"])
    fault = fault_of(lambda: cloud.heat.list(()))
    assert fault.code is C.UNAUTHORIZED
    assert "Could not find Application Credential" in fault.message


def test_an_expired_credential_is_unauthorized(world: World, cloud: ProjectClient) -> None:
    world.simulator.do(Control.expire_credential, world.project["application_credential_id"], time.time() - 1)
    world.simulator.do(Control.expire_tokens)
    assert fault_of(lambda: cloud.heat.list(())).code is C.UNAUTHORIZED


def test_a_token_lasts_no_longer_than_its_credential(world: World) -> None:
    ends = time.time() + 60
    world.simulator.do(Control.expire_credential, world.project["application_credential_id"], ends)
    assert world.open().token_facts().expires_at.timestamp() == pytest.approx(ends, abs=1)


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_keystones_faults_are_definite(world: World, status: int) -> None:
    world.simulator.fail("status", "POST", "/auth/tokens", status=status, times=None)
    assert fault_of(lambda: create(world.open(), "vm-1")).definite
    assert world.names() == []


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
        except Exception as error:  # noqa: BLE001 -- told by the assertion below
            made.append("429" not in str(error))
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
    text = Path(__file__).read_text()
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []


# Size and time


def test_ten_thousand_stacks_are_listed_by_pages(world: World, cloud: ProjectClient) -> None:
    """Twenty pages, each begun where the last one ended; one of them is found without looking at the others."""
    world.simulator.do(Control.add_stacks, "team-a", 10_000, "stoker,stoker-cluster=a")
    world.simulator.do(Control.add_stacks, "team-a", 10, "stoker")
    assert len(cloud.heat.list(("stoker-cluster=a",)).stacks) == 10_000
    assert world.simulator.count("GET /heat/v1/{project}/stacks") == 21
    assert len(cloud.heat.find("made-9999").stacks) == 1


def test_an_action_takes_its_time(world: World, cloud: ProjectClient) -> None:
    """An hour, so that nothing here depends on the machine's speed."""
    world.simulator.do(Control.settings, seconds={"create": 3600})
    stack_id = create(cloud, "vm-1", inputs(server_with_port()))
    stack = cloud.heat.probe("vm-1", stack_id).stack
    assert stack is not None
    assert stack.status == "CREATE_IN_PROGRESS"
    assert cloud.compute.servers() == ()


def test_a_deleted_stack_may_hold_its_name_a_while(world: World, cloud: ProjectClient) -> None:
    """As a real Heat does for a moment: the adapter calls it a conflict that passes."""
    world.simulator.do(Control.settings, linger_seconds=3600.0)
    stack_id = create(cloud, "vm-1")
    settled(cloud, "vm-1", stack_id)
    cloud.heat.delete("vm-1", stack_id)
    wait_until("it to go", lambda: cloud.heat.probe("vm-1", stack_id).stack is None, 20)
    assert fault_of(lambda: create(cloud, "vm-1")).code is C.CONFLICT
