"""A hostile or broken cloud costs a bounded call and one classified error; nothing is sent where it must not go."""

from __future__ import annotations

import datetime as dt
import gzip
import ipaddress
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stoker import __version__
from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault
from stoker.core.inputs import Inputs
from stoker.openstack.base import CloudError, Credentials, Endpoint
from stoker.openstack.client import ProjectClient, connect
from stoker.openstack.session import LARGEST_BODY
from support.canned import PROJECT, TOKEN, Canned, CannedCloud, cut, dripping

STACKS = "/heat/stacks"
SHORT = 0.3
"""A deadline that is meant to pass, seconds."""

INPUTS = Inputs(
    "t@v1", "heat_template_version: 2021-04-16", {"user_data": "chpasswd: root:hunter2", "n": {"get_param": "x"}}
)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
EMPTY = Canned(200, {"stacks": []})
CREATED = Canned(201, {"stack": {"id": "s-1"}}, {"X-Openstack-Request-Id": "req-1"})


@pytest.fixture
def cloud() -> Iterator[CannedCloud]:
    with CannedCloud() as cloud:
        cloud.on("GET", STACKS, EMPTY)
        cloud.on("POST", STACKS, CREATED)
        yield cloud


@pytest.fixture
def opened() -> Iterator[Callable[..., ProjectClient]]:
    """Connects, and closes at the end."""
    made: list[ProjectClient] = []

    def make(cloud: CannedCloud, *, timeout: float = 20.0, password: bool = False, **changes) -> ProjectClient:
        endpoint = Endpoint(cloud.url, "one", "public", PROJECT)
        credentials = Credentials("application-credential", "id", "the-secret")
        if password:
            credentials = Credentials("password", "bob", "the-secret", "Domain")
        made.append(
            connect(
                replace(endpoint, **changes), credentials, timeout=timeout, create_timeout=timeout, user_agent="test/1"
            )
        )
        return made[-1]

    yield make
    for project in made:
        project.close()


def create(project: ProjectClient) -> object:
    return project.heat.create("vm-1", ("stoker",), INPUTS, timeout_minutes=5)


def fault_of(call: Callable[[], object]) -> Fault:
    with pytest.raises(CloudError) as caught:
        call()
    assert "the-secret" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    return caught.value.fault


# The good way


def test_a_call_carries_the_token_and_our_name(cloud, opened) -> None:
    assert opened(cloud).heat.list(("stoker",)).stacks == ()
    (sent,) = cloud.seen("GET", STACKS)
    assert sent.headers["X-Auth-Token"] == TOKEN
    assert sent.headers["User-Agent"] == f"stoker/{__version__} test/1"


def test_an_application_credential_asks_for_no_scope_and_a_password_for_the_pinned_project(cloud, opened) -> None:
    opened(cloud).verify()
    opened(cloud, password=True).verify()
    first, second = (sent.body["auth"] for sent in cloud.seen("POST", "/v3/auth/tokens"))
    assert first["identity"]["application_credential"] == {"id": "id", "secret": "the-secret"}
    assert "scope" not in first
    assert second["scope"] == {"project": {"id": PROJECT}}
    assert second["identity"]["password"]["user"]["domain"] == {"name": "Domain"}


def test_a_create_gives_values_as_json_and_keeps_the_request_id(cloud, opened) -> None:
    created = create(opened(cloud))
    assert (created.stack_id, created.request_id) == ("s-1", "req-1")
    (sent,) = cloud.seen("POST", STACKS)
    assert sent.body == {
        "stack_name": "vm-1",
        "template": INPUTS.template,
        "parameters": INPUTS.parameters,
        "tags": "stoker",
        "timeout_mins": 5,
        "disable_rollback": True,
    }


def test_the_token_says_whose_it_is_and_for_how_long(cloud, opened) -> None:
    facts = opened(cloud).token_facts()
    assert (facts.project, facts.roles, facts.expires_at.year) == (PROJECT, ("member",), 2999)


# Where requests may go


def test_a_redirect_is_not_followed(cloud, opened) -> None:
    with CannedCloud() as other:
        cloud.on("GET", STACKS, Canned(302, b"x", {"Location": f"{other.url}/stolen"}))
        fault = fault_of(lambda: opened(cloud).heat.list(()))
        assert (fault.code, fault.definite) == (ErrorCode.UNKNOWN, True)
        assert "redirects are never followed" in fault.message
        assert other.sent == []


def test_a_redirect_of_keystone_is_not_followed(cloud, opened) -> None:
    with CannedCloud() as other:
        cloud.on("POST", "/v3/auth/tokens", Canned(307, b"", {"Location": f"{other.url}/v3/auth/tokens"}))
        assert "redirects are never followed" in fault_of(opened(cloud).verify).message
        assert other.sent == []


def test_an_endpoint_elsewhere_is_refused_before_anything_is_sent(cloud, opened) -> None:
    with CannedCloud() as other:
        cloud.on("POST", "/v3/auth/tokens", cloud.token(heat=f"{other.url}/heat"))
        for call in (opened(cloud).verify, lambda: create(opened(cloud))):
            fault = fault_of(call)
            assert fault.code is ErrorCode.ENDPOINT_NOT_ALLOWED
            assert other.host in fault.message
        assert other.sent == []


def test_an_allowed_host_is_called(cloud, opened) -> None:
    with CannedCloud() as other:
        other.on("GET", STACKS, EMPTY)
        cloud.on("POST", "/v3/auth/tokens", cloud.token(heat=f"{other.url}/heat"))
        opened(cloud, allowed_hosts=(other.host,)).heat.list(())
        assert len(other.sent) == 1


@pytest.mark.parametrize(
    "heat",
    ["http://{good}@127.0.0.1:1/", "http://127.0.0.1:1\\@{good}/", "file:///etc/passwd", "//{good}"],
)
def test_an_odd_url_is_no_way_round(cloud, opened, heat: str) -> None:
    cloud.on("POST", "/v3/auth/tokens", cloud.token(heat=heat.format(good=cloud.host)))
    assert fault_of(lambda: create(opened(cloud))).code is ErrorCode.ENDPOINT_NOT_ALLOWED


def test_proxies_and_files_named_by_the_environment_are_ignored(cloud, opened, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    opened(cloud).heat.list(())
    assert "Authorization" not in cloud.seen("GET", STACKS)[0].headers


def test_a_cookie_is_not_kept(cloud, opened) -> None:
    cloud.on("GET", STACKS, Canned(200, {"stacks": []}, {"Set-Cookie": "a=b"}))
    project = opened(cloud)
    project.heat.list(())
    project.heat.list(())
    assert all("Cookie" not in sent.headers for sent in cloud.sent)


# Whose token


@pytest.mark.parametrize("call", [ProjectClient.verify, create])
def test_a_token_for_another_project_is_not_used(cloud, opened, call) -> None:
    cloud.on("POST", "/v3/auth/tokens", cloud.token(project="other"))
    fault = fault_of(lambda: call(opened(cloud)))
    assert (fault.code, fault.definite) == (ErrorCode.PROJECT_MISMATCH, True)
    assert [sent.path for sent in cloud.sent] == ["/v3/auth/tokens"]


def test_a_cloud_without_heat_is_said(cloud, opened) -> None:
    fault = fault_of(opened(cloud, region="two").verify)
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
]


@pytest.mark.parametrize("token", BROKEN_TOKENS, ids=range(len(BROKEN_TOKENS)))
def test_a_broken_token_is_an_outage_and_nothing_was_done(cloud, opened, token: Canned) -> None:
    cloud.on("POST", "/v3/auth/tokens", token)
    fault = fault_of(lambda: create(opened(cloud)))
    assert fault.code in (ErrorCode.CLOUD_UNAVAILABLE, ErrorCode.PROJECT_MISMATCH)
    assert fault.definite
    assert cloud.seen("POST", STACKS) == []


def test_a_deleted_credential_is_unauthorized(cloud, opened) -> None:
    body = {"error": {"code": 404, "message": "Could not find Application Credential: id.", "title": "Not Found"}}
    cloud.on("POST", "/v3/auth/tokens", Canned(404, body))
    fault = fault_of(lambda: opened(cloud).heat.delete("vm-1", "s-1"))
    assert fault.code is ErrorCode.UNAUTHORIZED
    assert "Could not find Application Credential" in fault.message


@pytest.mark.parametrize("call", [create, lambda project: project.heat.list(())])
def test_a_token_that_ended_is_renewed_once(cloud, opened, call) -> None:
    cloud.on("POST", STACKS, Canned(401), CREATED)
    cloud.on("GET", STACKS, Canned(401), EMPTY)
    call(opened(cloud))
    assert len(cloud.seen("POST", "/v3/auth/tokens")) == 2


def test_a_second_401_is_final(cloud, opened) -> None:
    cloud.on("POST", STACKS, Canned(401, {"error": {"message": "no"}}))
    fault = fault_of(lambda: create(opened(cloud)))
    assert (fault.code, fault.definite) == (ErrorCode.UNAUTHORIZED, True)
    assert len(cloud.seen("POST", STACKS)) == 2


# How long, how much


SLOW = {
    "a head that drips": dripping(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"),
    "a body that drips": dripping(OK + b"Content-Length: 9999\r\n\r\n"),
    "a body without a length that drips": dripping(OK + b"Connection: close\r\n\r\n"),
    "chunks that drip": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "silence": Canned(raw=lambda _, stopping: stopping.wait()),
    "a head, then silence": Canned(
        raw=lambda connection, stopping: (connection.sendall(OK + b"Connection: close\r\n\r\n"), stopping.wait())
    ),
}


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_a_slow_answer_is_cut_and_may_still_land(cloud, opened, slow: Canned) -> None:
    project = opened(cloud, timeout=SHORT)
    project.verify()
    cloud.on("POST", STACKS, slow)
    fault = fault_of(lambda: create(project))
    assert (fault.code, fault.definite) == (ErrorCode.TIMEOUT, False)
    assert len(cloud.seen("POST", STACKS)) == 1


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_a_slow_keystone_is_cut_and_nothing_was_done(cloud, opened, slow: Canned) -> None:
    cloud.on("POST", "/v3/auth/tokens", slow)
    fault = fault_of(lambda: create(opened(cloud, timeout=SHORT)))
    assert (fault.code, fault.definite) == (ErrorCode.TIMEOUT, True)
    assert fault.message.startswith("authenticate")


HUGE = {
    "said": Canned(200, b" " * (LARGEST_BODY + 1)),
    "compressed": Canned(200, gzip.compress(b" " * (LARGEST_BODY * 4)), {"Content-Encoding": "gzip"}),
    "endless": dripping(OK + b"Connection: close\r\n\r\n", b" " * 1_000_000),
}


@pytest.mark.parametrize("huge", HUGE.values(), ids=HUGE)
def test_a_huge_answer_is_not_kept(cloud, opened, huge: Canned) -> None:
    cloud.on("GET", STACKS, huge)
    assert fault_of(lambda: opened(cloud).heat.list(())).code is ErrorCode.CLOUD_UNAVAILABLE


def test_a_compressed_answer_is_read(cloud, opened) -> None:
    cloud.on("GET", STACKS, Canned(200, gzip.compress(b'{"stacks": []}'), {"Content-Encoding": "gzip"}))
    assert opened(cloud).heat.list(()).stacks == ()


# Broken answers


BROKEN = {
    "JSON that ends in the middle": Canned(200, b'{"stacks": ['),
    "a body shorter than said": cut(OK + b'Content-Length: 99\r\n\r\n{"stacks": []}'),
    "no answer at all": cut(b""),
    "no HTTP": cut(b"220 smtp ready\r\n"),
    "bad compression": Canned(200, b"no gzip", {"Content-Encoding": "gzip"}),
    "a list": Canned(200, []),
    "no stacks": Canned(200, {}),
    "stacks that are none": Canned(200, {"stacks": [{"id": 1}]}),
    "nesting without end": Canned(200, b"[" * 200_000),
    "nothing": Canned(200, b""),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_to_a_look_is_an_outage(cloud, opened, broken: Canned) -> None:
    cloud.on("GET", STACKS, broken)
    assert fault_of(lambda: opened(cloud).heat.list(())).code is ErrorCode.CLOUD_UNAVAILABLE


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_to_a_create_may_still_land(cloud, opened, broken: Canned) -> None:
    cloud.on("POST", STACKS, broken)
    fault = fault_of(lambda: create(opened(cloud)))
    assert (fault.code, fault.definite) == (ErrorCode.CLOUD_UNAVAILABLE, False)
    assert len(cloud.seen("POST", STACKS)) == 1


def test_a_page_of_html_never_reaches_the_message(cloud, opened) -> None:
    cloud.on("POST", STACKS, Canned(502, b"<html>nginx</html>", {"Content-Type": "text/html", "Retry-After": "7"}))
    fault = fault_of(lambda: create(opened(cloud)))
    assert fault == Fault(ErrorCode.CLOUD_UNAVAILABLE, "create stack vm-1: HTTP 502", definite=False, retry_after=7.0)


def test_a_date_to_come_back_is_a_pause(cloud, opened) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=5)
    cloud.on("GET", STACKS, Canned(429, {}, {"Retry-After": format_datetime(later, usegmt=True)}))
    fault = fault_of(lambda: opened(cloud).heat.list(()))
    assert (fault.code, fault.retry_after) == (ErrorCode.RATE_LIMITED, 600.0)


def test_user_data_quoted_by_heat_is_not_shown(cloud, opened) -> None:
    text = "Parameter 'user_data' is invalid: could not convert string to float: 'chpasswd: root:hunter2'"
    cloud.on("POST", STACKS, Canned(400, {"error": {"type": "StackValidationFailed", "message": text}}))
    assert "hunter2" not in fault_of(lambda: create(opened(cloud))).message


def test_nothing_secret_is_logged(cloud, opened, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    create(opened(cloud))
    for secret in ("the-secret", TOKEN, "hunter2"):
        assert secret not in caplog.text


def test_nobody_listening_is_definite(cloud, opened) -> None:
    project = opened(cloud)
    project.verify()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    fault = fault_of(lambda: create(opened(cloud, auth_url=f"http://127.0.0.1:{port}/v3")))
    assert (fault.code, fault.definite) == (ErrorCode.CLOUD_UNAVAILABLE, True)
    cloud.on("POST", "/v3/auth/tokens", cloud.token(heat=f"http://127.0.0.1:{port}/heat"))
    fault = fault_of(lambda: create(opened(cloud, allowed_hosts=(f"127.0.0.1:{port}",))))
    assert (fault.code, fault.definite) == (ErrorCode.CLOUD_UNAVAILABLE, True)
    assert fault.message == "create stack vm-1: connection refused or host not found"


# Heat's own oddities that a healthy one shows rarely


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
def test_a_page_after_a_purged_marker_begins_anew_and_shows_each_stack_once(cloud, opened, answer: Canned) -> None:
    project = opened(cloud)
    project.heat._page = 2
    cloud.on("GET", STACKS, stacks(1, 2), answer, stacks(1, 2), stacks(3))
    assert [stack.id for stack in project.heat.list(("a",)).stacks] == ["s-1", "s-2", "s-3"]


def test_a_list_without_end_is_an_error(cloud, opened, monkeypatch) -> None:
    monkeypatch.setattr("stoker.openstack.heat.MOST_PAGES", 5)
    project = opened(cloud)
    project.heat._page = 2
    cloud.on("GET", STACKS, stacks(1, 2))
    assert "no end after 5 pages" in fault_of(lambda: project.heat.list(("a",))).message


def test_a_list_that_fails_in_the_middle_is_no_list(cloud, opened) -> None:
    project = opened(cloud)
    project.heat._page = 2
    cloud.on("GET", STACKS, stacks(1, 2), Canned(500))
    assert fault_of(lambda: project.heat.list(("a",))).code is ErrorCode.CLOUD_UNAVAILABLE


def test_stacks_that_a_filter_let_through_are_left_out(cloud, opened) -> None:
    cloud.on("GET", STACKS, stacks(1))
    assert opened(cloud).heat.list(("a", "c")).stacks == ()
    assert opened(cloud).heat.find("vm-2").stacks == ()
    assert len(opened(cloud).heat.list(("a", "b")).stacks) == 1


def test_a_stack_just_deleted_is_left_out(cloud, opened) -> None:
    cloud.on("GET", STACKS, stacks(1, stack_status="DELETE_COMPLETE"))
    assert opened(cloud).heat.list(("a",)).stacks == ()


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
def test_a_name_held_by_what_was_deleted_is_a_conflict_that_passes(cloud, opened, listed, code) -> None:
    cloud.on("POST", STACKS, TAKEN)
    cloud.on("GET", STACKS, listed)
    fault = fault_of(lambda: create(opened(cloud)))
    assert (fault.code, fault.definite) == (code, True)
    assert len(cloud.seen("POST", STACKS)) == 1


GONE = Canned(404, {"error": {"type": "EntityNotFound", "message": "The Stack (vm-1) could not be found."}})
BROKEN_ROW = Canned(404, {"error": {"type": "NotFound", "message": "ResourcePropertiesData with id 7 not found"}})


def test_deleting_what_is_gone_succeeds(cloud, opened) -> None:
    cloud.on("DELETE", f"{STACKS}/vm-1/s-1", GONE)
    opened(cloud).heat.delete("vm-1", "s-1")


def test_a_404_of_a_live_stack_is_neither_deleted_nor_gone(cloud, opened) -> None:
    for method in ("DELETE", "GET"):
        cloud.on(method, f"{STACKS}/vm-1/s-1", BROKEN_ROW)
    assert fault_of(lambda: opened(cloud).heat.delete("vm-1", "s-1")).code is ErrorCode.NOT_FOUND
    assert fault_of(lambda: opened(cloud).heat.probe("vm-1", "s-1")).code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(("name", "stack_id"), [("vm-1", "../../x"), ("..", "s-1"), ("vm-1", ""), ("vm-1?x", "s-1")])
def test_a_name_or_id_cannot_be_another_path(cloud, opened, name: str, stack_id: str) -> None:
    assert fault_of(lambda: opened(cloud).heat.delete(name, stack_id)).code is ErrorCode.UNKNOWN
    assert cloud.sent == []


def test_a_collection_is_read_to_its_end_though_the_service_caps_its_pages(cloud, opened) -> None:
    first = {"images": [{"id": "1", "name": "a", "status": "active"}], "next": "/v2/images?marker=1"}
    cloud.on("GET", "/image/v2/images", Canned(200, first), Canned(200, {"images": [{"id": "2", "status": "queued"}]}))
    assert [(image.id, image.name) for image in opened(cloud).image.images()] == [("1", "a"), ("2", "")]
    assert "marker=1" in cloud.seen("GET", "/image/v2/images")[1].query


def test_a_servers_fault_is_kept(cloud, opened) -> None:
    server = {
        "id": "1",
        "name": "a",
        "status": "ERROR",
        "OS-EXT-STS:power_state": 4,
        "fault": {"message": "No valid host"},
    }
    cloud.on("GET", "/compute/v2.1/servers/detail", Canned(200, {"servers": [server]}))
    (found,) = opened(cloud).compute.servers().by_id.values()
    assert (found.status, found.power, found.fault) == ("ERROR", "Stopped", "No valid host")


@pytest.mark.parametrize("body", [{}, {"networks": [{}]}, {"networks": 7}])
def test_a_collection_of_something_else_is_an_outage(cloud, opened, body) -> None:
    cloud.on("GET", "/network/v2.0/networks", Canned(200, body))
    assert fault_of(opened(cloud).network.networks).code is ErrorCode.CLOUD_UNAVAILABLE


# TLS


def certificate(path: Path, host: str) -> tuple[ssl.SSLContext, str]:
    """Return a server's context with a new self-signed certificate for that address, and the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (path / "server.pem").write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path / "server.pem")
    return context, pem.decode()


@pytest.mark.parametrize(
    ("host", "known", "accepted"), [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("127.0.0.2", True, False)]
)
def test_tls_is_verified_against_the_clouds_own_ca(
    opened, tmp_path: Path, host: str, known: bool, accepted: bool
) -> None:
    context, pem = certificate(tmp_path, host)
    with CannedCloud(tls=context) as cloud:
        project = opened(cloud, ca_bundle=pem if known else None)
        if accepted:
            project.verify()
            return
        fault = fault_of(project.verify)
        assert (fault.code, fault.definite) == (ErrorCode.CLOUD_UNAVAILABLE, True)
        assert "certificate" in fault.message
        assert cloud.sent == []


def test_the_environment_cannot_add_a_ca(opened, tmp_path: Path, monkeypatch) -> None:
    context, pem = certificate(tmp_path, "127.0.0.1")
    (tmp_path / "ca.pem").write_text(pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with CannedCloud(tls=context) as cloud:
        fault_of(opened(cloud).verify)


def test_a_drip_over_tls_is_cut(opened, tmp_path: Path) -> None:
    context, pem = certificate(tmp_path, "127.0.0.1")
    with CannedCloud(tls=context) as cloud:
        project = opened(cloud, ca_bundle=pem, timeout=1.0)
        project.verify()
        cloud.on("POST", STACKS, dripping(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"))
        assert fault_of(lambda: create(project)).code is ErrorCode.TIMEOUT


@pytest.mark.parametrize("text", ["no PEM", "", "ü", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"])
def test_a_bundle_that_is_none_is_said(cloud, opened, text: str) -> None:
    assert fault_of(lambda: opened(cloud, ca_bundle=text)).code is ErrorCode.TENANT_NOT_READY
