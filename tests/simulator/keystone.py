"""Keystone v3: tokens for a project, and the user's application credentials."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from aiohttp import web

from simulator.api import PREFIXES, body_of, token_of
from simulator.errors import RefusedError
from simulator.state import Cloud, Credential, Project, Token, stamp

CATALOG = {
    "identity": ("keystone", "/v3"),
    "orchestration": ("heat", "/v1/{project}"),
    "compute": ("nova", "/v2.1"),
    "image": ("glance", ""),
    "network": ("neutron", ""),
    "block-storage": ("cinder", "/v3"),
}
"""Type → name and the path of the API."""

REGION = "RegionOne"
FORBIDDEN = "You are not authorized to perform the requested action"
DOMAIN = {"id": "default", "name": "Default"}


class Keystone:
    """The identity service."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def routes(self) -> list[web.RouteDef]:
        at, credential = f"{PREFIXES['identity']}/v3", "application_credentials"
        return [
            web.get(f"{at}", self.version),
            web.get(f"{at}/", self.version),
            web.post(f"{at}/auth/tokens", self.authenticate),
            web.get(f"{at}/auth/tokens", self.show_token),
            web.get(f"{at}/users/{{user}}/{credential}", self.list_credentials),
            web.get(f"{at}/users/{{user}}/{credential}/{{credential}}", self.show_credential),
            web.post(f"{at}/users/{{user}}/{credential}", self.create_credential),
            web.delete(f"{at}/users/{{user}}/{credential}/{{credential}}", self.delete_credential),
            web.post(f"{at}/OS-TRUST/trusts", self.create_trust),
        ]

    async def version(self, request: web.Request) -> web.Response:
        links = [{"rel": "self", "href": f"{request.url.origin()}{PREFIXES['identity']}/v3/"}]
        return web.json_response({"version": {"id": "v3.14", "status": "stable", "links": links}})

    async def authenticate(self, request: web.Request) -> web.Response:
        """By password with a project's scope, or by application credential. Raises RefusedError."""
        auth = (await body_of(request)).get("auth") or {}
        identity = auth.get("identity") or {}
        if "application_credential" in identity.get("methods", ()):
            credential = self._credential(identity.get("application_credential") or {})
            token = self._cloud.issue(credential.project, credential)
        else:
            token = self._cloud.issue(self._by_password(auth), None)
        return self._answer(request, token, 201)

    async def show_token(self, request: web.Request) -> web.Response:
        token_of(self._cloud, request)
        return self._answer(request, self._cloud.authenticate(request.headers.get("X-Subject-Token")), 200)

    def _credential(self, given: dict[str, Any]) -> Credential:
        """An unknown one is a 404, a wrong secret or an expired one a 401 (measured against Keystone 30.0.0)."""
        credential = self._cloud.credentials.get(str(given.get("id")))
        if credential is None:
            raise RefusedError(404, message=f"Could not find Application Credential: {given.get('id')}.")
        if given.get("secret") != credential.secret or (credential.expires or time.time() + 1) <= time.time():
            raise RefusedError(401)
        return credential

    def _by_password(self, auth: dict[str, Any]) -> Project:
        user = auth.get("identity", {}).get("password", {}).get("user", {})
        scope = auth.get("scope", {}).get("project", {})
        for project in self._cloud.projects.values():
            named = user.get("name") == project.name or user.get("id") == project.user_id
            scoped = scope.get("id", project.id) == project.id and scope.get("name", project.name) == project.name
            if named and scoped and user.get("password") == project.password:
                return project
        raise RefusedError(401)

    def _answer(self, request: web.Request, token: Token, status: int) -> web.Response:
        project = token.project
        origin = str(request.url.origin())
        found: dict[str, Any] = {
            "methods": ["application_credential" if token.credential else "password"],
            "user": {"id": project.user_id, "name": project.name, "domain": DOMAIN, "password_expires_at": None},
            "audit_ids": [token.value[-22:]],
            "project": {"id": project.id, "name": project.name, "domain": DOMAIN},
            "is_domain": False,
            "roles": [{"id": f"role-{role}", "name": role} for role in project.roles],
            "expires_at": stamp(token.expires),
            "issued_at": stamp(token.issued),
            "catalog": [_service(kind, origin, project.id) for kind in CATALOG],
        }
        if token.credential:
            found["application_credential"] = {"id": token.credential, "name": "stoker", "restricted": True}
        return web.json_response({"token": found}, status=status, headers={"X-Subject-Token": token.value})

    async def list_credentials(self, request: web.Request) -> web.Response:
        project = self._owner(request).project
        found = [shown(one) for one in self._cloud.credentials.values() if one.project is project]
        return web.json_response({"application_credentials": found})

    async def show_credential(self, request: web.Request) -> web.Response:
        """Whatever user the path names (measured against Keystone 30.0.0)."""
        token = token_of(self._cloud, request)
        return web.json_response({"application_credential": shown(self._owned(request, token))})

    async def create_credential(self, request: web.Request) -> web.Response:
        """Only with a password: a restricted credential makes no others. Raises RefusedError."""
        token = self._owner(request)
        if token.credential:
            why = "Using method 'application_credential' is not allowed for managing additional application credentials"
            raise RefusedError(403, message=f"{FORBIDDEN}: {why}..")
        given = (await body_of(request)).get("application_credential") or {}
        credential = self._cloud.add_credential(token.project)
        if given.get("expires_at"):
            credential.expires = datetime.fromisoformat(given["expires_at"]).timestamp()
        answer = {**shown(credential), "secret": credential.secret}
        return web.json_response({"application_credential": answer}, status=201)

    async def delete_credential(self, request: web.Request) -> web.Response:
        del self._cloud.credentials[self._owned(request, self._owner(request)).id]
        return web.Response(status=204)

    async def create_trust(self, request: web.Request) -> web.Response:
        """RefusedError to application credentials since CVE-2026-43000."""
        token = token_of(self._cloud, request)
        if token.credential:
            raise RefusedError(403, message=f"{FORBIDDEN}: Delegated tokens cannot manage trusts..")
        return web.json_response({"trust": {"id": "trust", "project_id": token.project.id}}, status=201)

    def _owner(self, request: web.Request) -> Token:
        token = token_of(self._cloud, request)
        if request.match_info["user"] != token.project.user_id:
            raise RefusedError(403, message=f"{FORBIDDEN}.")
        return token

    def _owned(self, request: web.Request, token: Token) -> Credential:
        wanted = request.match_info["credential"]
        credential = self._cloud.credentials.get(wanted)
        if credential is None or credential.project is not token.project:
            raise RefusedError(404, message=f"Could not find Application Credential: {wanted}.")
        return credential


def shown(credential: Credential) -> dict[str, Any]:
    """Return an application credential as it is shown: without its secret."""
    return {
        "id": credential.id,
        "name": "stoker",
        "description": None,
        "project_id": credential.project.id,
        "user_id": credential.project.user_id,
        "system": None,
        "unrestricted": False,
        "roles": [{"id": f"role-{role}", "name": role} for role in credential.project.roles],
        "expires_at": stamp(credential.expires) if credential.expires else None,
    }


def _service(kind: str, origin: str, project: str) -> dict[str, Any]:
    name, path = CATALOG[kind]
    url = f"{origin}{PREFIXES[kind]}{path.format(project=project)}"
    endpoints = [
        {"id": f"{name}-{interface}", "interface": interface, "region": REGION, "region_id": REGION, "url": url}
        for interface in ("public", "internal")
    ]
    return {"id": name, "type": kind, "name": name, "endpoints": endpoints}
