"""Quota: what counts, who is admitted, and what stays reserved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from stoker.api.errors import ErrorCode
from stoker.api.quota import BATCH, Amounts, Quota
from stoker.core.catalog import FlavorSize
from stoker.core.quota import (
    UNITS,
    Claimant,
    Denied,
    Reserved,
    Unjudged,
    asked,
    claimant,
    describe,
    plan,
    some,
    unread,
    verdict,
)
from support import build
from support.build import NOW, UID, active

SMALL, LARGE = Amounts(vms=1, vcpus=1, ram_mib=512), Amounts(vms=1, vcpus=4, ram_mib=512)
FLAVORS = {"m1.tiny": FlavorSize(1, 512, 1), "hidden": FlavorSize(1, 512, 0, gpus_known=False)}


def claim(n: int = 1, asks: Amounts = SMALL, **changes: object) -> Claimant:
    """Return a VM that waits; the larger the number, the younger."""
    waiting = Claimant(
        uid=f"u{n}", id=f"id{n}", namespace="team-a", name=f"web-{n}", version="1", generation=1,
        created=NOW + timedelta(seconds=n), flavor="m1.tiny", holds=None, asks=asks, built=False, applied=False, asking=True,
    )  # fmt: skip
    return replace(waiting, **changes)


def admitted(limits: Quota, *vms: Claimant) -> list[str]:
    return list(plan("team-a", limits, vms).granted)


def test_the_oldest_are_admitted_as_far_as_there_is_room() -> None:
    vms = [claim(n) for n in (3, 1, 2)]
    found = plan("team-a", Quota(vms=2), vms)
    assert list(found.granted) == ["u1", "u2"]
    assert found.used.vms == 2
    assert found.denied["u3"].fault.message == (
        "no room in the quota of the Tenant team-a: VMs: 1 more asked for, 2 of 2 used"
    )
    assert found.denied["u3"].fault.code is ErrorCode.QUOTA_EXCEEDED


def test_of_two_that_are_equally_old_the_name_decides() -> None:
    assert admitted(Quota(vms=1), claim(1, created=NOW, name="b"), claim(2, created=NOW, name="a")) == ["u2"]
    assert admitted(Quota(vms=1), claim(1, created=None), claim(2)) == ["u1"]


def test_a_smaller_one_does_not_wait_for_an_older_one_that_does_not_fit() -> None:
    assert admitted(Quota(vcpus=3), claim(1, LARGE), claim(2)) == ["u2"]


def test_a_vm_with_a_stack_counts_reserved_or_not() -> None:
    had = claim(1, built=True, applied=True)
    found = plan("team-a", Quota(vms=1), [had, claim(2)])
    assert (found.granted, found.recorded, found.used.vms) == ({}, {"u1": SMALL}, 1)
    assert list(found.denied) == ["u2"]


def test_a_vm_that_we_released_takes_nothing_whatever_else_holds_the_object() -> None:
    gone = active(deleting=True, enrolled=False, reserved=SMALL)
    assert claimant(gone, UID, FLAVORS, seen=False).counts == Amounts()
    going = active(deleting=True, reserved=SMALL)
    stripped = active(enrolled=False, reserved=SMALL)
    for there in (going, stripped):
        assert claimant(there, UID, FLAVORS, seen=False).counts.vms == 1


def test_lowering_a_quota_takes_nothing_from_those_that_are_there() -> None:
    there = [claim(n, built=True, applied=True, holds=SMALL) for n in (1, 2, 3)]
    found = plan("team-a", Quota(vms=1), [*there, claim(4)])
    assert (found.used.vms, found.recorded, found.granted, list(found.denied)) == (3, {}, {}, ["u4"])


def test_an_edit_that_grows_asks_for_the_difference_only() -> None:
    grown = claim(1, LARGE, built=True, holds=SMALL)
    assert plan("team-a", Quota(vcpus=4), [grown]).granted == {"u1": LARGE}
    refused = plan("team-a", Quota(vcpus=3), [grown])
    assert refused.denied["u1"].fault.message.endswith("vCPUs: 3 more asked for, 1 of 3 used")
    assert refused.used.vcpus == 1


def test_an_edit_that_grows_in_one_and_shrinks_in_another_holds_both_until_it_is_applied() -> None:
    old, new = Amounts(vms=1, vcpus=4, volumes_gib=10), Amounts(vms=1, vcpus=1, volumes_gib=20)
    limits = Quota(vcpus=4, volumes_gib=20)
    edited = claim(1, new, built=True, holds=old)
    both = plan("team-a", limits, [edited]).granted["u1"]
    assert (both.vcpus, both.volumes_gib) == (4, 20)
    granted = replace(edited, holds=both)
    assert isinstance(said := verdict(granted, limits, None), Reserved)
    assert (said.once_applied.vcpus, said.once_applied.volumes_gib) == (1, 20)


def test_what_was_not_limited_follows_the_spec_once_it_is_applied() -> None:
    edited = claim(1, Amounts(vms=1, vcpus=4), built=True, holds=Amounts(vms=1, vcpus=1))
    assert isinstance(said := verdict(edited, Quota(vms=1), None), Reserved)
    assert said.once_applied.vcpus == 4


def test_a_quota_of_another_resource_records_what_is_there_and_admits_what_is_not() -> None:
    limits = Quota(vms=5, vcpus=1)
    there = claim(1, built=True, applied=True, holds=Amounts(vms=1))
    waiting = claim(2, holds=Amounts(vms=1))
    found = plan("team-a", limits, [there, waiting])
    assert (found.recorded, list(found.denied)) == ({"u1": SMALL}, ["u2"])


def test_a_resource_that_a_vm_needs_none_of_is_reserved_as_none() -> None:
    waiting = claim(1, Amounts(vms=1, gpus=0), holds=Amounts(vms=1))
    assert plan("team-a", Quota(gpus=0), [waiting]).granted["u1"].gpus == 0


def test_a_flavor_of_unknown_size_is_refused_only_where_its_size_is_limited() -> None:
    waiting = claim(1, Amounts(vms=1, volumes_gib=0))
    assert admitted(Quota(vms=1, volumes_gib=0), waiting) == ["u1"]
    denied = plan("team-a", Quota(vms=1, vcpus=4), [waiting]).denied["u1"]
    assert denied == Denied(denied.fault)
    assert denied.fault.code is ErrorCode.FLAVOR_NOT_FOUND
    assert "size of the flavor m1.tiny is not known" in denied.fault.message


def test_a_vm_that_runs_is_recorded_as_far_as_its_size_is_known() -> None:
    there = claim(1, Amounts(vms=1), built=True, applied=True)
    found = plan("team-a", Quota(vms=1, vcpus=4), [there])
    assert (found.recorded, list(found.denied)) == ({"u1": Amounts(vms=1)}, ["u1"])
    again = plan("team-a", Quota(vms=1, vcpus=4), [replace(there, holds=Amounts(vms=1))])
    assert again.recorded == {}


def test_who_is_going_or_not_enrolled_or_a_double_gets_no_place() -> None:
    assert admitted(Quota(vms=9), claim(1, asking=False), claim(2), claim(3, id="id2")) == ["u2"]
    assert plan("team-a", Quota(vms=1), [claim(1, asking=False, holds=SMALL), claim(2)]).granted == {}


def test_a_vm_of_another_schema_counts_with_what_is_reserved_on_it() -> None:
    assert plan("team-a", Quota(vms=1), [unread("u1", "id1", SMALL), claim(2)]).granted == {}


def test_a_batch_is_bounded_and_the_rest_is_not_refused() -> None:
    vms = [claim(n) for n in range(BATCH + 1)]
    found = plan("team-a", Quota(vms=BATCH + 1), vms)
    assert (len(found.granted), len(found.denied)) == (BATCH, 0)


def test_a_verdict_is_the_newest_refusal_until_all_that_is_asked_for_is_reserved() -> None:
    no = plan("team-a", Quota(vms=0), [claim()]).denied["u1"]
    assert verdict(claim(), Quota(vms=0), None) == Unjudged()
    assert verdict(claim(), Quota(vms=0), no) == no
    assert verdict(claim(holds=SMALL), Quota(vms=0), no) == Reserved(SMALL, SMALL)
    assert verdict(claim(holds=SMALL), Quota(vcpus=0, gpus=1), None) == Unjudged()
    assert isinstance(verdict(claim(asks=LARGE, holds=SMALL, built=True, applied=True), Quota(vcpus=1), None), Reserved)
    assert verdict(claim(asks=Amounts(vms=1), holds=SMALL), Quota(vcpus=1), None) == Unjudged()


def test_a_spec_takes_its_flavor_its_volumes_and_its_address() -> None:
    spec = build.vm(spec={"publicIP": True, "volumes": [{"name": "a", "sizeGiB": 2}, {"name": "b", "sizeGiB": 3}]}).spec
    assert asked(spec, FLAVORS) == Amounts(vms=1, vcpus=1, ram_mib=512, gpus=1, volumes_gib=5, floating_ips=1)
    assert asked(spec, {}) == Amounts(vms=1, volumes_gib=5, floating_ips=1)
    assert asked(build.vm(spec={"gpuCount": 2}).spec, FLAVORS).gpus == 2
    assert asked(build.vm(spec={"flavor": "hidden"}).spec, FLAVORS).gpus is None


def test_a_vm_is_seen_with_what_is_recorded_of_it() -> None:
    there = claimant(active(reserved=SMALL), UID, FLAVORS, seen=False)
    assert (there.built, there.applied, there.asking, there.holds) == (True, True, True, SMALL)
    assert claimant(build.vm(), UID, FLAVORS, seen=True).built
    new = claimant(build.vm(), UID, FLAVORS, seen=False)
    assert (new.built, new.applied) == (False, False)
    assert not claimant(build.vm(deleting=True), UID, FLAVORS, seen=False).asking
    assert not claimant(build.vm(enrolled=False), UID, FLAVORS, seen=False).asking
    assert not claimant(active(generation=2), UID, FLAVORS, seen=False).applied


def test_amounts_are_told_with_their_units() -> None:
    assert describe(Amounts(vms=1, ram_mib=512, gpus=0)) == "VMs: 1, MiB of RAM: 512"
    assert describe(Amounts()) == "nothing"


# ---- what holds for all

NUMBERS = st.integers(0, 5)
AMOUNTS = st.builds(Amounts, **dict.fromkeys(UNITS, NUMBERS))
LIMITS = st.builds(Quota, **dict.fromkeys(UNITS, st.none() | st.integers(0, 12)))
VMS = st.lists(
    st.builds(
        lambda asks, holds, built, applied, asking: (asks, holds, built, applied, asking),
        AMOUNTS, st.none() | AMOUNTS, st.booleans(), st.booleans(), st.booleans(),
    ),
    max_size=6,
).map(
    lambda rows: [
        claim(n, a, holds=h, built=b, applied=b and p, asking=k) for n, (a, h, b, p, k) in enumerate(rows)
    ]
)  # fmt: skip


def taken(vms: list[Claimant]) -> dict[str, int]:
    return {resource: sum(some(vm.counts, resource) for vm in vms) for resource in UNITS}


@given(LIMITS, VMS)
def test_an_admission_never_leads_over_the_limit_or_further_over_it(limits: Quota, vms: list[Claimant]) -> None:
    found, before = plan("t", limits, vms), taken(vms)
    after = taken([replace(vm, holds=found.granted.get(vm.uid, vm.holds)) for vm in vms])
    for resource in UNITS:
        limit = getattr(limits, resource)
        assert limit is None or after[resource] <= max(limit, before[resource])
        assert some(found.used, resource) == after[resource]


@given(LIMITS, VMS)
def test_who_is_refused_would_not_fit_and_who_is_admitted_is_covered(limits: Quota, vms: list[Claimant]) -> None:
    found = plan("t", limits, vms)
    for vm in vms:
        if vm.uid in found.denied:
            assert any(
                some(found.used, r) + some(vm.asks, r) - some(vm.counts, r) > getattr(limits, r)
                for r in found.denied[vm.uid].lacking
            )
        for given_ in (found.granted, found.recorded):
            if vm.uid in given_:
                assert replace(vm, holds=given_[vm.uid]).covered(limits)


@given(LIMITS, VMS, AMOUNTS)
def test_a_younger_vm_changes_nothing_for_the_older_ones(limits: Quota, vms: list[Claimant], asks: Amounts) -> None:
    before, after = plan("t", limits, vms), plan("t", limits, [*vms, claim(99, asks)])
    assert {uid: n for uid, n in after.granted.items() if uid != "u99"} == before.granted
    assert set(after.denied) - {"u99"} == set(before.denied)


@given(LIMITS, VMS, AMOUNTS, st.sampled_from(list(UNITS)))
def test_asking_for_less_is_never_refused_where_more_was_admitted(
    limits: Quota, vms: list[Claimant], asks: Amounts, resource: str
) -> None:
    less = asks.model_copy(update={resource: max(some(asks, resource) - 1, 0)})
    if "u99" in plan("t", limits, [*vms, claim(99, asks)]).granted:
        assert "u99" in plan("t", limits, [*vms, claim(99, less)]).granted


@given(st.integers(0, 8), st.lists(st.integers(0, 4), max_size=6), NUMBERS)
def test_a_higher_limit_never_refuses_the_oldest(limit: int, sizes: list[int], raised: int) -> None:
    vms = [claim(n, Amounts(vms=1, vcpus=size)) for n, size in enumerate(sizes)]
    for n in range(len(vms)):
        if set(admitted(Quota(vcpus=limit), *vms)) >= {vm.uid for vm in vms[: n + 1]}:
            assert set(admitted(Quota(vcpus=limit + raised), *vms)) >= {vm.uid for vm in vms[: n + 1]}


@given(LIMITS, VMS)
def test_once_applied_nothing_limited_is_reserved_beyond_what_was_and_what_is_asked_for(
    limits: Quota, vms: list[Claimant]
) -> None:
    for vm in vms:
        if isinstance(said := verdict(vm, limits, None), Reserved):
            for resource in UNITS:
                if getattr(limits, resource) is not None:
                    kept = some(said.once_applied, resource)
                    assert kept == min(some(vm.asks, resource), some(said.amounts, resource))
