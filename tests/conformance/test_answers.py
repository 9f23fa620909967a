"""Answers as they are on the wire: what Heat redirects, ignores, refuses and forgets. The adapter is built on these."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from stoker.openstack.client import ProjectClient
from support.clouds import PATIENCE, Account, Bare
from support.cluster import wait_until
from support.stacks import HEAD, ONE, SLOW, VALUE, create, gone, inputs, settled

ERROR = {"code", "title", "explanation", "error"}
LISTED = {
    "id", "links", "stack_name", "description", "stack_status", "stack_status_reason", "creation_time", "updated_time",
    "deletion_time", "stack_owner", "parent", "stack_user_project_id", "tags",
}  # fmt: skip
SHOWN = LISTED | {
    "parameters", "outputs", "template_description", "timeout_mins", "disable_rollback", "capabilities",
    "notification_topics",
}  # fmt: skip


@pytest.fixture(scope="module")
def living(cloud: ProjectClient) -> tuple[str, str]:
    """Name and id of a complete stack with the tags a, b and its own."""
    name = f"vm-{uuid.uuid4().hex[:12]}"
    made = cloud.heat.create(name, ("a", "b", name), inputs(), timeout_minutes=5)
    settled(cloud, name, made.stack_id)
    return name, made.stack_id


def error_of(answer: requests.Response, status: int) -> dict[str, Any]:
    """Return the error of a refusal of Heat's, whose body has a shape of its own."""
    body = answer.json()
    assert (answer.status_code, body["code"], set(body)) == (status, status, ERROR), answer.text
    assert answer.headers["X-Openstack-Request-Id"].startswith("req-")
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("by", [0, 1], ids=["name", "id"])
def test_half_an_address_is_redirected_and_nothing_is_done(
    bare: Bare, living: tuple[str, str], method: str, by: int
) -> None:
    name, stack_id = living
    answer = bare.send(method, f"/stacks/{living[by]}", json={} if method.startswith("P") else None)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{bare.urls['orchestration']}/stacks/{name}/{stack_id}"
    shown = bare.send("GET", f"/stacks/{name}/{stack_id}").json()["stack"]
    assert (shown["stack_status"], shown["updated_time"]) == ("CREATE_COMPLETE", None)


def test_a_redirect_keeps_the_rest_of_the_address(bare: Bare, living: tuple[str, str]) -> None:
    name, stack_id = living
    answer = bare.send("GET", f"/stacks/{name}/resources?x=1")
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith(f"/stacks/{name}/{stack_id}/resources?x=1")


def test_a_stack_is_shown_with_everything(bare: Bare, living: tuple[str, str], owner: Account) -> None:
    name, stack_id = living
    shown = bare.send("GET", f"/stacks/{name}/{stack_id}").json()["stack"]
    assert set(shown) == SHOWN
    pseudo = {"OS::project_id": owner.project, "OS::stack_id": stack_id, "OS::stack_name": name}
    assert shown["parameters"] == {**pseudo, "said": "{}", "text": ""}
    assert {output["output_key"]: output["output_value"] for output in shown["outputs"]} == {
        "server_id": "",
        "private_ip": {},
    }
    assert (shown["stack_owner"], shown["timeout_mins"], shown["disable_rollback"]) == (owner.name, 5, True)
    assert shown["tags"] == ["a", "b", name]
    assert shown["stack_status_reason"] == "Stack CREATE completed successfully"


def test_outputs_can_be_left_out(bare: Bare, living: tuple[str, str]) -> None:
    name, stack_id = living
    shown = bare.send("GET", f"/stacks/{name}/{stack_id}", params={"resolve_outputs": "false"}).json()["stack"]
    assert set(shown) == SHOWN - {"outputs"}


def test_a_listing_tells_status_reason_tags_and_times(bare: Bare, living: tuple[str, str]) -> None:
    (listed,) = bare.send("GET", "/stacks", params={"name": living[0]}).json()["stacks"]
    assert set(listed) == LISTED
    assert listed["tags"] == ["a", "b", living[0]]
    assert len(listed["creation_time"]) == len("2000-01-01T00:00:00Z")


FILTERS: dict[str, tuple[dict[str, str], bool]] = {
    "all of its tags": ({"tags": "a,b"}, True),
    "a tag it lacks": ({"tags": "a,zz"}, False),
    "any tag, with an underscore": ({"tags_any": "zz"}, False),
    "any tag, one of which it has": ({"tags_any": "a,zz"}, True),
    "any tag, with a hyphen: ignored": ({"tags-any": "zz"}, True),
    "not tags, with an underscore": ({"not_tags": "a"}, False),
    "not tags, not all of which it has": ({"not_tags": "a,zz"}, True),
    "not any tags": ({"not_tags_any": "a,zz"}, False),
    "not tags, with a hyphen: ignored": ({"not-tags": "a"}, True),
    "another status": ({"status": "FAILED"}, False),
    "its status": ({"status": "COMPLETE"}, True),
    "its action": ({"action": "CREATE"}, True),
    "something unknown: ignored": ({"nosuch": "x"}, True),
    "a sort key that is none: ignored": ({"sort_keys": "nosuch"}, True),
    "a marker that is none: ignored": ({"marker": str(uuid.UUID(int=7))}, True),
    "the beginning of its name": ({"name": "vm-"}, False),
    "no entries": ({"limit": "0"}, False),
}


@pytest.mark.parametrize(("query", "found"), FILTERS.values(), ids=FILTERS)
def test_filters(bare: Bare, living: tuple[str, str], query: dict[str, str], found: bool) -> None:
    answer = bare.send("GET", "/stacks", params=query)
    assert answer.status_code == 200
    assert (living[1] in {stack["id"] for stack in answer.json()["stacks"]}) is found


@pytest.mark.parametrize("more", ["status", "action"])
def test_tags_with_a_status_are_more_than_heat_can_do(bare: Bare, more: str) -> None:
    answer = bare.send("GET", "/stacks", params={"tags": "a", more: "COMPLETE"})
    assert error_of(answer, 500) == {"type": "InvalidRequestError", "traceback": None}


@pytest.mark.parametrize("limit", ["x", "-1"])
def test_a_limit_that_is_no_number_is_refused(bare: Bare, limit: str) -> None:
    error = error_of(bare.send("GET", "/stacks", params={"limit": limit}), 400)
    assert error["type"] == "HTTPBadRequest"
    assert "'limit'" in error["message"]


def test_the_whole_clouds_stacks_are_not_for_a_tenant(bare: Bare) -> None:
    error = error_of(bare.send("GET", "/stacks", params={"global_tenant": "true"}), 403)
    assert error["message"] == "You are not authorized to use stacks:global_index."


def test_pages_follow_a_marker_and_the_count_is_of_all(bare: Bare, cloud: ProjectClient, name: str) -> None:
    """Times of creation have whole seconds, so the order is the time's, and the id's within one."""
    ids = {create(cloud, f"{name}-{n}", None, name) for n in range(3)}
    query = {"tags": name, "limit": "2", "sort_keys": "creation_time", "sort_dir": "asc"}
    first = bare.send("GET", "/stacks", params={**query, "with_count": "true"}).json()
    assert (len(first["stacks"]), first["count"]) == (2, 3)
    assert [link["rel"] for link in first["links"]] == ["next"]
    second = bare.send("GET", "/stacks", params={**query, "marker": first["stacks"][-1]["id"]}).json()
    assert {stack["id"] for stack in first["stacks"] + second["stacks"]} == ids
    assert "links" not in second
    for stack in first["stacks"] + second["stacks"]:
        cloud.heat.delete(stack["stack_name"], stack["id"])


def missing(bare: Bare, path: str) -> dict[str, Any]:
    return error_of(bare.send("GET", path), 404)


def test_what_is_not_there_is_called_so(bare: Bare, living: tuple[str, str]) -> None:
    """By name, by name and id, and by an id under another's name."""
    _, stack_id = living
    for path in (
        "/stacks/nosuch",
        f"/stacks/nosuch/{uuid.uuid4()}",
        f"/stacks/nosuch/{stack_id}",
        f"/stacks/nosuch/{stack_id}/resources",
        f"/stacks/nosuch/{stack_id}/events",
    ):
        error = missing(bare, path)
        assert (error["type"], error["message"]) == ("EntityNotFound", "The Stack (nosuch) could not be found.")


def test_another_projects_path_is_forbidden(bare: Bare, owner: Account) -> None:
    url = bare.urls["orchestration"].replace(owner.project, "f" * 32)
    error = error_of(bare.session.get(f"{url}/stacks", timeout=PATIENCE), 403)
    assert error == {"type": "HTTPForbidden", "traceback": None, "message": "Access was denied to this resource."}


def test_a_token_that_is_none_is_unauthorized_at_every_service(bare: Bare) -> None:
    paths = {
        "orchestration": "/stacks",
        "compute": "/servers/detail",
        "network": "/v2.0/networks",
        "image": "/v2/images",
    }
    for service, path in paths.items():
        answer = requests.get(bare.urls[service] + path, headers={"X-Auth-Token": "none"}, timeout=PATIENCE)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")
        if service != "image":
            assert answer.json()["error"]["title"] == "Unauthorized"


NUMBER = HEAD + "parameters: {n: {type: number, constraints: [{range: {min: 1}, description: too few}]}}\n"
FLAVOR = HEAD + "parameters: {f: {type: string, constraints: [{custom_constraint: nova.flavor}]}}\n"
CIRCLE = HEAD + "resources: {a: {type: OS::Heat::None, depends_on: b}, b: {type: OS::Heat::None, depends_on: a}}\n"
TWICE = HEAD + "parameters: {a: {type: string, default: x}}\nresources: {a: {type: OS::Heat::None}}\n"

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no name": ({"stack_name": None}, "HTTPBadRequest", "No stack name specified"),
    "a name with a digit first": ({"stack_name": "9x"}, "StackValidationFailed", "9x"),
    "a name with an umlaut": ({"stack_name": "vm-ä"}, "StackValidationFailed", "vm-ä"),
    "a name too long": ({"stack_name": "v" * 256}, "StackValidationFailed", "255 characters"),
    "no template": ({"template": None}, "HTTPBadRequest", "No template specified"),
    "broken YAML": ({"template": "{["}, "HTTPBadRequest", "Template not in valid format"),
    "no version": ({"template": "a: b"}, "HTTPBadRequest", "Template format version not found"),
    "another version": ({"template": "heat_template_version: 1999-01-01"}, "InvalidTemplateVersion", "1999-01-01"),
    "another section": ({"template": HEAD + "nosuch: {}"}, "StackValidationFailed", "section is invalid: nosuch"),
    "a circle": ({"template": CIRCLE}, "CircularDependencyException", "Circular Dependency Found"),
    "one name for two": ({"template": TWICE}, "StackValidationFailed", "Duplicate names"),
    "a parameter not given": ({"template": NUMBER}, "UserParameterMissing", "(n) was not provided"),
    "an unknown parameter": ({"parameters": {"x": 1}}, "UnknownUserParameter", "(x) was not defined"),
    "a number that is none": ({"template": NUMBER, "parameters": {"n": "x"}}, "StackValidationFailed", "'n' is inv"),
    "out of range": ({"template": NUMBER, "parameters": {"n": 0}}, "StackValidationFailed", "too few"),
    "an unknown flavor": ({"template": FLAVOR, "parameters": {"f": "x"}}, "StackValidationFailed", "No Flavor match"),
    "a long tag": ({"tags": "t" * 81}, "HTTPBadRequest", "longer than"),
    "minutes below zero": ({"timeout_mins": -1}, "HTTPBadRequest", "'timeout_mins'"),
    "minutes that are none": ({"timeout_mins": "x"}, "HTTPBadRequest", "'timeout_mins'"),
    "a large template": ({"template": f"{HEAD}#{'x' * 600_000}"}, "RequestLimitExceeded", "Request limit exceeded"),
    "a large body": ({"template": f"{HEAD}#{'x' * 1_100_000}"}, "RequestLimitExceeded", "JSON body size"),
}


@pytest.mark.parametrize(("change", "kind", "text"), REFUSED.values(), ids=REFUSED)
def test_what_a_create_is_refused_for(bare: Bare, name: str, change: dict[str, Any], kind: str, text: str) -> None:
    body = {"stack_name": name, "template": VALUE, **change}
    error = error_of(bare.send("POST", "/stacks", json={k: v for k, v in body.items() if v is not None}), 400)
    assert error["type"] == kind, error
    assert text in error["message"]
    assert bare.send("GET", "/stacks", params={"name": name}).json()["stacks"] == []


def test_tags_are_a_text_and_no_list(bare: Bare, name: str) -> None:
    answer = bare.send("POST", "/stacks", json={"stack_name": name, "template": VALUE, "tags": ["a"]})
    assert error_of(answer, 400) == {"type": "AttributeError", "traceback": None}


def test_a_validation_describes_the_parameters(bare: Bare) -> None:
    answer = bare.send("POST", "/validate", json={"template": VALUE}).json()
    assert answer["Parameters"]["said"] == {
        "Type": "Json", "Description": "", "NoEcho": "false", "Label": "said", "Default": {},
    }  # fmt: skip
    error = error_of(bare.send("POST", "/validate", json={"template": CIRCLE}), 400)
    assert error["type"] == "CircularDependencyException"


def test_a_preview_of_a_create_makes_nothing(bare: Bare, name: str) -> None:
    answer = bare.send("POST", "/stacks/preview", json={"stack_name": name, "template": VALUE}).json()
    assert {one["resource_name"] for one in answer["stack"]["resources"]} == {"json_value", "text_value"}
    assert bare.send("GET", "/stacks", params={"name": name}).json()["stacks"] == []


def test_an_update_needs_a_template_and_a_patch_keeps_it(bare: Bare, cloud: ProjectClient, name: str) -> None:
    """A patch keeps tags and parameters as well; a full update without tags loses them.

    One resource only: Heat on SQLite at times loses the end of an update of two, which stays UPDATE_IN_PROGRESS.
    """
    stack_id = create(cloud, name, inputs(ONE, text="before"))
    before = settled(cloud, name, stack_id)
    path = f"/stacks/{name}/{stack_id}"
    assert error_of(bare.send("PUT", path, json={}), 400)["message"] == "No template specified"

    answer = bare.send("PATCH", path, json={})
    assert answer.status_code == 202
    assert answer.headers["Content-Type"].startswith("text/html")
    after = settled(cloud, name, stack_id)
    assert (after.status, after.tags) == ("UPDATE_COMPLETE", before.tags)
    assert cloud.heat.outputs(name, stack_id).server_id == "before"

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


def test_a_key_pair_server_network_or_image_that_is_not_there(bare: Bare) -> None:
    nobody = str(uuid.uuid4())
    server = bare.send("GET", f"/servers/{nobody}", "compute")
    assert server.json() == {"itemNotFound": {"code": 404, "message": f"Instance {nobody} could not be found."}}
    network = bare.send("GET", f"/v2.0/networks/{nobody}", "network")
    assert network.json()["NeutronError"]["type"] == "NetworkNotFound"
    assert bare.send("GET", f"/v2/images/{nobody}", "image").status_code == 404


MARKERS = {
    "compute": ("/flavors/detail", 400),
    "image": ("/v2/images", 400),
    "network": ("/v2.0/networks?limit=1", 404),
}


@pytest.mark.parametrize("service", MARKERS)
def test_other_services_refuse_a_marker_that_is_none(bare: Bare, service: str) -> None:
    path, status = MARKERS[service]
    assert bare.send("GET", path, service, params={"marker": "nosuch"}).status_code == status


def test_limits_and_quota_are_the_projects(bare: Bare, owner: Account) -> None:
    limits = bare.send("GET", "/limits", "compute").json()["limits"]["absolute"]
    quota = bare.send("GET", f"/os-quota-sets/{owner.project}", "compute").json()["quota_set"]
    names = {"cores": "maxTotalCores", "ram": "maxTotalRAMSize", "instances": "maxTotalInstances"}
    assert {name: quota[name] for name in names} == {name: limits[most] for name, most in names.items()}
    assert limits["totalCoresUsed"] == 0
    answer = bare.send("PUT", f"/os-quota-sets/{owner.project}", "compute", json={"quota_set": {"cores": 1}})
    assert answer.status_code == 403


def test_a_credential_reads_when_it_ends_and_makes_no_other(bare: Bare, owner: Account) -> None:
    at = f"{owner.endpoint.auth_url}/users/{owner.user}/application_credentials"
    found = bare.session.get(f"{at}/{owner.credential.id}", timeout=PATIENCE).json()["application_credential"]
    assert (found["expires_at"], found["project_id"], found["unrestricted"]) == (None, owner.project, False)
    assert "secret" not in found
    assert bare.session.get(f"{at}/{'0' * 32}", timeout=PATIENCE).status_code == 404
    made = bare.session.post(at, json={"application_credential": {"name": "x"}}, timeout=PATIENCE)
    assert made.status_code == 403


def test_a_credential_makes_no_trust(bare: Bare, owner: Account) -> None:
    trust = {
        "trustor_user_id": owner.user, "trustee_user_id": owner.user, "project_id": owner.project,
        "impersonation": True, "roles": [{"name": "member"}],
    }  # fmt: skip
    url = f"{owner.endpoint.auth_url}/OS-TRUST/trusts"
    answer = bare.session.post(url, json={"trust": trust}, timeout=PATIENCE)
    assert answer.status_code == 403
    assert "Delegated tokens cannot manage trusts" in answer.json()["error"]["message"]
