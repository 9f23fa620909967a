"""Findings: one sentence, one wish, one catalog, what is found. Then how old a catalog may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from stoker.api.errors import ErrorCode
from stoker.api.tenant import NetworkProfile, TenantSpec
from stoker.core import findings, names
from stoker.core.catalog import Catalog, FlavorSize, ImageNeeds, Limit, NetworkKind, Part, VolumeType
from stoker.core.faults import TOLD, Fault, together
from stoker.core.findings import AGAIN, FIRST_PATIENCE, LAPSE, PATIENCE, Findings, Wish, examine, need_of
from stoker.core.names import EVERYTHING, allowed, offer, template_allowed
from support.build import CLOCK, vm
from support.mutants import functions, mutants, mutated

PROFILES = (
    NetworkProfile(name="default", network="private", external_network="public"),
    NetworkProfile(name="odd", network="lost", external_network="private"),
    NetworkProfile(name="twice", network="double"),
)
GRANTS = TenantSpec(
    cloud="c", project_id="p", namespaces=("team-a",), credentials_secret="s", network_profiles=PROFILES
)
FLAVORS = {
    "m1.tiny": FlavorSize(1, 512, 0, 1, "m1.tiny"),
    "m1.small": FlavorSize(1, 2048, 0, 20, "m1.small"),
    "gpu": FlavorSize(8, 32768, 1, 0, "gpu"),
    "dark": FlavorSize(8, 32768, 0, 100, "dark", gpus_known=False),
    "id-1": FlavorSize(1, 512, 0, 1, "m1.tiny"),
}
IMAGES = {
    "cirros": (ImageNeeds("cirros", "i1"),),
    "i1": (ImageNeeds("cirros", "i1"),),
    "big": (ImageNeeds("big", "i2", disk_gib=20, ram_mib=2048),),
    "wide": (ImageNeeds("wide", "i3", disk_gib=21),),
    "hungry": (ImageNeeds("hungry", "i4", ram_mib=2049),),
    "gone": (ImageNeeds("gone", "i5", active=False),),
    "two": (ImageNeeds("two", "i6"), ImageNeeds("two", "i7")),
    "half": (ImageNeeds("half", "i8"), ImageNeeds("half", "i9", active=False)),
}
NETWORKS = {
    "private": (NetworkKind("private"),),
    "n0": (NetworkKind(""),),
    "public": (NetworkKind("public", external=True),),
    "double": (NetworkKind("double"), NetworkKind("double")),
}
READ = dict.fromkeys(Part, CLOCK - 1)
CATALOG = Catalog(
    CLOCK - 1,
    FLAVORS,
    IMAGES,
    NETWORKS,
    frozenset({"ops"}),
    {"ssd": (VolumeType("ssd"),)},
    {"instances": Limit(10, 9), "cores": Limit(40, 39), "MiB of RAM": Limit(51_200, 50_688)},
    {"floating IPs": Limit(1, 0)},
    {"volumes": Limit(2, 0), "GiB of volumes": Limit(10, 0)},
    READ,
)
UUID = "12345678-1234-4234-8234-123456789abc"


def wish(spec: dict[str, Any] | None = None, *, grants: dict[str, Any] | None = None, **changes: Any) -> Wish:
    """Return what a VM asks for that was first seen two seconds ago; keywords are fields of `Wish`."""
    asked = vm(spec=spec).spec
    base = Wish(asked, "team", GRANTS.model_copy(update=grants or {}), asked.template, "", True, {}, CLOCK - 2, CLOCK)
    return replace(base, **changes)


def volumes(*sizes: int, kind: str | None = None) -> dict[str, Any]:
    return {"volumes": [{"name": f"v{n}", "sizeGiB": size, "type": kind} for n, size in enumerate(sizes)]}


CASES: dict[str, tuple[Wish, dict[str, str]]] = {
    "what is there and fits is fine": (wish(), {}),
    "an unknown flavor, with the nearest": (wish({"flavor": "m1.tinny"}), {"FlavorNotFound": "there is no flavor m1.tinny; the nearest: m1.tiny"}),
    "a flavor by its id": (wish({"flavor": "id-1"}), {}),
    "an unknown flavor is offered only what is allowed": (
        wish({"flavor": "gpv"}, grants={"allowed_flavors": ("gp*", "dark*")}),
        {"FlavorNotFound": "there is no flavor gpv; the nearest: gpu"}),
    "a forbidden flavor": (
        wish({"flavor": "m1.tiny"}, grants={"allowed_flavors": ("m1.small",)}),
        {"NotAllowed": "the Tenant team does not allow the flavor m1.tiny; there is m1.small"}),
    "a forbidden flavor by its id": (
        wish({"flavor": "id-1"}, grants={"allowed_flavors": ("m1.small", "id-*")}),
        {"NotAllowed": "the Tenant team does not allow the flavor id-1; there is m1.small"}),
    "an unknown flavor that is not allowed either is forbidden": (
        wish({"flavor": "x"}, grants={"allowed_flavors": ("none.*",)}),
        {"NotAllowed": "the Tenant team does not allow the flavor x; there is none.*"}),
    "more GPUs than the flavor gives": (wish({"flavor": "gpu", "gpuCount": 2}, creates=False), {"FlavorTooSmall": "gpuCount is 2, and the flavor gpu gives 1"}),
    "as many GPUs as the flavor gives": (wish({"flavor": "gpu", "gpuCount": 1}, creates=False), {}),
    "GPUs of a flavor that does not show them": (wish({"flavor": "dark", "gpuCount": 2}, creates=False), {}),
    "an unknown image": (wish({"image": "ciros"}), {"ImageNotFound": "there is no image ciros; the nearest: cirros"}),
    "an image by its id": (wish({"image": "i1"}), {}),
    "an id that is not listed may be a hidden image's": (wish({"image": UUID}), {}),
    "an image that is not active": (wish({"image": "gone"}), {"ImageNotFound": "the image gone is there, and not active"}),
    "two active images of one name": (wish({"image": "two"}), {"NameAmbiguous": "there are 2 images of the name two"}),
    "one active image of two": (wish({"image": "half"}), {}),
    "a forbidden image": (
        wish({"image": "cirros"}, grants={"allowed_images": ("bi*",)}),
        {"NotAllowed": "the Tenant team does not allow the image cirros; there is big"}),
    "a forbidden image by its id": (
        wish({"image": "i1"}, grants={"allowed_images": ("x", "i*")}),
        {"NotAllowed": "the Tenant team does not allow the image i1; there is i*, x"}),
    "an image that fits exactly": (wish({"image": "big", "flavor": "m1.small"}, creates=False), {}),
    "an image larger than the flavor's disk": (
        wish({"image": "wide", "flavor": "m1.small"}, creates=False),
        {"FlavorTooSmall": "the image wide needs 21 GiB of disk, and the flavor m1.small has 20"}),
    "a flavor without a disk takes the image's size": (wish({"image": "wide", "flavor": "gpu"}, creates=False), {}),
    "a server that boots from a volume needs no disk of the flavor": (
        wish({"image": "wide", "flavor": "m1.small"}, text="block_device_mapping_v2:", creates=False), {}),
    "an image that needs more RAM": (
        wish({"image": "hungry", "flavor": "m1.small"}, creates=False),
        {"FlavorTooSmall": "the image hungry needs 2049 MiB of RAM, and the flavor m1.small has 2048"}),
    "an image that needs more of both": (
        wish({"image": "big", "flavor": "m1.tiny"}),
        {"FlavorTooSmall": "the image big needs 20 GiB of disk, and the flavor m1.tiny has 1; it needs 2048 MiB of RAM, and the flavor m1.tiny has 512"}),
    "whether an image fits an unknown flavor is not said": (
        wish({"image": "wide", "flavor": "m1.tinny"}), {"FlavorNotFound": "there is no flavor m1.tinny; the nearest: m1.tiny"}),
    "a profile whose network is not there": (
        wish({"networkProfile": "odd"}),
        {"NetworkNotFound": "the network profile odd names the network lost, which the project does not see; there is double, private, public"}),
    "a profile whose external network is none": (
        wish({"networkProfile": "odd", "publicIP": True}),
        {"NetworkNotFound": "the network profile odd names the network private for floating IPs, and it is not external"}),
    "a profile whose network's name two have": (
        wish({"networkProfile": "twice", "publicIP": True}), {"NameAmbiguous": "there are 2 networks of the name double"}),
    "a profile with both": (wish({"publicIP": True}), {}),
    "a profile that the Tenant does not have is found elsewhere": (wish({"networkProfile": "other"}), {}),
    "an unknown key pair": (wish({"keyName": "opps"}), {"KeyPairNotFound": "there is no key pair opps; the nearest: ops"}),
    "a known key pair": (wish({"keyName": "ops"}), {}),
    "an unknown volume type": (
        wish(volumes(1, kind="sdd")), {"VolumeTypeNotFound": "there is no volume type sdd; the nearest: ssd"}),
    "a known volume type": (wish(volumes(1, kind="ssd")), {}),
    "a forbidden template": (
        wish(grants={"allowed_templates": ("gpu-*",)}),
        {"NotAllowed": "the Tenant team does not allow the template ubuntu-basic@v1; there is gpu-*"}),
    "no template is found elsewhere": (wish(grants={"allowed_templates": ("gpu-*",)}, template=""), {}),
    "the last place is no place for a larger flavor": (
        wish({"flavor": "m1.small"}),
        {"CloudQuotaExceeded": "the project has used 50688 of its 51200 MiB of RAM, and the VM needs 2048"}),
    "the last place is promised to another": (
        wish(promised={"instances": 1}),
        {"CloudQuotaExceeded": "the project has used 9 of its 10 instances, 1 more go to VMs that are being made, and the VM needs 1"}),
    "an update makes no server": (wish({"flavor": "m1.small"}, creates=False), {}),
    "no room for a floating IP": (
        wish({"publicIP": True}, promised={"floating IPs": 1}),
        {"CloudQuotaExceeded": "the project has used 0 of its 1 floating IPs, 1 more go to VMs that are being made, and the VM needs 1"}),
    "room for just these volumes": (wish(volumes(9, 1)), {}),
    "no room for so many GiB": (
        wish(volumes(9, 2)), {"CloudQuotaExceeded": "the project has used 0 of its 10 GiB of volumes, and the VM needs 11"}),
}  # fmt: skip

OLD = replace(CATALOG, read={**READ, Part.FLAVORS: CLOCK - 3})
TYPO = wish({"flavor": "m1.tinny"})
FOUND = (Fault(ErrorCode.FLAVOR_NOT_FOUND, "there is no flavor m1.tinny; the nearest: m1.tiny"),)
F = frozenset({Part.FLAVORS})


def aged(part: float, asked: float) -> tuple[Wish, Catalog]:
    """Return the wish for a misspelt flavor, and the catalog, begun and read that many seconds ago."""
    return replace(TYPO, since=CLOCK - asked), replace(CATALOG, read={**READ, Part.FLAVORS: CLOCK - part})


def unread(*parts: Part) -> Catalog:
    return replace(CATALOG, read={part: at for part, at in READ.items() if part not in parts})


AGES: dict[str, tuple[tuple[Wish, Catalog], Findings]] = {
    "a catalog that is older than the wish is read again first": (aged(3, 2), Findings((), True, F)),
    "one that was read as the wish came is no newer": (aged(2, 2), Findings((), True, F)),
    "a newer one stands": (aged(1, 2), Findings(FOUND)),
    "it stands, and is read again, when it gets old": (aged(AGAIN + 1, AGAIN + 2), Findings(FOUND, wanted=F)),
    "it stands, and is not read again, before": (aged(AGAIN, AGAIN + 2), Findings(FOUND)),
    "it stands to the end": (aged(LAPSE, LAPSE + 1), Findings(FOUND, wanted=F)),
    "what is too old refuses nobody": (aged(LAPSE + 1, LAPSE + 2), Findings((), wanted=F)),
    "nobody waits for ever": (aged(PATIENCE + 1, PATIENCE), Findings((), wanted=F)),
    "but for a while": (aged(PATIENCE + 1, PATIENCE - 1), Findings((), True, F)),
    "a part that could not be read refuses nobody": (
        (TYPO, CATALOG.without(Part.FLAVORS)), Findings()),
    "what has not been read yet is waited for": (
        (wish(), unread(Part.IMAGES)), Findings((), True, frozenset({Part.IMAGES}))),
    "not long": (
        (wish(since=CLOCK - FIRST_PATIENCE), unread(Part.IMAGES)), Findings((), wanted=frozenset({Part.IMAGES}))),
    "what the wish does not need is not waited for": (
        (wish(creates=False), unread(Part.KEY_PAIRS, Part.VOLUME_TYPES, *findings.LIMITS)), Findings()),
    "key pairs are waited for when one is named": (
        (wish({"keyName": "ops"}), unread(Part.KEY_PAIRS)), Findings((), True, frozenset({Part.KEY_PAIRS}))),
    "volume types when there are volumes, and their limits": (
        (wish(volumes(1)), unread(Part.VOLUME_TYPES, Part.VOLUME_LIMITS)),
        Findings((), True, frozenset({Part.VOLUME_TYPES, Part.VOLUME_LIMITS}))),
    "limits when a server is to be made": (
        (wish(), unread(Part.COMPUTE_LIMITS)), Findings((), True, frozenset({Part.COMPUTE_LIMITS}))),
    "what is certain is told with what is not": (
        (wish({"flavor": "m1.tinny"}, grants={"allowed_templates": ("x",)}), OLD),
        Findings((Fault(ErrorCode.NOT_ALLOWED, "the Tenant team does not allow the template ubuntu-basic@v1; there is x"),), True, F)),
}  # fmt: skip

NAMES: dict[str, tuple[Callable[[], Any], Any]] = {
    "no list allows all": (lambda: allowed("", EVERYTHING), True),
    "a name stands for itself": (lambda: (allowed("a.b", ["a.b"]), allowed("axb", ["a.b"])), (True, False)),
    "a star is any text": (lambda: (allowed("m1.tiny", ["m1.*"]), allowed("xm1.tiny", ["m1.*"])), (True, False)),
    "brackets and question marks are meant as they stand": (
        lambda: (allowed("a[1]?", ["a[1]?"]), allowed("a1x", ["a[1]?"])), (True, False)),
    "capitals count": (lambda: allowed("M1", ["m1"]), False),
    "a family has all its versions": (
        lambda: (template_allowed("a@v2", ("a",)), template_allowed("a@v2", ("a@v2",)), template_allowed("a@v2", ("a@v1",))),
        (True, True, False)),
    "with nothing near, a few of what there is": (lambda: offer("zzz", ["b", "a"]), "; there is a, b"),
    "with much there, not all of it": (lambda: offer("zzz", ["a", "b", "c", "d"]), "; there is a, b, c, …"),
    "with nothing there, it is said": (lambda: offer("zzz", []), "; there is none"),
}  # fmt: skip


def told(found: Findings) -> dict[str, str]:
    assert not found.waits
    return {fault.code.value: fault.message for fault in found.faults}


@pytest.mark.parametrize(("asked", "expected"), CASES.values(), ids=CASES)
def test_found(asked: Wish, expected: dict[str, str]) -> None:
    assert told(examine(asked, CATALOG)) == expected


@pytest.mark.parametrize(("asked", "expected"), AGES.values(), ids=AGES)
def test_of_an_old_catalog(asked: tuple[Wish, Catalog], expected: Findings) -> None:
    assert examine(*asked) == expected


@pytest.mark.parametrize(("found", "expected"), NAMES.values(), ids=NAMES)
def test_of_names(found: Callable[[], Any], expected: Any) -> None:
    assert found() == expected


def test_an_unknown_cloud_refuses_nothing_but_what_the_tenant_forbids() -> None:
    nothing = Catalog(read=dict.fromkeys(Part))
    asked = wish({"flavor": "x", "image": "y", "keyName": "z", "publicIP": True, **volumes(1, kind="t")})
    assert examine(asked, nothing) == Findings()
    assert told(examine(replace(asked, grants=GRANTS.model_copy(update={"allowed_images": ("cirros",)})), nothing)) == {
        "NotAllowed": "the Tenant team does not allow the image y; there is cirros"
    }


def test_all_that_is_wrong_is_found_at_once() -> None:
    asked = wish({"flavor": "x", "image": "y", "keyName": "z", "networkProfile": "odd", **volumes(99, kind="t")})
    assert {fault.code.value for fault in examine(asked, CATALOG).faults} == {
        "FlavorNotFound", "ImageNotFound", "KeyPairNotFound", "NetworkNotFound", "VolumeTypeNotFound", "CloudQuotaExceeded",
    }  # fmt: skip


def test_what_a_vm_needs_of_the_cloud() -> None:
    full = vm(spec={"flavor": "gpu", "publicIP": True, **volumes(2, 3)}).spec
    assert need_of(full, CATALOG) == {
        "instances": 1, "cores": 8, "MiB of RAM": 32768, "floating IPs": 1, "volumes": 2, "GiB of volumes": 5,
    }  # fmt: skip
    assert need_of(vm(spec={"flavor": "x"}).spec, CATALOG) == {"instances": 1}


def test_many_faults_are_one_message_led_by_what_will_not_go_away() -> None:
    soon, slow, never = (
        Fault(code, code.value)
        for code in (ErrorCode.USER_DATA_NOT_FOUND, ErrorCode.NOT_ALLOWED, ErrorCode.INVALID_SPEC)
    )
    assert together([soon]) == soon
    assert together([soon, slow, never]).message == "InvalidSpec; NotAllowed; UserDataNotFound"
    assert together([soon, slow, never]).code is ErrorCode.INVALID_SPEC
    many = together([slow] * (TOLD + 2))
    assert many.message.endswith("NotAllowed; and 2 more")
    assert together([slow] * TOLD).message.count("NotAllowed") == TOLD
    assert many.sentence.count("Use a name that the Tenant allows") == 1
    long = together([replace(slow, message="x" * 4000)] * (TOLD + 1))
    assert len(long.sentence) <= 1024
    assert long.message.endswith("and 1 more")


FACTS = [
    check for name, check in dict(globals()).items() if name.startswith("test_") and not signature(check).parameters
]


def unnoticed() -> bool:
    """Tell whether every case and fact holds."""
    names._offer.cache_clear()
    try:
        for wanted, known in CASES.values():
            assert told(examine(wanted, CATALOG)) == known
        for old, verdict in AGES.values():
            assert examine(*old) == verdict
        for found, name in NAMES.values():
            assert found() == name
        for check in FACTS:
            check()
    except Exception:  # noqa: BLE001 -- a mutant may break in any way
        return False
    return True


def survives(function: FunctionType, code: CodeType) -> bool:
    with mutated(function, code):
        return unnoticed()


@pytest.mark.parametrize("module", [findings, names], ids=lambda module: module.__name__)
def test_without_any_single_guard_some_case_fails(module: ModuleType) -> None:
    assert unnoticed()
    found = [(function, where, code) for function in functions(module) for where, code in mutants(function)]
    assert found
    assert [where for function, where, code in found if survives(function, code)] == []
