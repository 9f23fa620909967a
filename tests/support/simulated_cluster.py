"""A namespace and a Tenant on the real API server whose cloud is the simulator: for what no real cloud does on demand."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from localenv.settings import LocalSettings
from simulator.local import Simulator
from stoker.api.base import API_VERSION
from support.cluster import Cluster
from support.openstack_projects import HeatStack


@dataclass(frozen=True)
class SimulatedProject:
    """A project of the simulator."""

    simulator: Simulator
    name: str
    id: str
    application_credential_id: str
    application_credential_secret: str

    def stacks(self) -> list[HeatStack]:
        """Return the project's stacks, faults or not."""

        def found(control: Any) -> list[HeatStack]:
            alive = control.cloud.stacks.of_project(self.id)
            return [HeatStack(one.name, one.id, one.status, tuple(one.tags)) for one in alive]

        return self.simulator.do(found)


SimulatedCluster = Cluster[SimulatedProject]


def simulated_cluster(
    local: LocalSettings, simulator: Simulator, quota: dict[str, int] | None = None, **tenant_spec: Any
) -> SimulatedCluster:
    """Return a cluster with a project, a Cloud and a Tenant of its own, not opened yet.

    `quota` is the project's in the simulator (cores, ram, …); keywords are fields of the Tenant's spec on the wire.
    """
    name = f"sim-{uuid.uuid4().hex[:8]}"
    made = simulator.project(name, **(quota or {}))
    project = SimulatedProject(
        simulator, name, made["project_id"], made["application_credential_id"], made["application_credential_secret"]
    )
    spec = {"authURL": simulator.auth_url, "region": "RegionOne"}
    cloud = {"apiVersion": API_VERSION, "kind": "Cloud", "metadata": {"name": name}, "spec": spec}
    return Cluster(local, project, cloud, tenant_spec)
