"""The local OpenStack keeps what its README promises: real services, application credentials, the trap of trusts."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator

import pytest

from localenv import access_log, openstack
from localenv.openstack.rest import Client, RestError
from localenv.process import wait_for
from localenv.settings import LocalSettings
from support.openstack_projects import EMPTY_TEMPLATE, Project, create_project, delete_project

pytestmark = pytest.mark.openstack

STACK_TIMEOUT = 120.0
"""Longest wait for a stack without resources, seconds."""

SERVICE_TYPES = {"identity", "placement", "image", "network", "compute", "orchestration", "block-storage", "volumev3"}


@pytest.fixture(scope="module")
def settings() -> LocalSettings:
    return LocalSettings.load()


@pytest.fixture(scope="module")
def project(settings: LocalSettings) -> Iterator[Project]:
    project = create_project(settings, f"environment-{uuid.uuid4().hex[:8]}")
    yield project
    delete_project(settings, project)


@pytest.fixture
def trusts(settings: LocalSettings) -> Iterator[None]:
    openstack.start_trusts(settings)
    yield
    openstack.stop_trusts(settings)


def regions(project: Project) -> dict[str, set[str]]:
    """Return the service types that the catalog offers, by region."""
    found: dict[str, set[str]] = {}
    for service in project.user.call("GET", "KEYSTONE", "/v3/auth/catalog")["catalog"]:
        for endpoint in service["endpoints"]:
            found.setdefault(endpoint["region_id"], set()).add(service["type"])
    return found


def status(project: Project, name: str, stack_id: str) -> str:
    return str(project.stack(name, stack_id)["stack_status"])


def test_every_service_answers(settings: LocalSettings) -> None:
    assert openstack.status(settings)


def test_the_catalog_offers_every_service_in_one_region(project: Project) -> None:
    assert regions(project) == {"RegionOne": SERVICE_TYPES}


@pytest.mark.parametrize("team", ["team-a", "team-b"])
def test_a_seeded_application_credential_logs_in_to_its_project(settings: LocalSettings, team: str) -> None:
    seeded = json.loads((settings.state / "openstack" / "projects.json").read_text())[team]
    client = Client.login_with_application_credential(settings, seeded["application_credential"])
    assert (client.project_id, client.user_id) == (seeded["project_id"], seeded["user_id"])


@pytest.mark.parametrize("file", ["clouds.yaml", "openstack/projects.json", "openstack/secrets.json"])
def test_credentials_are_private(settings: LocalSettings, file: str) -> None:
    assert (settings.state / file).stat().st_mode & 0o777 == 0o600


def test_a_restricted_credential_makes_no_further_ones(project: Project) -> None:
    path = f"/v3/users/{project.user_id}/application_credentials"
    with pytest.raises(RestError) as refused:
        project.user.post("KEYSTONE", path, "application_credential", name="another")
    assert refused.value.status == 403


def test_an_application_credential_creates_and_deletes_a_stack(project: Project) -> None:
    stack_id = project.create_stack("plain")
    assert wait_for(lambda: status(project, "plain", stack_id) == "CREATE_COMPLETE", STACK_TIMEOUT)
    assert project.stack("plain", stack_id)["outputs"][0]["output_value"] == "42"
    project.delete_stack("plain", stack_id)
    assert wait_for(lambda: not project.stacks(), STACK_TIMEOUT)


def test_the_access_log_tells_whose_request_it_was(settings: LocalSettings, project: Project) -> None:
    since = time.time()
    project.stacks()
    (entry,) = [e for e in access_log.read(settings, "heat", since=since - 0.001) if e.project_id == project.id]
    assert (entry.method, entry.path, entry.status) == ("GET", f"/v1/{project.id}/stacks", 200)
    assert (entry.client, entry.user_id) == ("stoker-local-environment", project.user_id)


def test_where_heat_makes_trusts_an_application_credential_is_refused(project: Project, trusts: None) -> None:
    assert regions(project) == {"RegionOne": SERVICE_TYPES, "RegionTrusts": SERVICE_TYPES}
    body = {"stack_name": "refused", "template": EMPTY_TEMPLATE, "timeout_mins": 10}
    with pytest.raises(RestError) as refused:
        project.user.call("POST", "HEAT_TRUSTS", f"/v1/{project.id}/stacks", body)
    assert refused.value.status == 403
    listed = project.user.call("GET", "HEAT_TRUSTS", f"/v1/{project.id}/stacks")
    assert listed["stacks"] == []


def test_where_heat_makes_trusts_a_password_user_creates_a_stack(
    settings: LocalSettings, project: Project, trusts: None
) -> None:
    user = Client.login(settings, project.name, project.password, project.name)
    stacks = f"/v1/{project.id}/stacks"
    body = {"stack_name": "trusted", "template": EMPTY_TEMPLATE, "timeout_mins": 10}
    path = f"{stacks}/trusted/{user.call('POST', 'HEAT_TRUSTS', stacks, body)['stack']['id']}"

    def shown() -> str:
        return str(user.call("GET", "HEAT_TRUSTS", path)["stack"]["stack_status"])

    assert wait_for(lambda: shown() == "CREATE_COMPLETE", STACK_TIMEOUT)
    user.call("DELETE", "HEAT_TRUSTS", path)
    assert wait_for(lambda: shown() == "DELETE_COMPLETE", STACK_TIMEOUT)


def test_a_new_application_credential_inherits_nothing_from_a_deleted_one(settings: LocalSettings) -> None:
    # SQLite gives the number of the last deleted row again; Keystone then met that row's roles and answered 409.
    for _ in range(2):
        delete_project(settings, create_project(settings, f"inherits-{uuid.uuid4().hex[:8]}"))
