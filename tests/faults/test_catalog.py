"""What a cloud offers, and what a Tenant allows of it: findings before anything is created, and how they heal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localenv.settings import LocalSettings
from simulator.control import Control
from simulator.local import Simulator
from simulator.state import Flavor, Image
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.kubernetes

ANY_CREATE = "POST /heat/v1/{project}/stacks"
HEALS_WITHIN = 75.0
"""A finding is read again each 45 s, seconds; the rest is what a loaded machine takes."""


@pytest.fixture
def tenant(onboarded: LocalSettings, simulator: Simulator) -> Iterator[Callable[..., SimulatedCluster]]:
    """Makes a Tenant with those fields in its spec, and that quota of its cloud."""
    opened: list[SimulatedCluster] = []

    def make(quota: dict[str, int] | None = None, **spec: Any) -> SimulatedCluster:
        opened.append(simulated_cluster(onboarded, simulator, quota, **spec))
        opened[-1].open()
        return opened[-1]

    yield make
    for cluster in opened:
        cluster.close()


def creates(cluster: SimulatedCluster) -> int:
    """Return how often the simulated Heat was asked for a stack."""
    return cluster.project.simulator.do(Control.count, ANY_CREATE)


def add_flavor(name: str) -> Callable[[Control], None]:
    def add(control: Control) -> None:
        flavor = Flavor(name, 1, 512, 1)
        control.cloud.flavors[flavor.id] = flavor

    return add


def remove_image(name: str) -> Callable[[Control], None]:
    def remove(control: Control) -> None:
        for image in [image for image in control.cloud.images.values() if image.name == name]:
            del control.cloud.images[image.id]

    return remove


def add_image(image: Image) -> Callable[[Control], None]:
    return lambda control: control.cloud.images.update({image.id: image})


def apply(cluster: SimulatedCluster, count: int, **spec: Any) -> None:
    items = [cluster.manifest(f"vm-{n:03}", **spec) for n in range(count)]
    cluster.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def ready(cluster: SimulatedCluster) -> list[str]:
    """Return what Ready says of every VM: True, or its reason."""
    found = []
    for vm in cluster.vms():
        condition = next((c for c in vm.get("status", {}).get("conditions", []) if c["type"] == "Ready"), None)
        found.append("True" if condition and condition["status"] == "True" else (condition or {"reason": ""})["reason"])
    return sorted(found)


def test_everything_unknown_is_told_at_once_with_the_nearest_and_heals_by_an_edit(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.create(
        flavor="m1.tinny", image="ciros", keyName="ops", volumes=[{"name": "d", "sizeGiB": 1, "type": "sdd"}]
    )
    message = simulated.wait_reason("FlavorNotFound")["message"]
    for part in (
        "there is no flavor m1.tinny; the nearest: m1.tiny",
        "there is no image ciros; the nearest: cirros",
        "there is no key pair ops; there is none",
        "there is no volume type sdd; the nearest: ssd",
    ):
        assert part in message, message
    assert (simulated.operations(), creates(simulated)) == ([], 0)

    good = {"flavor": "m1.tiny", "image": "cirros", "keyName": None, "volumes": None}
    simulated.patch("web-1", {"spec": good})
    simulated.wait_active("web-1")


def test_a_name_that_is_made_later_heals_by_itself(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    simulated.create(flavor="brand.new")
    simulated.wait_reason("FlavorNotFound")
    simulated.project.simulator.do(add_flavor("brand.new"))
    wait_until("the VM to be Active", lambda: ready(simulated) == ["True"], HEALS_WITHIN)
    assert creates(simulated) == 1


def test_a_name_that_was_made_before_the_vm_is_never_refused(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    """However old the catalog is: it is read again before anything is said."""
    simulated.create("first")
    simulated.wait_active("first")
    simulated.project.simulator.do(add_flavor("brand.new"))
    simulated.create(flavor="brand.new")
    simulated.wait_active("web-1")
    assert "FlavorNotFound" not in {event["reason"] for event in simulated.events()}


def test_what_the_tenant_forbids_is_never_asked_of_heat(
    tenant: Callable[..., SimulatedCluster], operator: OperatorThread
) -> None:
    cluster = tenant(allowedFlavors=["m1.*"], allowedImages=["cirros", "ubuntu-*"], allowedTemplates=["ubuntu-basic"])
    cluster.create("allowed", flavor="m1.small", image="ubuntu-24.04")
    cluster.wait_active("allowed")

    cluster.create(flavor="gpu.large")
    said = cluster.wait_reason("NotAllowed")["message"]
    assert f"the Tenant {cluster.name} does not allow the flavor gpu.large; the nearest: m1.large" in said
    assert len(cluster.stacks()) == 1

    cluster.patch_tenant({"spec": {"allowedFlavors": ["m1.*", "gpu.large"]}})
    cluster.wait_active("web-1")


def test_a_forbidden_name_cannot_be_had_by_its_id(
    tenant: Callable[..., SimulatedCluster], operator: OperatorThread
) -> None:
    cluster = tenant(allowedFlavors=["m1.*"])

    def id_of(control: Control) -> str:
        return next(flavor.id for flavor in control.cloud.flavors.values() if flavor.name == "gpu.large")

    cluster.create(flavor=cluster.project.simulator.do(id_of))
    assert "does not allow" in cluster.wait_reason("NotAllowed")["message"]
    assert creates(cluster) == 0


def test_an_active_vm_stays_active_when_its_names_go_or_are_forbidden_and_an_edit_is_refused(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    """Scenario 51: an image deleted after the create takes nothing from a VM that runs."""
    simulated.create()
    simulated.wait_active("web-1")
    simulated.project.simulator.do(remove_image("cirros"))
    simulated.patch_tenant({"spec": {"allowedFlavors": ["m1.small"]}})
    wait_until(
        "the Tenant to be looked at",
        lambda: simulated.tenant()["status"]["observedGeneration"] == simulated.tenant()["metadata"]["generation"],
    )
    simulated.create("other", image="cirros", flavor="m1.small")
    simulated.wait_reason("ImageNotFound", "other")
    assert simulated.condition("web-1")["status"] == "True"

    simulated.patch("web-1", {"spec": {"ingress": [{"protocol": "tcp", "ports": "22", "cidr": "0.0.0.0/0"}]}})
    simulated.wait_reason("NotAllowed")
    wait_until("both to be said", lambda: "there is no image cirros" in simulated.condition()["message"])
    assert [stack.status for stack in simulated.stacks()] == ["CREATE_COMPLETE"]

    simulated.patch("web-1", {"spec": {"ingress": None}})
    wait_until("the VM to be Active again", lambda: simulated.condition("web-1")["status"] == "True")


def test_a_service_that_cannot_be_read_leaves_it_to_heat(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    simulator = simulated.project.simulator
    for path in ("/flavors/detail", "/v2/images", "/v2.0/networks", "/os-keypairs", "/types", "/limits", "/details"):
        simulator.fail("status", "GET", path, status=503, times=None)
    simulated.create()
    simulated.create("wrong", flavor="nosuch")
    simulated.wait_active("web-1")
    assert "No Flavor matching" in simulated.wait_reason("FlavorNotFound", "wrong")["message"]


def test_two_images_of_one_name_and_one_too_large_are_findings(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.project.simulator.do(add_image(Image("cirros")))
    simulated.project.simulator.do(add_image(Image("wide", min_disk=30)))
    simulated.create("two")
    simulated.create("wide", image="wide")
    assert "there are 2 images of the name cirros" in simulated.wait_reason("NameAmbiguous", "two")["message"]
    said = simulated.wait_reason("FlavorTooSmall", "wide")["message"]
    assert "the image wide needs 30 GiB of disk, and the flavor m1.tiny has 1" in said
    assert creates(simulated) == 0


def test_a_profile_s_network_that_is_not_there_is_said(
    tenant: Callable[..., SimulatedCluster], operator: OperatorThread
) -> None:
    cluster = tenant(networkProfiles=[{"name": "default", "network": "privat", "externalNetwork": "public"}])
    cluster.create()
    said = cluster.wait_reason("NetworkNotFound")["message"]
    assert (
        "the network profile default names the network privat, which the project does not see; the nearest: private"
        in said
    )
    assert creates(cluster) == 0


def test_a_burst_into_a_full_project_makes_just_what_fits_and_room_lets_in_just_what_it_holds(
    tenant: Callable[..., SimulatedCluster], operator: OperatorThread
) -> None:
    """Of twelve VMs five fit into the cloud's own quota; the others say the numbers, and no stack of theirs ever fails."""
    cluster = tenant({"cores": 5})
    apply(cluster, 12)
    full = ["CloudQuotaExceeded"] * 7
    wait_until("five to be Active, seven to wait", lambda: ready(cluster) == [*full, *["True"] * 5])
    waiting = next(vm for vm in cluster.vms() if vm["status"]["phase"] == "Error")
    said = cluster.condition(waiting["metadata"]["name"])["message"]
    assert "of its 5 cores" in said
    assert "the VM needs 1" in said

    cluster.project.simulator.do(Control.set_quota, cluster.name, cores=8)
    wait_until("three more", lambda: ready(cluster) == [*full[:4], *["True"] * 8], HEALS_WITHIN * 2)
    assert creates(cluster) == 8


def test_heat_s_own_limit_of_stacks_is_the_cloud_s_quota_and_not_ours(
    simulated: SimulatedCluster, operator: OperatorThread
) -> None:
    simulated.project.simulator.do(Control.settings, max_stacks=0)
    simulated.create()
    assert "create stack" in simulated.wait_reason("CloudQuotaExceeded")["message"]
