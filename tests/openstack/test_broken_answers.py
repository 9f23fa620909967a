"""A slow, huge or broken answer costs a bounded call and one classified error, and tells no secret."""

from __future__ import annotations

import datetime as dt
import gzip
import logging
import socket
from email.utils import format_datetime

import pytest

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault
from stoker.openstack.session import LARGEST_BODY
from support.canned import TOKEN, Canned, cut, dripping
from support.canned_project import OK, SHORT, STACKS, create, fault_of

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
def test_a_slow_answer_is_cut_and_may_still_land(canned, opened, slow: Canned) -> None:
    project = opened(canned, timeout=SHORT)
    project.verify()
    canned.on("POST", STACKS, slow)
    fault = fault_of(lambda: create(project))
    assert (fault.code, fault.definite) == (ErrorCode.TIMEOUT, False)
    assert len(canned.seen("POST", STACKS)) == 1


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_a_slow_keystone_is_cut_and_nothing_was_done(canned, opened, slow: Canned) -> None:
    canned.on("POST", "/v3/auth/tokens", slow)
    fault = fault_of(lambda: create(opened(canned, timeout=SHORT)))
    assert (fault.code, fault.definite) == (ErrorCode.TIMEOUT, True)
    assert fault.message.startswith("authenticate")


HUGE = {
    "said": Canned(200, b" " * (LARGEST_BODY + 1)),
    "compressed": Canned(200, gzip.compress(b" " * (LARGEST_BODY * 4)), {"Content-Encoding": "gzip"}),
    "endless": dripping(OK + b"Connection: close\r\n\r\n", b" " * 1_000_000),
}


@pytest.mark.parametrize("huge", HUGE.values(), ids=HUGE)
def test_a_huge_answer_is_not_kept(canned, opened, huge: Canned) -> None:
    canned.on("GET", STACKS, huge)
    assert fault_of(lambda: opened(canned).heat.list(())).code is ErrorCode.CLOUD_UNAVAILABLE


def test_a_compressed_answer_is_read(canned, opened) -> None:
    canned.on("GET", STACKS, Canned(200, gzip.compress(b'{"stacks": []}'), {"Content-Encoding": "gzip"}))
    assert opened(canned).heat.list(()).stacks == ()


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
def test_a_broken_answer_to_a_look_is_an_outage(canned, opened, broken: Canned) -> None:
    canned.on("GET", STACKS, broken)
    assert fault_of(lambda: opened(canned).heat.list(())).code is ErrorCode.CLOUD_UNAVAILABLE


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_to_a_create_may_still_land(canned, opened, broken: Canned) -> None:
    canned.on("POST", STACKS, broken)
    fault = fault_of(lambda: create(opened(canned)))
    assert (fault.code, fault.definite) == (ErrorCode.CLOUD_UNAVAILABLE, False)
    assert len(canned.seen("POST", STACKS)) == 1


def test_a_page_of_html_never_reaches_the_message(canned, opened) -> None:
    canned.on("POST", STACKS, Canned(502, b"<html>nginx</html>", {"Content-Type": "text/html", "Retry-After": "7"}))
    fault = fault_of(lambda: create(opened(canned)))
    assert fault == Fault(
        ErrorCode.CLOUD_UNAVAILABLE, "create stack vm-1: HTTP 502", definite=False, retry_after=7.0, outage=True
    )


def test_a_date_to_come_back_is_a_pause(canned, opened) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=5)
    canned.on("GET", STACKS, Canned(429, {}, {"Retry-After": format_datetime(later, usegmt=True)}))
    fault = fault_of(lambda: opened(canned).heat.list(()))
    assert (fault.code, fault.retry_after) == (ErrorCode.RATE_LIMITED, 600.0)


def test_user_data_quoted_by_heat_is_not_shown(canned, opened) -> None:
    text = "Parameter 'user_data' is invalid: could not convert string to float: 'chpasswd: root:hunter2'"
    canned.on("POST", STACKS, Canned(400, {"error": {"type": "StackValidationFailed", "message": text}}))
    assert "hunter2" not in fault_of(lambda: create(opened(canned))).message


def test_nothing_secret_is_logged(canned, opened, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    create(opened(canned))
    for secret in ("the-secret", TOKEN, "hunter2"):
        assert secret not in caplog.text


def test_nobody_listening_is_definite(canned, opened) -> None:
    project = opened(canned)
    project.verify()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    fault = fault_of(lambda: create(opened(canned, auth_url=f"http://127.0.0.1:{port}/v3")))
    assert (fault.code, fault.definite) == (ErrorCode.CLOUD_UNAVAILABLE, True)
    canned.on("POST", "/v3/auth/tokens", canned.token(heat=f"http://127.0.0.1:{port}/heat"))
    fault = fault_of(lambda: create(opened(canned, allowed_hosts=(f"127.0.0.1:{port}",))))
    assert (fault.code, fault.definite) == (ErrorCode.CLOUD_UNAVAILABLE, True)
    assert fault.message == "create stack vm-1: connection refused or host not found"
