"""A user of a namespace with the typed client, on the real API server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import onboard
from simulator.local import Simulator
from stoker.client import Client, VirtualMachineSpec
from support.gate import ApiServerProxy
from support.simulated_cluster import SimulatedCluster
from support.users import Desk, binding


@pytest.fixture
def alice(desk: Desk) -> Iterator[Client]:
    """Alice's client in that namespace."""
    with Client(desk.namespace, kubeconfig=str(desk.settings.state / "kubeconfig-alice")) as client:
        yield client


@pytest.fixture
def through(desk: Desk, simulator: Simulator, tmp_path: Path) -> Iterator[Callable[[Any], Client]]:
    """Makes alice's client of one whose requests pass a middleware before the real API server."""
    with ExitStack() as made:

        def client(middleware: Any) -> Client:
            proxy = ApiServerProxy(desk.settings.state / "kubeconfig-alice", middleware)
            simulator.run(proxy.open())
            made.callback(lambda: simulator.run(proxy.close()))
            kubeconfig = tmp_path / "kubeconfig"
            kubeconfig.write_text(proxy.kubeconfig())
            return made.enter_context(Client(desk.namespace, kubeconfig=str(kubeconfig)))

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
