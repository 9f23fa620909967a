"""The catalog: what is known of it, and what a flavor gives."""

from __future__ import annotations

import pytest

from stoker.core.catalog import Catalog, FlavorSize, ImageNeeds, NetworkKind, Part, VolumeType, gpus_of


@pytest.mark.parametrize(
    ("extra", "gpus"),
    [
        pytest.param({}, 0, id="none without extra specs"),
        pytest.param({"resources:VGPU": "2"}, 2, id="a virtual GPU"),
        pytest.param({"resources:CUSTOM_GPU": "1", "resources1:CUSTOM_A100_GPU_40": "3"}, 4, id="custom classes"),
        pytest.param({"resources:CUSTOM_FPGA": "1", "hw:cpu_policy": "dedicated"}, 0, id="not another card"),
        pytest.param({"pci_passthrough:alias": "a100:2, t4:1"}, 3, id="whole devices"),
        pytest.param({"pci_passthrough:alias": "a100"}, 1, id="one device without a count"),
        pytest.param({"resources:VGPU": "many", "pci_passthrough:alias": "a100:-1,"}, 0, id="nothing that is no count"),
    ],
)
def test_a_flavor_gives(extra: dict[str, str], gpus: int) -> None:
    assert gpus_of(extra) == gpus


def test_a_summary_counts_what_there_is_once_and_names_what_cannot_be_read() -> None:
    image, network = (ImageNeeds("cirros", "i1"),), (NetworkKind("private", "n1"),)
    full = Catalog(
        0.0, {"m1": FlavorSize(1, 1, name="m1"), "id": FlavorSize(1, 1, name="m1")}, {"cirros": image, "i1": image},
        {"private": network, "n1": network}, frozenset({"ops"}), {"ssd": (VolumeType("ssd"),)}, read=dict.fromkeys(Part, 0.0),
    )  # fmt: skip
    assert full.summary == "flavors: 1, images: 1, networks: 1, key pairs: 1, volume types: 1"
    less = full.without(Part.VOLUME_TYPES).without(Part.VOLUME_LIMITS).summary
    assert less == "flavors: 1, images: 1, networks: 1, key pairs: 1; not readable: volume types, volume limits"


def test_a_part_is_known_from_its_newest_good_read() -> None:
    tiny = {"m1.tiny": FlavorSize(1, 512)}
    read = Catalog(1.0).with_part(Part.FLAVORS, tiny, 2.0)
    assert (read.as_of, read.flavors, read.read) == (2.0, tiny, {Part.FLAVORS: 2.0})
    failed = read.without(Part.FLAVORS)
    assert (failed.flavors, failed.read, failed.knows(Part.FLAVORS)) == (tiny, {Part.FLAVORS: None}, False)
    assert failed.tried().read == {}
    assert read.tried() == read
    assert (read.knows(Part.FLAVORS), read.knows(Part.IMAGES), read.began(Part.FLAVORS)) == (True, False, 2.0)
