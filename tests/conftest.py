"""Fixtures of the real environment, where a test has a namespace and a project of its own, and of the simulator."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import onboard
from localenv.settings import LocalSettings
from simulator.local import Simulator
from support.cluster import Cluster
from support.openstack_projects import Project, create_project, delete_project
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster, simulated_cluster
from support.users import Desk

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # how long an example takes is the machine's business: none fails for it


def pytest_configure() -> None:
    """Give the second of two test processes the second Kubernetes: an operator wants its cluster's lease alone."""
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
        second = LocalSettings.load().second()
        os.environ["STOKER_LOCAL_DIR"] = str(second.state)
        os.environ.update({f"STOKER_PORT_{name}": str(port) for name, port in second.ports.items()})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what stays together when two processes share the tests: all on the one OpenStack, else each module."""
    for item in items:
        if item.get_closest_marker("openstack"):
            item.add_marker(pytest.mark.xdist_group("openstack"))
        elif item.get_closest_marker("kubernetes"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def local() -> LocalSettings:
    """The running local environment; `make test` brings it up."""
    settings = LocalSettings.load()
    for file in ("kubeconfig", "kubeconfig-operator", "clouds.yaml"):
        assert (settings.state / file).exists(), f"{settings.state / file} is missing: run `make up` first"
    return settings


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """An OpenStack of this test's own, which breaks when asked (tests/simulator/README.md)."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="session")
def onboarded(local: LocalSettings) -> LocalSettings:
    """The environment with CRDs, templates and the Cloud."""
    onboard.main()
    return local


@pytest.fixture
def project(onboarded: LocalSettings) -> Iterator[Project]:
    """An OpenStack project of its own, with a restricted application credential."""
    project = create_project(onboarded, f"test-{uuid.uuid4().hex[:8]}")
    yield project
    delete_project(onboarded, project)


@pytest.fixture
def cluster(onboarded: LocalSettings, project: Project) -> Iterator[Cluster[Project]]:
    """A namespace and a Tenant of its own on the real API server."""
    cluster = Cluster(onboarded, project)
    cluster.open()
    yield cluster
    cluster.close()


@pytest.fixture
def simulated(onboarded: LocalSettings, simulator: Simulator) -> Iterator[SimulatedCluster]:
    """The same, with the simulator for a cloud."""
    cluster = simulated_cluster(onboarded, simulator)
    cluster.open()
    yield cluster
    cluster.close()


@pytest.fixture
def desk(onboarded: LocalSettings) -> Iterator[Desk]:
    """A namespace in which alice and bob may edit; no operator works in it."""
    desk = Desk(onboarded, f"desk-{uuid.uuid4().hex[:8]}")
    desk.open()
    yield desk
    desk.close()


@pytest.fixture
def operator(onboarded: LocalSettings) -> Iterator[OperatorThread]:
    """The operator, in this process, with the service account's rights."""
    with OperatorThread(onboarded) as running:
        yield running
