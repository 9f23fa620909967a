"""A project of the simulator, and adapters for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.local import Simulator
from stoker.openstack.base import Credentials, Endpoint
from stoker.openstack.client import ProjectClient, connect


@dataclass
class World:
    """A simulator with a project, and its adapter."""

    simulator: Simulator
    project: dict[str, str]
    opened: list[ProjectClient] = field(default_factory=list)

    def open(self, timeout: float = 20.0, *, password: bool = False) -> ProjectClient:
        endpoint = Endpoint(self.simulator.auth_url, "RegionOne", "public", self.project["project_id"])
        by_id = self.project["application_credential_id"], self.project["application_credential_secret"]
        credentials = Credentials("application-credential", *by_id)
        if password:
            credentials = Credentials("password", self.project["username"], self.project["password"])
        self.opened.append(connect(endpoint, credentials, timeout=timeout, create_timeout=timeout, user_agent="t/1"))
        return self.opened[-1]

    def names(self) -> list[str]:
        """Return the names of the stacks that there are, faults or not."""
        return self.simulator.do(
            lambda control: [stack.name for stack in control.cloud.stacks.of_project(self.project["project_id"])]
        )
