"""A cloud that answers what a test says, and the simulator with one project."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator.local import Simulator
from stoker.openstack.client import ProjectClient
from support.canned import CannedCloud
from support.canned_project import CREATED, EMPTY, STACKS, Connector
from support.simulated import World


@pytest.fixture
def world(simulator: Simulator) -> Iterator[World]:
    """A simulator with the project team-a."""
    world = World(simulator, simulator.project("team-a"))
    yield world
    for opened in world.opened:
        opened.close()


@pytest.fixture
def cloud(world: World) -> ProjectClient:
    """The project through the adapter, with a token already: a fault of the first request is the stack's."""
    cloud = world.open()
    cloud.verify()
    return cloud


@pytest.fixture
def canned() -> Iterator[CannedCloud]:
    """A cloud that lists no stack and takes each create, until a test says otherwise."""
    with CannedCloud() as canned:
        canned.on("GET", STACKS, EMPTY)
        canned.on("POST", STACKS, CREATED)
        yield canned


@pytest.fixture
def opened() -> Iterator[Connector]:
    """Connects, and closes at the end."""
    connector = Connector()
    yield connector
    for project in connector.made:
        project.close()
