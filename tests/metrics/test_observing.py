"""What is counted when an operation ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stoker import metrics
from stoker.api.errors import ErrorCode
from stoker.api.operation import AttemptOutcome, OperationState, OperationType
from stoker.core.actions import Retain, Settle
from support.build import operation

ACCEPTED, FAILED = AttemptOutcome.ACCEPTED, AttemptOutcome.FAILED


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    metrics.OPERATIONS.clear()
    yield
    metrics.OPERATIONS.clear()


def counted() -> list[tuple[Any, ...]]:
    samples = [sample for family in metrics.OPERATIONS.collect() for sample in family.samples]
    return [tuple(sample.labels[name] for name in ("type", "result", "template", "code")) for sample in samples]


@pytest.mark.parametrize(("state", "outcome", "code", "shown"), [
    (OperationState.SUCCEEDED, ACCEPTED, None, [("Create", "Succeeded", "t@v1", "")]),
    (OperationState.FAILED, FAILED, ErrorCode.INVALID_SPEC, [("Create", "Failed", "t@v1", "InvalidSpec")]),
    (OperationState.RUNNING, FAILED, ErrorCode.NO_VALID_HOST, [("Create", "Retried", "t@v1", "NoValidHost")]),
    (OperationState.RUNNING, ACCEPTED, None, []),
])  # fmt: skip
def test_an_attempt_is_counted_when_it_ended(
    state: OperationState, outcome: AttemptOutcome, code: ErrorCode | None, shown: list[tuple[Any, ...]]
) -> None:
    metrics.observe_operation(Settle("web-1-create", state, outcome, error=code), operation(), "t@v1")
    assert counted() == shown


def test_an_attempt_that_failed_before_and_is_given_up_for_an_edit_or_a_deletion_is_not_a_second_failure() -> None:
    known = operation(outcome=FAILED)
    settle = Settle("web-1-create", OperationState.FAILED, FAILED, error=ErrorCode.NO_VALID_HOST)
    metrics.observe_operation(settle, known, "t@v1")
    assert counted() == [("Create", "Superseded", "t@v1", "NoValidHost")]


def test_a_deletion_that_leaves_the_stack_is_counted_as_one_that_succeeded() -> None:
    metrics.observe_operation(Retain("x", operation(OperationType.DELETE).spec, "s1"), None, "")
    assert counted() == [("Delete", "Succeeded", "", "")]


@pytest.mark.parametrize(("call", "service"), [
    ("create", "orchestration"), ("reboot", "compute"), ("catalog-images", "image"), ("verify", "identity"),
])  # fmt: skip
def test_a_call_is_counted_for_the_service_that_it_asks(call: str, service: str) -> None:
    labels = {"service": service, "operation": call, "code": "ok"}
    before = metrics.REGISTRY.get_sample_value("stoker_openstack_request_seconds_count", labels) or 0
    metrics.observe_call(call, "ok", 0.1)
    assert metrics.REGISTRY.get_sample_value("stoker_openstack_request_seconds_count", labels) == before + 1
