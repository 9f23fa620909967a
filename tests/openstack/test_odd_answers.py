"""Answers of Heat and of other services that a healthy one gives rarely, and what they mean."""

from __future__ import annotations

import pytest

from stoker.api.errors import ErrorCode
from support.canned import Canned
from support.canned_project import EMPTY, STACKS, create, fault_of


def stacks(*numbers: int, **more) -> Canned:
    return Canned(
        200,
        {
            "stacks": [
                {"id": f"s-{n}", "stack_name": f"vm-{n}", "stack_status": "CREATE_COMPLETE", "tags": ["a", "b"], **more}
                for n in numbers
            ]
        },
    )


@pytest.mark.parametrize(
    "answer", [Canned(404, {"error": {"type": "EntityNotFound", "message": "Marker"}}), stacks(1, 2)]
)
def test_a_page_after_a_purged_marker_begins_anew_and_shows_each_stack_once(canned, opened, answer: Canned) -> None:
    project = opened(canned)
    project.heat._page = 2
    canned.on("GET", STACKS, stacks(1, 2), answer, stacks(1, 2), stacks(3))
    assert [stack.id for stack in project.heat.list(("a",)).stacks] == ["s-1", "s-2", "s-3"]


def test_a_list_without_end_is_an_error(canned, opened, monkeypatch) -> None:
    monkeypatch.setattr("stoker.openstack.heat.MOST_PAGES", 5)
    project = opened(canned)
    project.heat._page = 2
    canned.on("GET", STACKS, stacks(1, 2))
    assert "no end after 5 pages" in fault_of(lambda: project.heat.list(("a",))).message


def test_a_list_that_fails_in_the_middle_is_no_list(canned, opened) -> None:
    project = opened(canned)
    project.heat._page = 2
    canned.on("GET", STACKS, stacks(1, 2), Canned(500))
    assert fault_of(lambda: project.heat.list(("a",))).code is ErrorCode.CLOUD_UNAVAILABLE


def test_stacks_that_a_filter_let_through_are_left_out(canned, opened) -> None:
    canned.on("GET", STACKS, stacks(1))
    assert opened(canned).heat.list(("a", "c")).stacks == ()
    assert opened(canned).heat.find("vm-2").stacks == ()
    assert len(opened(canned).heat.list(("a", "b")).stacks) == 1


def test_a_stack_just_deleted_is_left_out(canned, opened) -> None:
    canned.on("GET", STACKS, stacks(1, stack_status="DELETE_COMPLETE"))
    assert opened(canned).heat.list(("a",)).stacks == ()


TAKEN = Canned(409, {"error": {"type": "StackExists", "message": "The Stack (vm-1) already exists."}})


@pytest.mark.parametrize(
    ("listed", "code"),
    [
        (stacks(1), ErrorCode.NAME_CONFLICT),
        (stacks(1, stack_status="DELETE_IN_PROGRESS"), ErrorCode.NAME_CONFLICT),
        (Canned(500), ErrorCode.NAME_CONFLICT),
        (stacks(1, stack_status="DELETE_COMPLETE"), ErrorCode.CONFLICT),
        (EMPTY, ErrorCode.CONFLICT),
    ],
)
def test_a_name_held_by_what_was_deleted_is_a_conflict_that_passes(canned, opened, listed, code) -> None:
    canned.on("POST", STACKS, TAKEN)
    canned.on("GET", STACKS, listed)
    fault = fault_of(lambda: create(opened(canned)))
    assert (fault.code, fault.definite) == (code, True)
    assert len(canned.seen("POST", STACKS)) == 1


GONE = Canned(404, {"error": {"type": "EntityNotFound", "message": "The Stack (vm-1) could not be found."}})
BROKEN_ROW = Canned(404, {"error": {"type": "NotFound", "message": "ResourcePropertiesData with id 7 not found"}})


def test_deleting_what_is_gone_succeeds(canned, opened) -> None:
    canned.on("DELETE", f"{STACKS}/vm-1/s-1", GONE)
    opened(canned).heat.delete("vm-1", "s-1")


def test_a_404_of_a_live_stack_is_neither_deleted_nor_gone(canned, opened) -> None:
    for method in ("DELETE", "GET"):
        canned.on(method, f"{STACKS}/vm-1/s-1", BROKEN_ROW)
    assert fault_of(lambda: opened(canned).heat.delete("vm-1", "s-1")).code is ErrorCode.NOT_FOUND
    assert fault_of(lambda: opened(canned).heat.probe("vm-1", "s-1")).code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(("name", "stack_id"), [("vm-1", "../../x"), ("..", "s-1"), ("vm-1", ""), ("vm-1?x", "s-1")])
def test_a_name_or_id_cannot_be_another_path(canned, opened, name: str, stack_id: str) -> None:
    assert fault_of(lambda: opened(canned).heat.delete(name, stack_id)).code is ErrorCode.UNKNOWN
    assert canned.sent == []


def test_a_collection_is_read_to_its_end_though_the_service_caps_its_pages(canned, opened) -> None:
    first = {"images": [{"id": "1", "name": "a", "status": "active"}], "next": "/v2/images?marker=1"}
    canned.on("GET", "/image/v2/images", Canned(200, first), Canned(200, {"images": [{"id": "2", "status": "queued"}]}))
    assert [(image.id, image.name) for image in opened(canned).image.images()] == [("1", "a"), ("2", "")]
    assert "marker=1" in canned.seen("GET", "/image/v2/images")[1].query


def test_a_servers_fault_is_kept(canned, opened) -> None:
    server = {
        "id": "1",
        "name": "a",
        "status": "ERROR",
        "OS-EXT-STS:power_state": 4,
        "fault": {"message": "No valid host"},
    }
    canned.on("GET", "/compute/v2.1/servers/detail", Canned(200, {"servers": [server]}))
    (found,) = opened(canned).compute.servers().by_id.values()
    assert (found.status, found.power, found.fault) == ("ERROR", "Stopped", "No valid host")


def test_a_server_that_is_deleted_and_still_shown_is_not_there(canned, opened) -> None:
    """Nova shows one as DELETED for the last moment of its deletion, and as SOFT_DELETED while it is in the bin."""
    shown = [{"id": status, "status": status} for status in ("ACTIVE", "DELETED", "SOFT_DELETED")]
    canned.on("GET", "/compute/v2.1/servers/detail", Canned(200, {"servers": shown}))
    assert set(opened(canned).compute.servers().by_id) == {"ACTIVE"}


@pytest.mark.parametrize("body", [{}, {"networks": [{}]}, {"networks": 7}])
def test_a_collection_of_something_else_is_an_outage(canned, opened, body) -> None:
    canned.on("GET", "/network/v2.0/networks", Canned(200, body))
    assert fault_of(opened(canned).network.networks).code is ErrorCode.CLOUD_UNAVAILABLE
