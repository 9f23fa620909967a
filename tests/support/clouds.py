"""The two clouds that the conformance suite runs against, and what a test needs of each: an account and bare requests."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import requests

from localenv.settings import LocalSettings
from simulator.local import Simulator
from stoker.openstack.base import Credentials, Endpoint
from stoker.openstack.client import ProjectClient, connect
from support.openstack_projects import Project, create_project, delete_project, endpoint_of

ERROR = {"code", "title", "explanation", "error"}
"""The keys of a refusal of Heat's."""

PATIENCE = 120.0
"""Deadline of a request, seconds: a real Heat under load takes a minute to answer a create."""


@dataclass(frozen=True)
class Account:
    """A project of a test's own, and two credentials of its user."""

    endpoint: Endpoint
    project: str
    user: str
    name: str
    credential: Credentials
    password: Credentials

    def connect(self, credentials: Credentials | None = None, endpoint: Endpoint | None = None) -> ProjectClient:
        """Return the adapter for the project, by default with the restricted application credential."""
        chosen = credentials or self.credential
        return connect(endpoint or self.endpoint, chosen, timeout=60, create_timeout=PATIENCE, user_agent="conformance")


class Backend(Protocol):
    """A cloud that gives accounts."""

    def account(self, **quota: int) -> Account: ...

    def close(self) -> None:
        """Take back all accounts."""


class SimulatedCloud:
    """The simulator, in a thread."""

    def __init__(self) -> None:
        self.simulator = Simulator().__enter__()

    def account(self, **quota: int) -> Account:
        name = f"contract-{uuid.uuid4().hex[:8]}"
        made = self.simulator.project(name, **quota)
        endpoint = Endpoint(self.simulator.auth_url, "RegionOne", "public", made["project_id"])
        credential = made["application_credential_id"], made["application_credential_secret"]
        return _account(endpoint, made["project_id"], made["user_id"], name, credential, made["password"])

    def close(self) -> None:
        self.simulator.__exit__()


class RealCloud:
    """The local environment."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._made: list[Project] = []

    def account(self, **quota: int) -> Account:
        made = create_project(self._settings, f"contract-{uuid.uuid4().hex[:8]}", **quota)
        self._made.append(made)
        endpoint = endpoint_of(self._settings, made.id)
        credential = made.application_credential_id, made.application_credential_secret
        return _account(endpoint, made.id, made.user_id, made.name, credential, made.password)

    def close(self) -> None:
        for project in self._made:
            delete_project(self._settings, project)


def _account(
    endpoint: Endpoint, project: str, user: str, name: str, credential: tuple[str, str], password: str
) -> Account:
    by_credential = Credentials("application-credential", *credential)
    return Account(endpoint, project, user, name, by_credential, Credentials("password", name, password))


@dataclass
class Bare:
    """Requests without the adapter, to see an answer as it is. Redirects are not followed."""

    account: Account
    session: requests.Session = field(default_factory=requests.Session)
    urls: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.session.trust_env = False
        given = {"id": self.account.credential.id, "secret": self.account.credential.secret}
        identity = {"methods": ["application_credential"], "application_credential": given}
        answer = self.session.post(
            f"{self.account.endpoint.auth_url}/auth/tokens", json={"auth": {"identity": identity}}
        )
        assert answer.status_code == 201, answer.text
        self.session.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        for service in answer.json()["token"]["catalog"]:
            for endpoint in service["endpoints"]:
                if (endpoint["interface"], endpoint["region"]) == ("public", self.account.endpoint.region):
                    self.urls[service["type"]] = endpoint["url"].rstrip("/")
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def send(self, method: str, path: str, service: str = "orchestration", **more: Any) -> requests.Response:
        """Send one request; `more` as requests takes it, for example `json` and `params`."""
        return self.session.request(
            method, f"{self.urls[service]}{path}", allow_redirects=False, timeout=PATIENCE, **more
        )


def error_of(answer: requests.Response, status: int) -> dict[str, Any]:
    """Return the error of a refusal of Heat's, whose body has a shape of its own."""
    body = answer.json()
    assert (answer.status_code, body["code"], set(body)) == (status, status, ERROR), answer.text
    assert answer.headers["X-Openstack-Request-Id"].startswith("req-")
    error: dict[str, Any] = body["error"]
    return error
