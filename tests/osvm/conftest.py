"""`kubectl osvm` in this process, with what it prints."""

from __future__ import annotations

import pytest

import onboard
from support.osvm_shell import Shell
from support.simulated_cluster import SimulatedCluster
from support.users import Desk, binding


@pytest.fixture
def alice(desk: Desk) -> Shell:
    """Alice's shell where no operator works."""
    return Shell(str(desk.settings.state / "kubeconfig-alice"), desk.namespace)


@pytest.fixture
def user(simulated: SimulatedCluster) -> Shell:
    """Alice's shell where a simulated cloud is."""
    onboard.apply(simulated.settings, [binding(simulated.name, "edit", "alice")])
    return Shell(str(simulated.settings.state / "kubeconfig-alice"), simulated.name)


@pytest.fixture
def admin(simulated: SimulatedCluster) -> Shell:
    """The platform admin's, there."""
    return Shell(str(simulated.settings.state / "kubeconfig"), simulated.name)
