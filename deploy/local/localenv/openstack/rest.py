"""A small OpenStack REST client: JSON in, JSON out, one token. Standard library, since nothing is installed yet."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from localenv.settings import LocalSettings

from .configure import read_secrets
from .layout import Layout

TIMEOUT = 120.0
"""Longest wait for one answer, seconds."""

USER_AGENT = "stoker-local-environment"
"""Marks the environment's own requests in the access log."""


class RestError(Exception):
    """An answer of 400 or above."""

    def __init__(self, method: str, url: str, status: int, text: str) -> None:
        super().__init__(f"{method} {url}: {status} {text[:500]}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who is logged in to one project."""

    settings: LocalSettings
    token: str
    project_id: str
    user_id: str

    @classmethod
    def login(cls, settings: LocalSettings, user: str, password: str, project: str) -> Client:
        """Log in with a password.

        Raises RestError when Keystone refuses.
        """
        domain = {"name": "Default"}
        who = {"name": user, "password": password, "domain": domain}
        identity = {"methods": ["password"], "password": {"user": who}}
        scope = {"project": {"name": project, "domain": domain}}
        return cls._token(settings, {"identity": identity, "scope": scope})

    @classmethod
    def login_with_application_credential(cls, settings: LocalSettings, credential: dict[str, str]) -> Client:
        """Log in with the `id` and `secret` of an application credential.

        Raises RestError when Keystone refuses; an unknown id is 404 and not 401.
        """
        method = "application_credential"
        return cls._token(settings, {"identity": {"methods": [method], method: credential}})

    @classmethod
    def admin(cls, settings: LocalSettings) -> Client:
        """Log in as the environment's administrator."""
        return cls.login(settings, "admin", read_secrets(Layout(settings))["admin"], "admin")

    @classmethod
    def _token(cls, settings: LocalSettings, auth: dict[str, Any]) -> Client:
        answer, headers = _request("POST", settings.url("KEYSTONE", "/v3/auth/tokens"), {}, {"auth": auth})
        token = answer["token"]
        return cls(settings, headers["X-Subject-Token"], token["project"]["id"], token["user"]["id"])

    def call(self, method: str, service: str, path: str, body: Any = None) -> Any:
        """Send one request to a service of `PORTS`; return the answer's JSON, or None when it has no body.

        `bytes` are sent as they are. Raises RestError.
        """
        return _request(method, self.settings.url(service, path), {"X-Auth-Token": self.token}, body)[0]

    def post(self, service: str, path: str, kind: str, **fields: Any) -> dict[str, Any]:
        """Create an object and return it."""
        answer: dict[str, Any] = self.call("POST", service, path, {kind: fields})[kind]
        return answer


def _request(method: str, url: str, headers: dict[str, str], body: Any) -> tuple[Any, Any]:
    raw = isinstance(body, bytes)
    data = body if raw or body is None else json.dumps(body).encode()
    kind = "application/octet-stream" if raw else "application/json"
    sent = {"Content-Type": kind, "User-Agent": USER_AGENT, **headers}
    request = urllib.request.Request(url, data, sent, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=TIMEOUT) as answer:
            content = answer.read()
            return (json.loads(content) if content else None), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode(errors="replace")
        raise RestError(method, url, error.code, text) from error
