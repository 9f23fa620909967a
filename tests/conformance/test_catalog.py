"""What a project may use, and how much of it: every part of the catalog, and what the services answer when it is full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stoker.api.errors import ErrorCode
from stoker.core.catalog import FlavorSize, Limit, Part
from stoker.core.classify import classify_reason
from stoker.core.inputs import Inputs
from stoker.openstack.client import ProjectClient
from support.clouds import Account, Backend, Bare
from support.stacks import create, settled

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ops"
VOLUME = """
heat_template_version: 2021-04-16
parameters: {size: {type: number}}
resources: {volume: {type: OS::Cinder::Volume, properties: {size: {get_param: size}}}}
"""
ADDRESS = """
heat_template_version: 2021-04-16
resources: {address: {type: OS::Neutron::FloatingIP, properties: {floating_network: public}}}
"""


@pytest.fixture(scope="module")
def full(backend: Backend) -> Account:
    """A project with little room."""
    return backend.account(cores=4, ram=4096, instances=3, floatingip=1, volumes=2, gigabytes=5)


@pytest.fixture(scope="module")
def small(full: Account) -> Iterator[ProjectClient]:
    cloud = full.connect()
    yield cloud
    cloud.close()


def test_flavors_are_there_by_name_and_by_id_with_what_they_give(cloud: ProjectClient) -> None:
    flavors = cloud.browse(Part.FLAVORS)
    assert flavors["m1.tiny"] == FlavorSize(1, 512, 0, 1, "m1.tiny")
    assert flavors["gpu.large"] == FlavorSize(8, 32768, 1, 100, "gpu.large")
    ids = [key for key, size in flavors.items() if key != size.name]
    assert {flavors[key].name for key in ids} == flavors.keys() - set(ids)


def test_images_are_there_by_name_and_by_id_with_what_they_need(cloud: ProjectClient) -> None:
    images = cloud.browse(Part.IMAGES)
    (cirros,) = images["cirros"]
    assert (cirros.name, cirros.active, cirros.disk_gib, cirros.ram_mib) == ("cirros", True, 1, 0)
    assert images[cirros.id] == (cirros,)


def test_networks_are_there_and_say_whether_they_are_external(cloud: ProjectClient) -> None:
    networks = cloud.browse(Part.NETWORKS)
    (private,), (public,) = networks["private"], networks["public"]
    assert (private.name, private.external, public.name, public.external) == ("private", False, "public", True)
    assert (networks[private.id], networks[public.id]) == ((private,), (public,))
    assert len(networks) == 4


def test_key_pairs_are_those_of_the_user(cloud: ProjectClient, bare: Bare) -> None:
    assert "catalog" not in cloud.browse(Part.KEY_PAIRS)
    made = bare.send("POST", "/os-keypairs", "compute", json={"keypair": {"name": "catalog", "public_key": KEY}})
    assert made.status_code == 200
    assert "catalog" in cloud.browse(Part.KEY_PAIRS)


def test_volume_types_are_there_by_name_and_by_id(cloud: ProjectClient) -> None:
    types = cloud.browse(Part.VOLUME_TYPES)
    assert {"ssd", "hdd", "__DEFAULT__"} <= types.keys()
    assert {one.name for named in types.values() for one in named} == {"ssd", "hdd", "__DEFAULT__"}
    assert sorted(cloud.volume.types(page=1)) == sorted(cloud.volume.types())


def test_a_project_s_numbers_are_its_own(bare: Bare, full: Account) -> None:
    assert bare.send("GET", f"/v2.0/quotas/{full.project}/details", "network").status_code == 403
    other = bare.send("GET", f"/{full.project}/limits", "block-storage")
    assert (other.status_code, other.json()["badRequest"]["message"]) == (400, "Malformed request url")


def made(cloud: ProjectClient, name: str, template: str, **parameters: Any) -> str:
    """Make a stack; return its reason, or nothing when it is complete."""
    stack = settled(cloud, name, create(cloud, name, Inputs("t@v1", template, parameters)))
    return "" if stack.complete else stack.reason


def test_limits_count_what_is_there_and_what_is_too_much_is_quota(small: ProjectClient, name: str) -> None:
    assert small.browse(Part.COMPUTE_LIMITS) == {
        "instances": Limit(3, 0), "cores": Limit(4, 0), "MiB of RAM": Limit(4096, 0),
    }  # fmt: skip
    assert small.browse(Part.NETWORK_LIMITS) == {"floating IPs": Limit(1, 0)}
    assert small.browse(Part.VOLUME_LIMITS) == {"volumes": Limit(2, 0), "GiB of volumes": Limit(5, 0)}

    assert made(small, f"{name}-a", VOLUME, size=3) == ""
    large = made(small, f"{name}-b", VOLUME, size=3)
    assert "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. " in large
    assert "Requested 3G, quota is 5G and 3G has been consumed. (HTTP 413)" in large
    assert made(small, f"{name}-c", VOLUME, size=1) == ""
    many = made(small, f"{name}-d", VOLUME, size=1)
    assert "VolumeLimitExceeded: Maximum number of volumes allowed (2) exceeded for quota 'volumes'. (HTTP 413)" in many
    assert {classify_reason(reason).code for reason in (large, many)} == {ErrorCode.CLOUD_QUOTA_EXCEEDED}
    assert made(small, f"{name}-e", ADDRESS) == ""
    assert small.browse(Part.NETWORK_LIMITS) == {"floating IPs": Limit(1, 1)}
    assert small.browse(Part.VOLUME_LIMITS) == {"volumes": Limit(2, 2), "GiB of volumes": Limit(5, 4)}
