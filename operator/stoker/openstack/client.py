"""`connect`: a tenant's project, ready to be verified and used."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from keystoneauth1.session import Session

from stoker import __version__
from stoker.core.catalog import Part
from stoker.openstack.base import Credentials, CredentialsEnd, Endpoint, Rights
from stoker.openstack.catalog import CONTENTS
from stoker.openstack.compute import ComputeClient
from stoker.openstack.heat import HeatClient
from stoker.openstack.identity import IdentityClient, TokenFacts, token_facts
from stoker.openstack.image import ImageClient
from stoker.openstack.network import NetworkClient
from stoker.openstack.rest import Rest
from stoker.openstack.session import open_session
from stoker.openstack.volume import VolumeClient


class ProjectClient:
    """base.Project over one session, and the services that Heat makes things in."""

    def __init__(
        self,
        session: Session,
        endpoint: Endpoint,
        create_timeout: float,
        clock: Callable[[], float] = time.monotonic,
        application_credential: str | None = None,
    ) -> None:
        self._session, self._endpoint, self._clock = session, endpoint, clock
        self._credential = application_credential
        self._orchestration = Rest(session, endpoint, "orchestration")
        self.heat = HeatClient(self._orchestration, endpoint.project, create_timeout, clock=clock)

    @cached_property
    def compute(self) -> ComputeClient:
        return ComputeClient(Rest(self._session, self._endpoint, "compute", "/v2.1"), self._clock)

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

    def rights(self) -> Rights:
        """Return the roles of the token, and what it was given for."""
        return Rights(self.token_facts().roles, by_password=self._credential is None)

    def read_limits(self) -> None:
        """Read the project's limits in Nova."""
        self.compute.limits()

    def credentials_end(self) -> CredentialsEnd:
        """Ask when the application credential ends; of a password the token tells."""
        facts = self.token_facts()
        if self._credential is None:
            return CredentialsEnd(facts.password_expires_at)
        identity = IdentityClient(self._session, self._endpoint, "identity")
        return identity.application_credential_ends(facts.user, self._credential)

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
    credential = credentials.id if credentials.kind == "application-credential" else None
    session = open_session(endpoint, credentials, timeout, agent)
    return ProjectClient(session, endpoint, create_timeout, clock, credential)
