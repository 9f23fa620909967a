"""The sweep: what is an orphan, what is deleted and what holds it, and which operations have had their time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.api.operation import OperationType, VirtualMachineOperation
from stoker.api.tenant import Orphan, OrphanBrake, OrphanPolicy
from stoker.core.identity import cluster_tags
from stoker.core.orphans import Doomed, Spared, Tally, Why, brake, confirmed_until, is_confirmed, may_go, pace
from stoker.core.stack import Stack
from stoker.core.sweep import SweepWorld, sweep
from support.build import IDENTITY, NOW, UID, UPDATE, operation, stack

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
GRACE, TTL = 10 * MINUTE, timedelta(days=1)
STAMP = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"


def numbered(number: int, **changes: object) -> Stack:
    """Return the old stack of another VM."""
    identity = replace(IDENTITY, id=f"vm-{number}", name=f"web-{number}")
    return stack(id=f"n{number}", **{"tags": frozenset(identity.tags("op", "in")), "created": NOW - HOUR, **changes})


def many(amount: int) -> tuple[Stack, ...]:
    return tuple(numbered(number) for number in range(amount))


def reported(*ids: str, since: datetime = NOW - GRACE) -> tuple[Orphan, ...]:
    return tuple(Orphan(stack_id=name, stack_name="x", since=since) for name in ids)


def made(record: VirtualMachineOperation, at: datetime | None, **metadata: object) -> VirtualMachineOperation:
    """Return the operation as the API server stored it then."""
    changed = record.metadata.model_copy(update={"creation_timestamp": at, **metadata})
    return record.model_copy(update={"metadata": changed})


OLD = stack(created=NOW - HOUR)
BASE = SweepWorld("cluster", (OLD,), frozenset(), (), NOW, GRACE, TTL, frozenset({"s1"}), ())
DELETE = replace(BASE, policy=OrphanPolicy.DELETE, reported=reported("s1"))
RETAINED = operation(
    OperationType.DELETE, state="Succeeded", retained=True, stack_id="s1", completed_at=NOW - timedelta(days=9)
)
ENDED = operation(state="Succeeded", completed_at=NOW - timedelta(days=2))
MARK = made(RETAINED, NOW, name="left-1", namespace="stoker-system")
WHOLE_VM = MARK.model_copy(update={"status": MARK.status.model_copy(update={"stack_id": None, "abandoned": True})})

CREATED = made(operation(state="Failed", outcome="Failed"), NOW - 9 * MINUTE)
DELETED = made(operation(OperationType.DELETE, state="Succeeded", outcome="Accepted"), NOW - 8 * MINUTE)
LATE = replace(BASE, stacks=(replace(OLD, created=NOW),), operations=(CREATED, DELETED))
UPDATED = made(operation(OperationType.UPDATE, cause=f"{UID}/2"), NOW - 9 * MINUTE)

TEN = replace(DELETE, stacks=(OLD, *many(9)), vm_ids=frozenset(f"vm-{n}" for n in range(9)))
TWO = replace(DELETE, stacks=(OLD, numbered(1)), seen_before=frozenset({"s1", "n1"}), reported=reported("s1", "n1"))
EMPTY = replace(TEN, vm_ids=frozenset(), seen_before=frozenset({"s1"}))

ORPHANS: dict[str, tuple[SweepWorld, bool]] = {
    "seen twice and past its grace": (BASE, True),
    "on the last second of its grace": (replace(BASE, stacks=(replace(OLD, created=NOW - GRACE),)), True),
    "not seen before": (replace(BASE, seen_before=frozenset()), False),
    "seen by this process once, and reported by the one before": (replace(BASE, seen_before=frozenset(), reported=reported("s1")), True),
    "within its grace": (replace(BASE, stacks=(replace(OLD, created=NOW - GRACE + MINUTE),)), False),
    "of unknown age": (replace(BASE, stacks=(replace(OLD, created=None),)), False),
    "owned": (replace(BASE, vm_ids=frozenset({UID})), False),
    "retained on purpose": (replace(BASE, operations=(RETAINED,)), False),
    "marked as left on purpose": (replace(BASE, marks=(MARK,)), False),
    "of a VM that was given up as a whole": (replace(BASE, marks=(WHOLE_VM,)), False),
    "beside the one that was retained": (replace(BASE, stacks=(replace(OLD, id="s2"),), marks=(MARK,), seen_before=frozenset({"s2"})), True),
    "of a VM whose deletion retained nothing": (replace(BASE, operations=(ENDED,)), True),
    "recorded by a live object, whatever VM its tags name": (replace(BASE, held=frozenset({"s1"})), False),
    "on its way out": (replace(BASE, stacks=(replace(OLD, status="DELETE_IN_PROGRESS"),)), False),
    "of another cluster": (replace(BASE, cluster="another"), False),
    "late, and reported while it is there": (replace(LATE, stacks=(OLD,)), True),
}  # fmt: skip

DOOMED: dict[str, tuple[SweepWorld, dict[str, Why], bool]] = {
    "an orphan goes under Delete": (DELETE, {"s1": Why.ORPHAN}, False),
    "and stays under Report": (replace(DELETE, policy=OrphanPolicy.REPORT), {}, False),
    "it stays until it was reported for the grace period": (
        replace(DELETE, reported=reported("s1", since=NOW - GRACE + MINUTE)), {}, False),
    "and until it was reported at all": (replace(DELETE, reported=()), {}, False),
    "and until this process has seen it twice": (replace(DELETE, seen_before=frozenset()), {}, False),
    "a retained one stays": (replace(DELETE, marks=(MARK,)), {}, False),
    "one that a live object records stays, whatever VM its tags name": (replace(DELETE, held=frozenset({"s1"})), {}, False),
    "one that says no VM stays": (
        replace(DELETE, stacks=(replace(OLD, tags=frozenset(cluster_tags("cluster"))),)), {}, False),
    "one of ten goes": (TEN, {"s1": Why.ORPHAN}, False),
    "one of a few goes": (replace(DELETE, stacks=(OLD, *many(2)), vm_ids=frozenset({"vm-0", "vm-1"})), {"s1": Why.ORPHAN}, False),
    "two of two are too many": (TWO, {}, True),
    "two of twenty are not": (
        replace(TWO, stacks=(OLD, *many(19)), vm_ids=frozenset(f"vm-{n}" for n in range(19) if n != 1)),
        {"s1": Why.ORPHAN, "n1": Why.ORPHAN}, False),
    "what lost its object only now counts": (EMPTY, {}, True),
    "nothing is said while nothing is held": (replace(EMPTY, seen_before=frozenset(), reported=()), {}, False),
    "nor under Report": (replace(TWO, policy=OrphanPolicy.REPORT), {}, False),
    "one is held when half of the cluster's stacks lost their objects": (
        replace(DELETE, elsewhere=Tally(3, 2)), {}, True),
    "but not by less": (replace(DELETE, elsewhere=Tally(3, 1)), {"s1": Why.ORPHAN}, False),
    "what a person confirmed goes, one after the other": (replace(TWO, confirmed=STAMP), {"s1": Why.ORPHAN}, False),
    "what was reported after the confirmed time is held": (
        replace(TWO, confirmed=f"{NOW - GRACE - MINUTE:%Y-%m-%dT%H:%M:%SZ}"), {}, True),
    "what is confirmed goes beside what is held": (
        replace(
            TWO, stacks=(OLD, numbered(1), numbered(2)), seen_before=frozenset({"s1", "n1", "n2"}),
            reported=(*reported("s1", since=NOW - HOUR), *reported("n1", "n2")), confirmed=f"{NOW - HOUR:%Y-%m-%dT%H:%M:%SZ}",
        ), {"s1": Why.ORPHAN}, True),
    "nothing is said when all that was seen twice is confirmed": (
        replace(DELETE, stacks=(OLD, *many(2)), confirmed=STAMP), {"s1": Why.ORPHAN}, False),
    "a create that landed after the deletion goes under Report": (LATE, {"s1": Why.LATE_CREATE}, False),
    "and under Delete, once": (
        replace(LATE, policy=OrphanPolicy.DELETE, stacks=(OLD, *many(19)), reported=reported("s1"),
                vm_ids=frozenset(f"vm-{n}" for n in range(19))), {"s1": Why.LATE_CREATE}, False),
    "and although the brake holds others": (
        replace(LATE, policy=OrphanPolicy.DELETE, stacks=(OLD, *many(2)), seen_before=frozenset({"s1", "n0", "n1"}),
                reported=reported("n0", "n1")), {"s1": Why.LATE_CREATE}, True),
    "but not before it was seen twice": (replace(LATE, seen_before=frozenset()), {}, False),
    "nor while its VM lives": (replace(LATE, vm_ids=frozenset({UID})), {}, False),
    "nor when no create of that name is recorded": (replace(LATE, operations=(DELETED,)), {}, False),
    "nor when another create is": (replace(LATE, stacks=(stack(by="web-1-create-another", created=NOW),)), {}, False),
    "nor when the deletion's record had its time": (replace(LATE, operations=(CREATED,)), {}, False),
    "nor when an update made its tags": (
        replace(LATE, stacks=(stack(by=UPDATE, created=NOW),), operations=(UPDATED, DELETED)), {}, False),
    "nor when the VM's deletion is not over": (
        replace(LATE, operations=(CREATED, made(operation(OperationType.DELETE), NOW - 8 * MINUTE))), {}, False),
    "nor when the deletion left a stack": (
        replace(LATE, operations=(CREATED, made(RETAINED, NOW - 8 * MINUTE).model_copy(
            update={"status": RETAINED.status.model_copy(update={"stack_id": "s0"})}))), {}, False),
    "nor when the create is of a later life than the deletion": (
        replace(LATE, operations=(made(CREATED, NOW - 7 * MINUTE), DELETED)), {}, False),
    "while one of the same second is of the same": (
        replace(LATE, operations=(made(CREATED, NOW - 8 * MINUTE), DELETED)), {"s1": Why.LATE_CREATE}, False),
    "nor when the deletion is recorded in another namespace": (
        replace(LATE, operations=(CREATED, made(DELETED, NOW, namespace="team-b"))), {}, False),
    "nor when the deletion is that of another VM": (
        replace(LATE, operations=(CREATED, DELETED.model_copy(
            update={"spec": DELETED.spec.model_copy(update={"vm_id": "other"})}))), {}, False),
    "nor when only an update succeeded": (
        replace(LATE, operations=(CREATED, made(operation(OperationType.UPDATE, state="Succeeded"), NOW))), {}, False),
    "nor with the tags of another object": (
        replace(LATE, stacks=(replace(OLD, tags=frozenset(
            replace(IDENTITY, name="web-9").tags(CREATED.metadata.name, "in"))),)), {}, False),
    "an operation without a time is of the beginning": (
        replace(LATE, operations=(made(CREATED, None), DELETED)), {"s1": Why.LATE_CREATE}, False),
}  # fmt: skip


@pytest.mark.parametrize(("world", "is_orphan"), ORPHANS.values(), ids=ORPHANS)
def test_a_stack_is_an_orphan_only_when(world: SweepWorld, is_orphan: bool) -> None:
    assert bool(sweep(world).orphans) is is_orphan


@pytest.mark.parametrize(("world", "doomed", "braked"), DOOMED.values(), ids=DOOMED)
def test_what_is_deleted_and_what_is_held(world: SweepWorld, doomed: dict[str, Why], braked: bool) -> None:
    found = sweep(world)
    assert {one.stack.id: one.why for one in found.doomed} == doomed
    assert len(found.doomed) == len(doomed)
    assert (found.brake is not None) is braked


def test_an_orphan_keeps_the_time_of_its_first_report_and_the_oldest_comes_first() -> None:
    world = replace(TWO, reported=(*reported("s1"), *reported("n1", since=NOW - HOUR)))
    assert [(o.stack_id, o.since) for o in sweep(world).orphans] == [("n1", NOW - HOUR), ("s1", NOW - GRACE)]
    assert [o.since for o in sweep(BASE).orphans] == [NOW]


def test_what_has_no_object_now_is_remembered_for_the_next_sweep() -> None:
    assert sweep(replace(BASE, seen_before=frozenset())).ownerless == {"s1"}


def test_an_object_whose_recorded_stack_is_not_listed_is_missing_it() -> None:
    assert sweep(replace(BASE, recorded={"a": "s1", "b": "s2"})).missing == {"b"}


def test_the_brake_says_how_many_and_what_to_do() -> None:
    found = sweep(TWO).brake
    assert found is not None
    assert found.since == NOW
    assert found.message.startswith("2 of the tenant's 2 stacks have no VirtualMachine, and unasked")
    assert found.message.endswith("stoker.dev/confirm-orphans=2026-01-01T11:50:00Z")


def test_the_brake_keeps_the_time_of_its_beginning() -> None:
    since = sweep(replace(TWO, brake=OrphanBrake(since=NOW - HOUR, message="m"))).brake
    assert since is not None
    assert since.since == NOW - HOUR


def test_what_is_explained_does_not_count() -> None:
    assert sweep(TWO).tally == Tally(2, 2)
    assert sweep(replace(TWO, confirmed=STAMP)).tally == Tally(2, 0)
    assert sweep(LATE).tally == Tally(1, 0)
    assert sweep(replace(BASE, marks=(MARK,))).tally == Tally(1, 0)


def test_the_brake_has_its_edges() -> None:
    assert brake(Tally(20, 2), Tally(20, 2)) is None
    assert brake(Tally(20, 3), Tally(20, 3)) is not None
    assert brake(Tally(1, 1), Tally(1, 1)) is None
    assert brake(Tally(2, 0), Tally(8, 4)) is None
    assert "lost objects" in str(brake(Tally(2, 0), Tally(8, 5)))
    assert [pace(n) for n in (0, 19, 20, 512)] == [1, 1, 2, 51]


def test_a_time_to_come_or_no_time_confirms_nothing() -> None:
    assert is_confirmed(NOW, STAMP, NOW)
    assert not is_confirmed(NOW, f"{NOW + MINUTE:%Y-%m-%dT%H:%M:%SZ}", NOW)
    assert not is_confirmed(None, STAMP, NOW)
    for none in (None, "", "yes", "2026-01-01T12:00:00"):
        assert confirmed_until(none) is None
        assert not is_confirmed(NOW, none, NOW)


def test_a_doomed_stack_says_its_vm_and_its_operation() -> None:
    assert (Doomed(OLD, Why.ORPHAN).vm_id, Doomed(OLD, Why.ORPHAN).operation) == (UID, CREATED.metadata.name)
    bare = Doomed(replace(OLD, tags=frozenset()), Why.ORPHAN)
    assert (bare.vm_id, bare.operation) == ("", "")


def test_the_last_look_must_agree() -> None:
    def agreed(seen: Stack | None = OLD, why: Why = Why.ORPHAN, **changes: object) -> bool:
        known = {"cluster": "cluster", "policy": OrphanPolicy.DELETE, "vm_ids": frozenset(), "spared": Spared()}
        known["held"] = frozenset()
        return may_go(Doomed(OLD, why), seen, **{**known, **changes})

    assert agreed()
    assert not agreed(policy=OrphanPolicy.REPORT)
    assert agreed(why=Why.LATE_CREATE, policy=OrphanPolicy.REPORT)
    assert not agreed(seen=None)
    assert not agreed(seen=replace(OLD, status="DELETE_IN_PROGRESS"))
    assert not agreed(vm_ids=frozenset({UID}))
    assert not agreed(held=frozenset({"s1"}))
    assert not agreed(spared=Spared(frozenset({"s1"})))
    assert not agreed(spared=Spared(vms=frozenset({UID})))
    assert not agreed(cluster="another")
    assert not agreed(seen=replace(OLD, tags=frozenset(cluster_tags("cluster"))))


def test_ended_operations_go_after_their_time() -> None:
    edge = operation(OperationType.DELETE, state="Succeeded", completed_at=NOW - TTL)
    young = operation(OperationType.DELETE, state="Succeeded", completed_at=NOW - TTL + MINUTE)
    world = replace(BASE, vm_ids=frozenset({UID}))
    assert sweep(replace(world, operations=(ENDED, edge, young, operation()))).expired == (ENDED, edge)


def test_the_record_of_a_retained_stack_stays_while_the_stack_does() -> None:
    assert sweep(replace(BASE, operations=(RETAINED,))).expired == ()
    assert sweep(replace(BASE, operations=(RETAINED,), stacks=())).expired == (RETAINED,)
    with_ended = ENDED.model_copy(update={"status": ENDED.status.model_copy(update={"stack_id": "s1"})})
    assert sweep(replace(BASE, operations=(with_ended,))).expired == (with_ended,)


def test_the_records_of_an_abandoned_vm_stay_while_any_stack_of_it_does() -> None:
    given_up = RETAINED.model_copy(
        update={"status": RETAINED.status.model_copy(update={"stack_id": "s0", "abandoned": True})}
    )
    marked = made(given_up, NOW, name="left-1", namespace="stoker-system")
    found = sweep(replace(BASE, operations=(given_up,), marks=(marked,)))
    assert (found.expired, found.unneeded, found.orphans) == ((), (), ())
    later = sweep(replace(BASE, stacks=many(1), operations=(given_up,), marks=(marked,)))
    assert (later.expired, later.unneeded) == ((given_up,), (marked,))
    retained = RETAINED.model_copy(update={"status": RETAINED.status.model_copy(update={"stack_id": "s0"})})
    nobodys = replace(OLD, tags=frozenset(cluster_tags("cluster")))
    for there in (OLD, nobodys):
        assert sweep(replace(BASE, stacks=(there,), operations=(retained,))).expired == (retained,)


def test_a_mark_is_up_for_removal_only_when_its_stack_is_known_and_not_listed() -> None:
    assert sweep(replace(BASE, marks=(MARK,))).unneeded == ()
    assert sweep(replace(BASE, marks=(MARK, WHOLE_VM), stacks=())).unneeded == (MARK,)


def test_an_open_operation_without_a_vm_is_abandoned() -> None:
    assert sweep(replace(BASE, operations=(operation(), ENDED))).abandoned == (operation(),)
    assert sweep(replace(BASE, operations=(operation(),), vm_ids=frozenset({UID}))).abandoned == ()


@st.composite
def worlds(draw: st.DrawFn) -> SweepWorld:
    """Draw a tenant with stacks of living, lost, retained and foreign VMs, in any state of being reported."""
    amount = draw(st.integers(0, 40))
    some = st.sets(st.integers(0, 40))
    alive, lost_tags, marked, going = draw(some), draw(st.sets(st.integers(0, 40), max_size=3)), draw(some), draw(some)
    stacks = tuple(
        numbered(
            number,
            status="DELETE_IN_PROGRESS" if number in going else "CREATE_COMPLETE",
            **({"tags": frozenset(cluster_tags("another"))} if number in lost_tags else {}),
        )
        for number in range(amount)
    )
    ages = st.sampled_from([NOW, NOW - GRACE, NOW - HOUR])
    known = {number: draw(ages) for number in sorted(draw(some))}
    mark = [
        RETAINED.model_copy(update={"status": RETAINED.status.model_copy(update={"stack_id": f"n{n}"})}) for n in marked
    ]
    return replace(
        DELETE,
        stacks=stacks,
        vm_ids=frozenset(f"vm-{n}" for n in alive),
        marks=tuple(mark),
        seen_before=frozenset(f"n{n}" for n in draw(some)),
        reported=tuple(Orphan(stack_id=f"n{n}", stack_name="x", since=since) for n, since in known.items()),
        policy=draw(st.sampled_from(OrphanPolicy)),
        confirmed=draw(st.sampled_from([None, STAMP, f"{NOW - HOUR:%Y-%m-%dT%H:%M:%SZ}", "rubbish"])),
        elsewhere=draw(st.sampled_from([Tally(), Tally(100, 0), Tally(10, 10)])),
    )  # fmt: skip


@given(worlds())
def test_whatever_there_is_no_sweep_deletes_what_may_be_somebody_s_nor_more_than_its_share(world: SweepWorld) -> None:
    found = sweep(world)
    ids = {one.stack.id for one in found.doomed}
    kept = {mark.status.stack_id for mark in world.marks}
    assert len(ids) == len(found.doomed) <= max(1, len(world.stacks) // 10)
    assert not ids & kept
    assert ids <= world.seen_before
    for one in found.doomed:
        assert one.vm_id not in world.vm_ids
        assert one.stack.tags.issuperset(cluster_tags(world.cluster))
        assert not one.stack.deleting
    if world.policy is OrphanPolicy.REPORT:
        assert not ids
    if found.brake:
        since = {orphan.stack_id: orphan.since for orphan in world.reported}
        assert all(is_confirmed(since.get(stack_id), world.confirmed, NOW) for stack_id in ids)


def test_the_record_of_an_idempotency_key_stays_while_its_vm_lives_or_is_in_a_younger_record() -> None:
    keyed = ENDED.model_copy(update={"spec": ENDED.spec.model_copy(update={"idempotency_key": "k1"})})
    deleted = operation(OperationType.DELETE, state="Succeeded", completed_at=NOW - timedelta(hours=1))
    assert sweep(replace(BASE, operations=(keyed,))).expired == (keyed,)
    assert sweep(replace(BASE, operations=(keyed,), vm_ids=frozenset({UID}))).expired == ()
    assert sweep(replace(BASE, operations=(keyed, deleted))).expired == ()
    assert sweep(replace(BASE, operations=(ENDED, deleted), vm_ids=frozenset({UID}))).expired == (ENDED,)
