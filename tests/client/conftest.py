"""A user of a namespace with the typed client, on the real API server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

import onboard
from localenv.settings import LocalSettings
from stoker.client import Client, VirtualMachineSpec
from support.simulated_cluster import SimulatedCluster
from support.users import Desk, binding


@pytest.fixture
def desk(onboarded: LocalSettings) -> Iterator[Desk]:
    """A namespace in which alice and bob may edit; no operator works in it."""
    desk = Desk(onboarded, f"desk-{uuid.uuid4().hex[:8]}")
    desk.open()
    yield desk
    desk.close()


@pytest.fixture
def alice(desk: Desk) -> Iterator[Client]:
    """Alice's client in that namespace."""
    with Client(desk.namespace, kubeconfig=str(desk.settings.state / "kubeconfig-alice")) as client:
        yield client


@pytest.fixture
def user(simulated: SimulatedCluster) -> Iterator[Client]:
    """Alice's client where a simulated cloud is."""
    onboard.apply(simulated.settings, [binding(simulated.name, "edit", "alice")])
    with Client(simulated.name, kubeconfig=str(simulated.settings.state / "kubeconfig-alice")) as client:
        yield client


@pytest.fixture
def spec() -> VirtualMachineSpec:
    return VirtualMachineSpec(template="ubuntu-basic@v1", image="cirros", flavor="m1.tiny")
