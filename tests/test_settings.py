"""Settings: one environment variable for each field, refused in words when it cannot be meant."""

from __future__ import annotations

from dataclasses import fields

import pytest

from stoker.settings import Settings


def test_an_empty_environment_gives_the_defaults():
    assert Settings.load({}) == Settings()


def test_variables_of_others_are_not_ours():
    assert Settings.load({"HOME": "/", "STOKER_PORT_8080_TCP": "tcp://10.0.0.1:8080"}) == Settings()


def test_the_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STOKER_WORKERS", "3")
    assert Settings.load().workers == 3


@pytest.mark.parametrize("name", [item.name for item in fields(Settings)])
def test_every_field_has_a_variable_and_a_sentence(name: str):
    item = next(item for item in fields(Settings) if item.name == name)
    kind = type(item.default)
    value = "DEBUG" if name == "log_level" else {str: "text", int: "7", float: "97.5"}[kind]
    assert getattr(Settings.load({f"STOKER_{name.upper()}": value}), name) == kind(value)
    assert item.metadata["help"].endswith(".")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("STOKER_WORKERS", "many", "'many' is not a whole number"),
        ("STOKER_WORKERS", "1.5", "'1.5' is not a whole number"),
        ("STOKER_WORKERS", "", "'' is not a whole number"),
        ("STOKER_WORKERS", "-1", "'-1' is not finite, or less than zero"),
        ("STOKER_WORKERS", "0", "must be at least 1"),
        ("STOKER_TENANT_CALLS", "0", "must be at least 1"),
        ("STOKER_STACK_TIMEOUT_MINUTES", "0", "must be at least 1"),
        ("STOKER_POLL_SECONDS", "often", "'often' is not a number"),
        ("STOKER_POLL_SECONDS", "nan", "'nan' is not finite, or less than zero"),
        ("STOKER_POLL_SECONDS", "-0.1", "'-0.1' is not finite, or less than zero"),
        ("STOKER_POLL_SECONDS", "inf", "'inf' is not finite, or less than zero"),
        ("STOKER_METRICS_PORT", "65536", "65536 is not a TCP port"),
        ("STOKER_HEALTH_PORT", "70000", "70000 is not a TCP port"),
        ("STOKER_NAMESPACE", "", "must not be empty"),
        ("STOKER_LEASE_NAME", "", "must not be empty"),
        ("STOKER_LOG_LEVEL", "LOUD", "'LOUD' is none of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_bad_value_is_named_with_its_variable(variable: str, value: str, expected: str):
    with pytest.raises(ValueError, match=f"{variable}.*") as caught:
        Settings.load({variable: value})
    assert expected in str(caught.value)


@pytest.mark.parametrize("timeout", ["120", "121"])
def test_a_create_ends_before_its_deadline(timeout: str):
    with pytest.raises(ValueError, match="must be less than STOKER_CREATE_DEADLINE_SECONDS"):
        Settings.load({"STOKER_CREATE_TIMEOUT_SECONDS": timeout})
    longer = {"STOKER_CREATE_TIMEOUT_SECONDS": timeout, "STOKER_CREATE_DEADLINE_SECONDS": "122"}
    assert Settings.load(longer).create_timeout_seconds == float(timeout)


def test_the_holder_differs_in_every_process_and_starts_with_the_identity():
    settings = Settings(identity="pod-1")
    first, second = settings.holder, settings.holder
    assert first.startswith("pod-1_")
    assert first != second
    assert Settings().holder.partition("_")[0]
