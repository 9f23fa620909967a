"""What a real cloud does not do on demand: the operator on the real API server, and a cloud that breaks when asked."""

from __future__ import annotations

import pytest

from simulator.control import Control
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes


def begun(simulated: SimulatedCluster, action: str) -> int:
    """Return how often the simulated Heat began that action for the project."""
    projects = simulated.project.simulator.do(Control.state)["projects"]
    found: int = next(p for p in projects if p["name"] == simulated.name)["actions"].get(action, 0)
    return found


def test_a_create_whose_answer_is_lost_makes_one_stack(simulated: SimulatedCluster, operator: OperatorThread) -> None:
    simulated.project.simulator.fail("lost-answer", "POST", "/stacks$")

    simulated.create()
    simulated.wait_active("web-1")

    assert [stack.status for stack in simulated.stacks()] == ["CREATE_COMPLETE"]
    assert begun(simulated, "CREATE") == 1
    simulated.delete()
    simulated.wait_gone()
    wait_until("the stack to be gone", lambda: not simulated.stacks())
