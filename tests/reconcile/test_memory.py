"""The cache of objects: only news is kept, nobody inherits another object's memory, doubles are found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from stoker.api.virtualmachine import VirtualMachine
from stoker.core.identity import FINALIZER, ID_ANNOTATION
from stoker.reconcile.memory import VmCache, identity_of

KEY = ("ns", "web")


def raw(name: str = "web", *, uid: str = "u-1", version: int = 1, created: int = 1, **more: Any) -> dict[str, Any]:
    """Return a VirtualMachine as the API server sends it; `vm_id` is its annotation, `recorded` its status."""
    annotations = {ID_ANNOTATION: more["vm_id"]} if "vm_id" in more else {}
    status = {"id": more["recorded"]} if "recorded" in more else {}
    return {
        "apiVersion": "stoker.dev/v1alpha1",
        "kind": "VirtualMachine",
        "metadata": {
            "namespace": "ns",
            "name": name,
            "uid": uid,
            "resourceVersion": str(version),
            "generation": 1,
            "creationTimestamp": f"2025-01-01T00:00:{created:02}Z",
            "annotations": annotations,
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": more.get("spec", {"template": "linux-vm@v1", "image": "cirros", "flavor": "m1.tiny"}),
        "status": status,
    }


def parsed(cache: VmCache, key: tuple[str, str] = KEY) -> VirtualMachine:
    vm = cache.get(key)
    assert vm is not None
    return vm


def test_an_object_is_kept_without_managed_fields():
    cache = VmCache()
    assert cache.store(raw()) == KEY
    assert "managedFields" not in cache.objects[KEY]["metadata"]
    assert parsed(cache).metadata.uid == "u-1"


def test_equal_words_of_many_objects_are_kept_once_and_long_ones_as_they_are():
    cache = VmCache()
    spec = {"image": "cirros", "ingress": [{"cidr": "10.0.0.0/8"}], "userData": "x" * 49_149}
    for name in ("web", "db"):
        cache.store(json.loads(json.dumps(raw(name, spec=spec))))
    web, db = (cache.objects["ns", name]["spec"] for name in ("web", "db"))
    assert web == db == spec
    assert web["image"] is db["image"]
    assert web["ingress"][0]["cidr"] is db["ingress"][0]["cidr"]


@pytest.mark.parametrize(("version", "kept"), [(9, 10), (10, 10), (11, 11)])
def test_a_stale_event_is_ignored(version: int, kept: int):
    cache = VmCache()
    cache.store(raw(version=10))
    assert cache.store(raw(version=version)) == KEY
    assert cache.objects[KEY]["metadata"]["resourceVersion"] == str(kept), "compared as numbers, not as text"


@pytest.mark.parametrize(("version", "kept"), [(9, "u-2"), (11, "u-1")])
def test_a_late_event_of_an_object_that_was_deleted_does_not_replace_its_successor(version: int, kept: str):
    cache = VmCache()
    cache.store(raw(uid="u-2", version=10, vm_id="id-2"))
    memory = cache.memory(parsed(cache))
    assert cache.store(raw(uid="u-1", version=version, vm_id="id-1")) == KEY
    assert cache.objects[KEY]["metadata"]["uid"] == kept
    assert list(cache.by_id) == [f"id-{kept[-1]}"]
    assert (cache.memories.get(KEY) is memory) is (kept == "u-2")


def test_the_answer_to_our_last_write_does_not_bring_an_object_back_whose_end_was_seen():
    """The finalizer goes by a PATCH; the event that the object is gone may come before its answer."""
    cache = VmCache()
    cache.store(raw(version=10))
    assert cache.bury(raw(version=12))
    assert cache.store(raw(version=11)) == KEY
    assert (cache.objects, cache.by_id) == ({}, {})
    cache.store(raw(uid="u-2", version=13))
    assert not cache.bury(raw(version=12))
    assert cache.objects[KEY]["metadata"]["uid"] == "u-2"


def test_only_so_many_ends_are_remembered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stoker.reconcile.memory.BURIED", 2)
    cache = VmCache()
    for number in range(3):
        cache.bury(raw(f"web-{number}", uid=f"u-{number}"))
    for number in range(3):
        cache.store(raw(f"web-{number}", uid=f"u-{number}"))
    assert [name for _, name in cache.objects] == ["web-0"]


def test_memory_is_of_the_very_object():
    cache = VmCache()
    cache.store(raw(version=10))
    memory = cache.memory(parsed(cache))
    memory.effects = 7
    cache.store(raw(version=11))
    assert cache.memory(parsed(cache)) is memory
    cache.store(raw(uid="u-2", version=12))
    anew = cache.memory(parsed(cache))
    assert (anew.uid, anew.effects) == ("u-2", 0)
    assert set(cache.by_id) == {"u-2"}


def test_memory_of_an_object_that_was_replaced_unseen_starts_anew():
    cache = VmCache()
    cache.store(raw())
    old = parsed(cache)
    cache.memory(old).effects = 7
    other = VirtualMachine.model_validate(raw(uid="u-2", version=2))
    assert cache.memory(other).effects == 0


def test_a_forgotten_object_leaves_nothing():
    cache = VmCache()
    cache.store(raw(vm_id="id-1"))
    cache.memory(parsed(cache))
    cache.forget(KEY)
    cache.forget(KEY)
    assert (cache.objects, cache.memories, cache.by_id) == ({}, {}, {})
    assert cache.get(KEY) is None


def test_an_object_of_a_newer_schema_is_not_parsed():
    cache = VmCache()
    cache.store(raw(spec={"image": 5, "hovercraft": True}))
    with pytest.raises(ValidationError, match="hovercraft"):
        cache.get(KEY)


@pytest.mark.parametrize(
    ("more", "expected"),
    [({}, "u-1"), ({"vm_id": "id-1"}, "id-1"), ({"recorded": "id-2"}, "id-2"), ({"vm_id": "x", "recorded": "y"}, "y")],
)
def test_the_id_is_the_recorded_one_then_the_annotation_then_the_uid(more: dict[str, Any], expected: str):
    assert identity_of(raw(**more)) == expected


def test_of_two_objects_with_one_id_the_younger_is_the_double():
    cache = VmCache()
    cache.store(raw("first", uid="u-9", created=1, vm_id="id"))
    cache.store(raw("second", uid="u-1", created=2, vm_id="id"))
    assert cache.older_double(parsed(cache, ("ns", "second")), "id") == "ns/first"
    assert cache.older_double(parsed(cache, ("ns", "first")), "id") is None


def test_of_two_made_in_one_second_exactly_one_is_the_double():
    cache = VmCache()
    cache.store(raw("first", uid="u-2", vm_id="id"))
    cache.store(raw("second", uid="u-1", vm_id="id"))
    doubles = [cache.older_double(parsed(cache, ("ns", name)), "id") for name in ("first", "second")]
    assert doubles == ["ns/second", None]


def test_a_double_is_none_once_the_older_is_gone():
    cache = VmCache()
    cache.store(raw("first", uid="u-1", created=1, vm_id="id"))
    cache.store(raw("second", uid="u-2", created=2, vm_id="id"))
    cache.forget(("ns", "first"))
    assert cache.older_double(parsed(cache, ("ns", "second")), "id") is None


def test_an_object_is_no_double_of_an_id_that_it_had_before():
    cache = VmCache()
    cache.store(raw("first", uid="u-1", created=1, version=1, vm_id="id"))
    cache.store(raw("second", uid="u-2", created=2, vm_id="id"))
    cache.store(raw("first", uid="u-1", created=1, version=2, vm_id="another"))
    assert cache.older_double(parsed(cache, ("ns", "second")), "id") is None
    cache.forget(("ns", "first"))
    assert cache.older_double(parsed(cache, ("ns", "second")), "id") is None
    assert cache.by_id == {"id": {("ns", "second")}}


def test_a_place_is_free_when_the_vm_is_released_or_gone_and_not_before():
    freed: list[str] = []
    cache = VmCache(freed=freed.append)

    def store(version: int, *, finalizers: tuple[str, ...] = (FINALIZER, "x/y"), **more: Any) -> None:
        seen = raw(version=version)
        seen["metadata"] |= {"finalizers": list(finalizers), **more}
        cache.store({**seen, "status": {"reserved": {"vms": 1}}})

    store(1)
    store(2, deletionTimestamp="2025-01-01T00:00:09Z")
    assert freed == []
    store(3, deletionTimestamp="2025-01-01T00:00:09Z", finalizers=("x/y",))
    assert freed == ["ns"]
    cache.forget(KEY)
    assert freed == ["ns", "ns"]
