"""What is sent, where it may go and with whose token: nothing is sent where it must not go."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from stoker import __version__
from stoker.api.errors import ErrorCode
from stoker.openstack.base import Rights
from stoker.openstack.client import ProjectClient
from support.canned import PROJECT, TOKEN, Canned, CannedCloud
from support.canned_project import CREATED, EMPTY, INPUTS, STACKS, create, fault_of

# The good way


def test_a_call_carries_the_token_and_our_name(canned, opened) -> None:
    assert opened(canned).heat.list(("stoker",)).stacks == ()
    (sent,) = canned.seen("GET", STACKS)
    assert sent.headers["X-Auth-Token"] == TOKEN
    assert sent.headers["User-Agent"] == f"stoker/{__version__} test/1"


def test_an_application_credential_asks_for_no_scope_and_a_password_for_the_pinned_project(canned, opened) -> None:
    opened(canned).verify()
    opened(canned, password=True).verify()
    first, second = (sent.body["auth"] for sent in canned.seen("POST", "/v3/auth/tokens"))
    assert first["identity"]["application_credential"] == {"id": "id", "secret": "the-secret"}
    assert "scope" not in first
    assert second["scope"] == {"project": {"id": PROJECT}}
    assert second["identity"]["password"]["user"]["domain"] == {"name": "Domain"}


def test_a_create_gives_values_as_json_and_keeps_the_request_id(canned, opened) -> None:
    created = create(opened(canned))
    assert (created.stack_id, created.request_id) == ("s-1", "req-1")
    (sent,) = canned.seen("POST", STACKS)
    assert sent.body == {
        "stack_name": "vm-1",
        "template": INPUTS.template,
        "parameters": INPUTS.parameters,
        "tags": "stoker",
        "timeout_mins": 5,
        "disable_rollback": True,
    }


def test_the_token_says_whose_it_is_and_for_how_long(canned, opened) -> None:
    facts = opened(canned).token_facts()
    assert (facts.project, facts.roles, facts.expires_at.year) == (PROJECT, ("member",), 2999)


USER = {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}}


@pytest.mark.parametrize("text", ["2027-01-01T00:00:00.000000", "2027-01-01T00:00:00.000000Z"])
def test_a_password_that_ends_says_when_with_the_token(canned, opened, text) -> None:
    """Keystone leaves the Z out there (read in its source)."""
    canned.on("POST", "/v3/auth/tokens", canned.token(user={**USER, "password_expires_at": text}))
    project = opened(canned, password=True)
    assert project.credentials_end().at == datetime(2027, 1, 1, tzinfo=UTC)
    assert project.rights() == Rights(("member",), by_password=True)


# Where requests may go


def test_a_redirect_is_not_followed(canned, opened) -> None:
    with CannedCloud() as other:
        canned.on("GET", STACKS, Canned(302, b"x", {"Location": f"{other.url}/stolen"}))
        fault = fault_of(lambda: opened(canned).heat.list(()))
        assert (fault.code, fault.definite) == (ErrorCode.UNKNOWN, True)
        assert "redirects are never followed" in fault.message
        assert other.sent == []


def test_a_redirect_of_keystone_is_not_followed(canned, opened) -> None:
    with CannedCloud() as other:
        canned.on("POST", "/v3/auth/tokens", Canned(307, b"", {"Location": f"{other.url}/v3/auth/tokens"}))
        assert "redirects are never followed" in fault_of(opened(canned).verify).message
        assert other.sent == []


def test_an_endpoint_elsewhere_is_refused_before_anything_is_sent(canned, opened) -> None:
    with CannedCloud() as other:
        canned.on("POST", "/v3/auth/tokens", canned.token(heat=f"{other.url}/heat"))
        for call in (opened(canned).verify, lambda: create(opened(canned))):
            fault = fault_of(call)
            assert fault.code is ErrorCode.ENDPOINT_NOT_ALLOWED
            assert other.host in fault.message
        assert other.sent == []


def test_an_allowed_host_is_called(canned, opened) -> None:
    with CannedCloud() as other:
        other.on("GET", STACKS, EMPTY)
        canned.on("POST", "/v3/auth/tokens", canned.token(heat=f"{other.url}/heat"))
        opened(canned, allowed_hosts=(other.host,)).heat.list(())
        assert len(other.sent) == 1


@pytest.mark.parametrize(
    "heat",
    ["http://{good}@127.0.0.1:1/", "http://127.0.0.1:1\\@{good}/", "file:///etc/passwd", "//{good}"],
)
def test_an_odd_url_is_no_way_round(canned, opened, heat: str) -> None:
    canned.on("POST", "/v3/auth/tokens", canned.token(heat=heat.format(good=canned.host)))
    assert fault_of(lambda: create(opened(canned))).code is ErrorCode.ENDPOINT_NOT_ALLOWED


def test_proxies_and_files_named_by_the_environment_are_ignored(canned, opened, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    opened(canned).heat.list(())
    assert "Authorization" not in canned.seen("GET", STACKS)[0].headers


def test_a_cookie_is_not_kept(canned, opened) -> None:
    canned.on("GET", STACKS, Canned(200, {"stacks": []}, {"Set-Cookie": "a=b"}))
    project = opened(canned)
    project.heat.list(())
    project.heat.list(())
    assert all("Cookie" not in sent.headers for sent in canned.sent)


# Whose token


@pytest.mark.parametrize("call", [ProjectClient.verify, create])
def test_a_token_for_another_project_is_not_used(canned, opened, call) -> None:
    canned.on("POST", "/v3/auth/tokens", canned.token(project="other"))
    fault = fault_of(lambda: call(opened(canned)))
    assert (fault.code, fault.definite) == (ErrorCode.PROJECT_MISMATCH, True)
    assert [sent.path for sent in canned.sent] == ["/v3/auth/tokens"]


def test_a_cloud_without_heat_is_said(canned, opened) -> None:
    fault = fault_of(opened(canned, region="two").verify)
    assert fault.code is ErrorCode.TENANT_NOT_READY
    assert "no public orchestration endpoint in two" in fault.message


BROKEN_TOKENS = [
    Canned(201, {"token": {}}, {"X-Subject-Token": "t"}),
    Canned(201, {"token": None}, {"X-Subject-Token": "t"}),
    Canned(201, [], {"X-Subject-Token": "t"}),
    Canned(201, b"{", {"X-Subject-Token": "t"}),
    Canned(201, b"[" * 200_000, {"X-Subject-Token": "t"}),
    Canned(200, b"<html>", {"Content-Type": "text/html"}),
    Canned(201, {"token": {"catalog": 7, "project": 7, "expires_at": "never"}}, {"X-Subject-Token": "t"}),
    Canned(201, {"token": {"expires_at": "9999-12-31T23:59:59-05:00"}}, {"X-Subject-Token": "t"}),
]


def test_an_end_that_no_calendar_has_is_an_outage(canned, opened) -> None:
    text = "9999-12-31T23:59:59-05:00"
    canned.on("POST", "/v3/auth/tokens", canned.token(user={**USER, "password_expires_at": text}))
    assert fault_of(opened(canned, password=True).credentials_end).code is ErrorCode.CLOUD_UNAVAILABLE


@pytest.mark.parametrize("token", BROKEN_TOKENS, ids=range(len(BROKEN_TOKENS)))
def test_a_broken_token_is_an_outage_and_nothing_was_done(canned, opened, token: Canned) -> None:
    canned.on("POST", "/v3/auth/tokens", token)
    fault = fault_of(lambda: create(opened(canned)))
    assert fault.code in (ErrorCode.CLOUD_UNAVAILABLE, ErrorCode.PROJECT_MISMATCH)
    assert fault.definite
    assert canned.seen("POST", STACKS) == []


def test_a_deleted_credential_is_unauthorized(canned, opened) -> None:
    body = {"error": {"code": 404, "message": "Could not find Application Credential: id.", "title": "Not Found"}}
    canned.on("POST", "/v3/auth/tokens", Canned(404, body))
    fault = fault_of(lambda: opened(canned).heat.delete("vm-1", "s-1"))
    assert fault.code is ErrorCode.UNAUTHORIZED
    assert "Could not find Application Credential" in fault.message


@pytest.mark.parametrize("call", [create, lambda project: project.heat.list(())])
def test_a_token_that_ended_is_renewed_once(canned, opened, call) -> None:
    canned.on("POST", STACKS, Canned(401), CREATED)
    canned.on("GET", STACKS, Canned(401), EMPTY)
    call(opened(canned))
    assert len(canned.seen("POST", "/v3/auth/tokens")) == 2


def test_a_second_401_is_final(canned, opened) -> None:
    canned.on("POST", STACKS, Canned(401, {"error": {"message": "no"}}))
    fault = fault_of(lambda: create(opened(canned)))
    assert (fault.code, fault.definite) == (ErrorCode.UNAUTHORIZED, True)
    assert len(canned.seen("POST", STACKS)) == 2
