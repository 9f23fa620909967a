"""The reader of the access logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localenv import access_log
from localenv.access_log import Access
from localenv.settings import LocalSettings

EARLY = {
    "time": 10.5,
    "status": 200,
    "milliseconds": 3,
    "method": "GET",
    "path": "/v1/p/stacks",
    "query": "tags=a",
    "client": "stoker/0.1 keystoneauth1/5",
    "request_id": "req-1",
    "project_id": "p",
    "user_id": "u",
}
LATE = {**EARLY, "time": 20.0, "client": "python-heatclient"}
ANONYMOUS = {name: LATE[name] for name in ("time", "status", "milliseconds", "method", "path", "query", "client")}


@pytest.fixture
def settings(tmp_path: Path) -> LocalSettings:
    (tmp_path / "log").mkdir()
    return LocalSettings(state=tmp_path, cache=tmp_path, ports={})


def write(settings: LocalSettings, *records: dict[str, object], end: str = "\n") -> None:
    (settings.logs / "access-heat.jsonl").write_text("\n".join(map(json.dumps, records)) + end)


def test_a_line_becomes_a_request(settings: LocalSettings) -> None:
    write(settings, EARLY)
    assert access_log.read(settings, "heat", since=0) == [Access(**EARLY)]


def test_a_request_without_a_token_has_no_project(settings: LocalSettings) -> None:
    write(settings, ANONYMOUS)
    (entry,) = access_log.read(settings, "heat", since=0)
    assert (entry.project_id, entry.user_id, entry.request_id) == (None, None, None)


@pytest.mark.parametrize(
    ("since", "client", "times"),
    [
        (0, None, [10.5, 20.0]),
        (10.5, None, [10.5, 20.0]),
        (10.6, None, [20.0]),
        (0, "stoker/", [10.5]),
        (0, "keystoneauth1", []),
        (21, None, []),
    ],
)
def test_time_and_client_select(settings: LocalSettings, since: float, client: str | None, times: list[float]) -> None:
    write(settings, EARLY, LATE)
    assert [entry.time for entry in access_log.read(settings, "heat", since=since, client=client)] == times


def test_a_line_that_is_being_written_is_left_for_the_next_reading(settings: LocalSettings) -> None:
    write(settings, EARLY, LATE, end="")
    assert [entry.time for entry in access_log.read(settings, "heat", since=0)] == [10.5]


def test_a_service_that_was_never_asked_has_no_requests(settings: LocalSettings) -> None:
    assert access_log.read(settings, "heat", since=0) == []
