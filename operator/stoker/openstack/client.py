"""`connect`: a tenant's project, ready to be verified and used."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from keystoneauth1.session import Session

from stoker import __version__
from stoker.core.catalog import Part
from stoker.openstack.base import Credentials, Endpoint
from stoker.openstack.catalog import CONTENTS
from stoker.openstack.compute import ComputeClient
from stoker.openstack.heat import HeatClient
from stoker.openstack.identity import TokenFacts, token_facts
from stoker.openstack.image import ImageClient
from stoker.openstack.network import NetworkClient
from stoker.openstack.rest import Rest
from stoker.openstack.session import open_session
from stoker.openstack.volume import VolumeClient


class ProjectClient:
    """base.Project over one session, and the services that Heat makes things in."""

    def __init__(
        self, session: Session, endpoint: Endpoint, create_timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session, self._endpoint = session, endpoint
        self._orchestration = Rest(session, endpoint, "orchestration")
        self.heat = HeatClient(self._orchestration, endpoint.project, create_timeout, clock=clock)

    @cached_property
    def compute(self) -> ComputeClient:
        return ComputeClient(Rest(self._session, self._endpoint, "compute", "/v2.1"))

    @cached_property
    def image(self) -> ImageClient:
        return ImageClient(Rest(self._session, self._endpoint, "image", "/v2"))

    @cached_property
    def network(self) -> NetworkClient:
        return NetworkClient(Rest(self._session, self._endpoint, "network", "/v2.0"), self._endpoint.project)

    @cached_property
    def volume(self) -> VolumeClient:
        version = f"/v3/{self._endpoint.project}"  # the project may be left out since 3.67 only
        return VolumeClient(Rest(self._session, self._endpoint, "block-storage", version))

    def browse(self, part: Part) -> Any:
        """Read a part of the catalog."""
        return CONTENTS[part](self)

    def verify(self) -> None:
        """Get a token, compare its project with the pin, and find Heat's endpoint on an allowed host."""
        self.token_facts()

    def token_facts(self) -> TokenFacts:
        """Return what the token says of itself."""
        access, _ = self._orchestration.authorize()
        return token_facts(access)

    def close(self) -> None:
        """Close the connections."""
        self._session.session.close()


def connect(
    endpoint: Endpoint,
    credentials: Credentials,
    *,
    timeout: float,
    create_timeout: float,
    clock: Callable[[], float] = time.monotonic,
    user_agent: str = "",
) -> ProjectClient:
    """Return the project behind the credentials; nothing is sent before the first call."""
    agent = f"stoker/{__version__} {user_agent}".strip()
    return ProjectClient(open_session(endpoint, credentials, timeout, agent), endpoint, create_timeout, clock)
