"""The sweep: what is an orphan, and which operations have had their time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from stoker.api.operation import OperationType
from stoker.api.tenant import Orphan
from stoker.core.sweep import SweepWorld, sweep
from support.build import NOW, UID, operation, stack

OLD = stack(created=NOW - timedelta(hours=1))
BASE = SweepWorld((OLD,), frozenset(), (), NOW, timedelta(minutes=10), timedelta(days=1), frozenset({"s1"}), ())
RETAINED = operation(
    OperationType.DELETE, state="Succeeded", retained=True, stack_id="s1", completed_at=NOW - timedelta(days=9)
)
ENDED = operation(state="Succeeded", completed_at=NOW - timedelta(days=2))


@pytest.mark.parametrize(
    ("world", "orphans"),
    [
        pytest.param(BASE, ["s1"], id="seen twice and past its grace"),
        pytest.param(replace(BASE, seen_before=frozenset()), [], id="not seen before"),
        pytest.param(replace(BASE, stacks=(replace(OLD, created=NOW),)), [], id="within its grace"),
        pytest.param(replace(BASE, vm_ids=frozenset({UID})), [], id="owned"),
        pytest.param(replace(BASE, operations=(RETAINED,)), [], id="retained on purpose"),
        pytest.param(replace(BASE, stacks=(replace(OLD, status="DELETE_IN_PROGRESS"),)), [], id="on its way out"),
    ],
)
def test_a_stack_is_an_orphan_only_when(world: SweepWorld, orphans: list[str]) -> None:
    assert [orphan.stack_id for orphan in sweep(world).orphans] == orphans


def test_an_orphan_keeps_the_time_of_its_first_report() -> None:
    first = Orphan(stack_id="s1", stack_name="x", since=NOW - timedelta(days=3))
    (found,) = sweep(replace(BASE, reported=(first,))).orphans
    assert found.since == first.since


def test_what_has_no_object_now_is_remembered_for_the_next_sweep() -> None:
    assert sweep(replace(BASE, seen_before=frozenset())).ownerless == {"s1"}


def test_ended_operations_go_after_their_time() -> None:
    young = operation(OperationType.DELETE, state="Succeeded", completed_at=NOW)
    assert sweep(replace(BASE, operations=(ENDED, young), vm_ids=frozenset({UID}))).expired == (ENDED,)


def test_the_record_of_a_retained_stack_stays_while_the_stack_does() -> None:
    assert sweep(replace(BASE, operations=(RETAINED,))).expired == ()
    assert sweep(replace(BASE, operations=(RETAINED,), stacks=())).expired == (RETAINED,)


def test_an_open_operation_without_a_vm_is_abandoned() -> None:
    assert sweep(replace(BASE, operations=(operation(),))).abandoned == (operation(),)
    assert sweep(replace(BASE, operations=(operation(),), vm_ids=frozenset({UID}))).abandoned == ()


def test_the_record_of_an_idempotency_key_stays_while_its_vm_lives_or_is_in_a_younger_record() -> None:
    keyed = ENDED.model_copy(update={"spec": ENDED.spec.model_copy(update={"idempotency_key": "k1"})})
    deleted = operation(OperationType.DELETE, state="Succeeded", completed_at=NOW - timedelta(hours=1))
    assert sweep(replace(BASE, operations=(keyed,))).expired == (keyed,)
    assert sweep(replace(BASE, operations=(keyed,), vm_ids=frozenset({UID}))).expired == ()
    assert sweep(replace(BASE, operations=(keyed, deleted))).expired == ()
    assert sweep(replace(BASE, operations=(ENDED, deleted), vm_ids=frozenset({UID}))).expired == (ENDED,)
