"""Every test here runs twice: against the simulator, and against the real services of the local environment."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from stoker.openstack.client import ProjectClient
from support.clouds import Account, Backend, Bare, RealCloud, SimulatedCloud


@pytest.fixture(scope="session", params=["simulator", pytest.param("real", marks=pytest.mark.openstack)])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """The cloud; all that a test asserts must hold on both."""
    simulated = request.param == "simulator"
    backend: Backend = SimulatedCloud() if simulated else RealCloud(request.getfixturevalue("local"))
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def owner(backend: Backend) -> Account:
    """A project of this module's own."""
    return backend.account()


@pytest.fixture(scope="module")
def cloud(owner: Account) -> Iterator[ProjectClient]:
    """The project through the adapter, with its restricted application credential."""
    cloud = owner.connect()
    yield cloud
    cloud.close()


@pytest.fixture(scope="module")
def bare(owner: Account) -> Iterator[Bare]:
    """The project without the adapter."""
    with Bare(owner) as bare:
        yield bare


@pytest.fixture
def name() -> str:
    return f"vm-{uuid.uuid4().hex[:12]}"
