"""What becomes of a stack that is updated, acted on, rolled back or deleted, as Heat shows it."""

from __future__ import annotations

from stoker.openstack.client import ProjectClient
from support.clouds import PATIENCE, Bare, error_of
from support.cluster import wait_until
from support.stacks import ONE, SLOW, VALUE, create, gone, inputs, settled

# One resource and one update for a stack: Heat on SQLite at times loses the end of an update that has more to do, or
# that follows another at once, and stays UPDATE_IN_PROGRESS.


def test_a_patch_keeps_template_parameters_and_tags(bare: Bare, cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name, inputs(ONE, text="before"))
    before = settled(cloud, name, stack_id)
    answer = bare.send("PATCH", f"/stacks/{name}/{stack_id}", json={})
    assert answer.status_code == 202
    assert answer.headers["Content-Type"].startswith("text/html")
    after = settled(cloud, name, stack_id)
    assert (after.status, after.tags) == ("UPDATE_COMPLETE", before.tags)
    assert cloud.heat.outputs(name, stack_id).server_id == "before"
    cloud.heat.delete(name, stack_id)


def test_a_full_update_needs_a_template_and_loses_the_tags_that_it_does_not_name(
    bare: Bare, cloud: ProjectClient, name: str
) -> None:
    stack_id = create(cloud, name, inputs(ONE, text="before"))
    settled(cloud, name, stack_id)
    path = f"/stacks/{name}/{stack_id}"
    assert error_of(bare.send("PUT", path, json={}), 400)["message"] == "No template specified"
    given = {"template": ONE, "parameters": {"text": "after"}}
    assert bare.send("PUT", path, json=given).status_code == 202
    assert settled(cloud, name, stack_id).tags == set()
    assert cloud.heat.outputs(name, stack_id).server_id == "after"
    cloud.heat.delete(name, stack_id)


def test_an_update_of_a_busy_stack_supersedes(cloud: ProjectClient, name: str) -> None:
    """No conflict: the newer ends as the one that counts, after the resource that is being worked on."""
    stack_id = create(cloud, name, inputs(SLOW))
    cloud.heat.update(name, stack_id, ("stoker",), inputs(SLOW.replace("value: x", "value: y")), timeout_minutes=5)
    stack = settled(cloud, name, stack_id)
    assert (stack.status, stack.tags) == ("UPDATE_COMPLETE", {"stoker"})
    cloud.heat.delete(name, stack_id)


def test_a_good_update_mends_a_failed_stack(cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name, inputs(SLOW.replace("wait_secs: 5", "fail: true")))
    assert settled(cloud, name, stack_id).status == "CREATE_FAILED"
    cloud.heat.update(name, stack_id, ("stoker",), inputs(SLOW.replace(", wait_secs: 5", "")), timeout_minutes=5)
    assert settled(cloud, name, stack_id).status == "UPDATE_COMPLETE"
    cloud.heat.delete(name, stack_id)


def test_a_create_that_rolls_back_keeps_its_name(bare: Bare, cloud: ProjectClient, name: str) -> None:
    body = {"stack_name": name, "template": SLOW.replace("wait_secs: 5", "fail: true"), "disable_rollback": False}
    stack_id = bare.send("POST", "/stacks", json=body).json()["stack"]["id"]
    assert settled(cloud, name, stack_id).status == "ROLLBACK_COMPLETE"
    assert error_of(bare.send("POST", "/stacks", json=body), 409)["type"] == "StackExists"
    cloud.heat.delete(name, stack_id)


def test_actions(bare: Bare, cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name)
    settled(cloud, name, stack_id)
    path = f"/stacks/{name}/{stack_id}/actions"
    for action in ("check", "suspend", "resume"):
        answer = bare.send("POST", path, json={action: None})
        assert (answer.status_code, answer.json()) == (200, None)
        assert settled(cloud, name, stack_id).status == f"{action.upper()}_COMPLETE"
    assert error_of(bare.send("POST", path, json={"cancel_update": None}), 400)["type"] == "NotSupported"
    assert error_of(bare.send("POST", path, json={"nosuch": None}), 400)["type"] == "HTTPBadRequest"
    cloud.heat.delete(name, stack_id)


def test_a_deletion_asked_for_twice_is_one(bare: Bare, cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name, inputs(SLOW))
    wait_until("work to begin", lambda: cloud.heat.resources(name, stack_id)[0].status == "CREATE_IN_PROGRESS", 60)
    for _ in range(2):
        assert bare.send("DELETE", f"/stacks/{name}/{stack_id}").status_code == 204
    assert bare.send("GET", f"/stacks/{name}/{stack_id}").json()["stack"]["stack_status"] == "DELETE_IN_PROGRESS"
    gone(cloud, name, stack_id)


def test_a_deleted_stack_is_shown_by_id_and_by_nothing_else(bare: Bare, cloud: ProjectClient, name: str) -> None:
    stack_id = create(cloud, name)
    settled(cloud, name, stack_id)
    cloud.heat.delete(name, stack_id)
    gone(cloud, name, stack_id)
    _wait_for_the_name(bare, name)
    path = f"/stacks/{name}/{stack_id}"
    shown = bare.send("GET", path).json()["stack"]
    assert shown["stack_status"] == "DELETE_COMPLETE"
    assert shown["deletion_time"]
    assert "outputs" not in shown
    for method in ("GET", "DELETE"):
        assert bare.send(method, f"/stacks/{stack_id}").status_code == 302
    assert bare.send("GET", f"{path}/resources").json() == {"resources": []}
    assert bare.send("GET", f"{path}/events").json()["events"]
    refused = {
        "DELETE": path, "PUT": path, "POST": f"{path}/actions", "GET": f"{path}/outputs",
    }  # fmt: skip
    for method, where in refused.items():
        json = {"DELETE": None, "GET": None, "PUT": {"template": VALUE}, "POST": {"check": None}}[method]
        assert error_of(bare.send(method, where, json=json), 404)["type"] == "EntityNotFound"
    assert bare.send("GET", "/stacks", params={"name": name, "show_deleted": "true"}).json()["stacks"]


def _wait_for_the_name(bare: Bare, name: str) -> None:
    """For a moment a deleted stack is still listed, and holds its name."""
    wait_until("the name to be free", lambda: bare.send("GET", f"/stacks/{name}").status_code == 404, PATIENCE)
    assert bare.send("GET", "/stacks", params={"name": name}).json()["stacks"] == []


def test_events_are_a_record_in_order(bare: Bare, cloud: ProjectClient, name: str) -> None:
    """Two of each resource and of the stack itself; the oldest is the stack's."""
    stack_id = create(cloud, name)
    settled(cloud, name, stack_id)
    query = {"sort_keys": "event_time", "sort_dir": "asc"}
    events = bare.send("GET", f"/stacks/{name}/{stack_id}/events", params=query).json()["events"]
    assert len(events) == 6
    seen = [(event["resource_name"], event["resource_status"]) for event in events]
    assert set(seen) == {
        (of, f"CREATE_{state}") for of in (name, "json_value", "text_value") for state in ("IN_PROGRESS", "COMPLETE")
    }
    assert set(events[0]) == {
        "id", "event_time", "resource_name", "logical_resource_id", "physical_resource_id", "resource_status",
        "resource_status_reason", "links",
    }  # fmt: skip
    cloud.heat.delete(name, stack_id)
