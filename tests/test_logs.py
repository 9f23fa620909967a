"""Logging: one JSON object a line, and nothing in it that looks like a credential."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from stoker import logs
from stoker.logs import JsonFormatter, redact

SECRET = "gAAAAAB-hunter2"  # what must not be read


@pytest.fixture
def untouched() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root, ours = logging.getLogger(), logging.getLogger("stoker")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    root.handlers = []  # set_up closes those it finds, and pytest's are not ours to close
    yield
    root.handlers = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: bearer {SECRET}",
        f"X-Auth-Token: {SECRET}",
        f"headers {{'X-Subject-Token': '{SECRET}', 'Accept': 'x'}}",
        f'"x-service-token": "{SECRET}"',
        f"password={SECRET}",
        f"{{'password': '{SECRET}'}}",
        f'{{"application_credential_secret": "{SECRET}"}}',
        f"token: {SECRET}",
        f'{{"password": "two words, {SECRET}"}}',
        f"'password': 'it\\'s {SECRET}'",
        f"Authorization: Basic {SECRET}",
        f"https://user:{SECRET}@example.org/path",
    ],
)
def test_what_looks_like_a_credential_is_not_written(text: str):
    assert SECRET not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text", ["", "stack vm-1 is CREATE_COMPLETE", "the Secret web has no key user-data", "https://example.org/a@b"]
)
def test_other_text_stays(text: str):
    assert redact(text) == text


def test_what_follows_a_credential_stays():
    assert redact(f"token={SECRET}, tenant=blue") == "token=[redacted], tenant=blue"


def record(message: str = "hello", *arguments: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("stoker.test", logging.WARNING, "file.py", 1, message, arguments, None)
    vars(made).update(more)
    return made


def test_a_record_is_one_line_of_json():
    made = record("first\nsecond %s", "ä")
    made.created = 1_700_000_000.1234
    line = JsonFormatter().format(made)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.123+00:00",
        "level": "warning",
        "logger": "stoker.test",
        "message": "first\nsecond ä",
    }


def test_extra_fields_are_fields_and_are_redacted_too():
    line = json.loads(JsonFormatter().format(record(tenant="blue", seconds=1.5, error=f"token={SECRET}", odd=object())))
    assert (line["tenant"], line["seconds"], line["error"]) == ("blue", 1.5, "token=[redacted]")
    assert "odd" not in line


def test_an_extra_field_with_a_secret_s_name_is_not_written():
    line = json.loads(JsonFormatter().format(record(auth_token=SECRET, clientSecret=SECRET, password_length=7)))
    assert {line["auth_token"], line["clientSecret"], line["password_length"]} == {"[redacted]"}


def test_message_arguments_and_exceptions_are_redacted():
    made = record("refused: %s", {"password": SECRET})
    try:
        raise ValueError(f"Bearer {SECRET}")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = JsonFormatter().format(made)
    assert SECRET not in line
    assert "ValueError: Bearer [redacted]" in json.loads(line)["exception"]


def test_set_up_writes_ours_from_the_level_and_others_from_warnings(
    untouched: None, capsys: pytest.CaptureFixture[str]
):
    logs.set_up("INFO")
    logging.getLogger("stoker.x").debug("no")
    logging.getLogger("stoker.x").info("yes")
    logging.getLogger("kopf.y").info("no")
    logging.getLogger("kopf.y").warning("yes")
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.err.splitlines()]
    assert [(line["logger"], line["message"]) for line in lines] == [("stoker.x", "yes"), ("kopf.y", "yes")]
    assert captured.out == ""


def test_an_unknown_level_is_refused(untouched: None):
    with pytest.raises(ValueError, match="LOUD"):
        logs.set_up("LOUD")
