"""Answers as they are on the wire: what Heat redirects, shows, lists and ignores, and the other services' refusals."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from stoker.openstack.base import Credentials, CredentialsEnd
from stoker.openstack.client import ProjectClient
from support.clouds import PATIENCE, Account, Bare, error_of
from support.stacks import create, inputs, settled

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


def test_an_application_credential_tells_its_own_end_by_keystones_clock(cloud: ProjectClient) -> None:
    """The restricted one that Stoker is given, with its own token."""
    end = cloud.credentials_end()
    assert end.at is None
    assert end.server_time is not None
    assert abs((end.server_time - datetime.now(UTC)).total_seconds()) < 120


def test_an_application_credential_that_ends_says_when(owner: Account) -> None:
    with_password = owner.connect(owner.password)
    access, _ = with_password._orchestration.authorize()
    at = f"{owner.endpoint.auth_url}/users/{owner.user}/application_credentials"
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
    wanted = {"name": f"ends-{ends.timestamp():.0f}", "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%S.%f")}
    made = requests.post(
        at, json={"application_credential": wanted}, headers={"X-Auth-Token": access.auth_token}, timeout=PATIENCE
    ).json()["application_credential"]
    with_password.close()
    ending = owner.connect(Credentials("application-credential", made["id"], made["secret"]))
    assert ending.credentials_end().at == ends
    ending.close()


def test_the_limits_of_the_project_are_read(cloud: ProjectClient) -> None:
    cloud.read_limits()
    assert {"maxTotalCores", "maxTotalRAMSize", "totalCoresUsed"} <= set(cloud.compute.limits())


def test_a_password_that_does_not_end_says_so_with_the_token(owner: Account) -> None:
    with_password = owner.connect(owner.password)
    assert with_password.credentials_end() == CredentialsEnd(None)
    assert with_password.rights().by_password
    with_password.close()
