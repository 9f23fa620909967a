"""The simulator with one project, for the tests of its faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator.local import Simulator
from stoker.openstack.client import ProjectClient
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
