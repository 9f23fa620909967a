"""The Kubernetes API over one bounded HTTP session: requests, errors, merge patches.

kopf gets a second session with the same limit of connections (unbounded, kopf took 1.6 GB for 10,000
patches; measured with kopf 1.45.2).
"""

from __future__ import annotations

import json
import ssl
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from stoker.api.base import API_VERSION

CONNECTIONS = 50
"""Requests to the API server at a time, watches included."""

TOKEN_SECONDS = 60.0
"""How long a token file is trusted before it is read again, seconds. The kubelet renews it each hour."""

PAGE = 500
"""Objects of a list in one answer: what is held at a time while ten thousand are read."""

LONGEST_RETRY_AFTER = 60.0
"""Most seconds that a Retry-After is believed; an API server says one or a few."""

MERGE_PATCH = "application/merge-patch+json"

Page = tuple[list[dict[str, Any]], str]
"""Items of a list, and the list's resource version."""


class KubeError(Exception):
    """The API server refused a request, or could not be reached (status 0)."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        """The API machinery's word, for example AlreadyExists, Conflict, NotFound, NamespaceTerminating."""

        self.retry_after = retry_after
        """Seconds in which the API server wants to hear nothing of this, at most LONGEST_RETRY_AFTER."""

    @property
    def passes(self) -> bool:
        """Tell whether the server is away or has too much to do, so that the same request may do later."""
        return self.status in (0, 429) or self.status >= 500


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret's content."""

    data: dict[str, bytes] = field(repr=False)
    version: str
    """Of this content, and of no other's Secret: UID and resource version."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API server is and how to prove who we are."""

    server: str
    ca_data: str | None = None
    """PEM text of the server's CA, or None for the system's."""

    token: str | None = None
    token_file: Path | None = None
    certificate: tuple[Path, Path] | None = None
    """Client certificate and key files."""

    namespace: str | None = None

    def __repr__(self) -> str:
        return f"Access({self.server})"


def open_session(access: Access) -> aiohttp.ClientSession:
    """Return the one bounded session; the token is added to each request, read anew from its file each minute."""
    context = ssl.create_default_context(cadata=access.ca_data) if access.ca_data else ssl.create_default_context()
    if access.certificate:
        context.load_cert_chain(*access.certificate)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
    return aiohttp.ClientSession(connector=connector, middlewares=(_Bearer(access),), trust_env=False)


class _Bearer:
    """Adds the bearer token, for the API server only: kopf would follow a redirect to another."""

    def __init__(self, access: Access) -> None:
        self._access = access
        server = urlsplit(access.server)
        self._origin = (server.scheme, server.hostname, server.port or (443 if server.scheme == "https" else 80))
        self._token = access.token
        self._read_at: float | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        file = self._access.token_file
        if file and (self._read_at is None or time.monotonic() - self._read_at > TOKEN_SECONDS):
            self._token, self._read_at = file.read_text().strip(), time.monotonic()
        url = request.url
        if self._token and (url.scheme, url.host, url.port) == self._origin:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return await handler(request)


class KubeClient:
    """Requests for our group and a few core kinds; every failure is a `KubeError`."""

    def __init__(self, session: aiohttp.ClientSession, server: str, *, user_agent: str = "stoker") -> None:
        self._session = session
        self._server = server.rstrip("/")
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}

    async def request(
        self, method: str, path: str, *, body: Any = None, patch: bool = False, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Send a request and return the object in the answer."""
        content = MERGE_PATCH if patch else "application/json"
        try:
            async with self._session.request(
                method,
                f"{self._server}{path}",
                data=None if body is None else json.dumps(body),
                params=query,
                headers={**self._headers, "Content-Type": content},
                timeout=aiohttp.ClientTimeout(total=30),
                allow_redirects=False,
            ) as response:
                text = await response.read()
                if response.status >= 300:
                    raise _error(response.status, text, response.headers.get("Retry-After", ""))
                answer = json.loads(text or "{}")
                return answer if isinstance(answer, dict) else {}
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise KubeError(0, "Unreachable", f"{method} {path}: {type(error).__name__}") from error

    async def get(self, path: str) -> dict[str, Any]:
        return await self.request("GET", path)

    async def list(self, path: str, **query: str) -> Page:
        """Return all items of a list, page by page, and the list's resource version."""
        items: list[dict[str, Any]] = []
        version = ""
        async for page, version in self.pages(path, **query):  # noqa: B007 -- that of the last page is the list's
            items += page
        return items, version

    async def pages(self, path: str, **query: str) -> AsyncIterator[Page]:
        """Yield a list's items by pages, with its resource version: what a page held can be let go before the next."""
        token = ""
        while True:
            page = await self.request("GET", path, query={"limit": str(PAGE), "continue": token, **query})
            token = page["metadata"].get("continue", "")
            yield page.get("items", []), page["metadata"].get("resourceVersion", "")
            if not token:
                return

    async def post(self, path: str, body: Any) -> dict[str, Any]:
        return await self.request("POST", path, body=body)

    async def merge(self, path: str, body: Any) -> dict[str, Any]:
        """Apply a merge patch; with `metadata.resourceVersion` in it, a conflict is a 409."""
        return await self.request("PATCH", path, body=body, patch=True)

    async def put(self, path: str, body: Any) -> dict[str, Any]:
        return await self.request("PUT", path, body=body)

    async def delete(self, path: str) -> dict[str, Any]:
        return await self.request("DELETE", path)

    async def secret(self, namespace: str, name: str) -> Secret:
        """Return a Secret, decoded."""
        answer = await self.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        metadata = answer["metadata"]
        data = {key: b64decode(value) for key, value in (answer.get("data") or {}).items()}
        return Secret(data, f"{metadata['uid']}/{metadata['resourceVersion']}")


def path(plural: str, namespace: str | None = None, name: str | None = None, sub: str | None = None) -> str:
    """Return the path of our kind's collection or object."""
    parts = [f"/apis/{API_VERSION}"]
    if namespace:
        parts.append(f"namespaces/{namespace}")
    parts += [part for part in (plural, name, sub) if part]
    return "/".join(parts)


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that turns `old` into `new`; empty when they are equal. Absent fields become null."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := merge_patch(before, value):
                patch[key] = inner
        elif value != before or key not in old:
            patch[key] = value
    return patch


def _error(status: int, text: bytes, retry_after: str = "") -> KubeError:
    """Return the error of a Status object; any other body is dropped, since it may hold anything.

    A server that has too much to do answers with plain text, and one behind a load balancer with a page.
    """
    pause = min(float(retry_after), LONGEST_RETRY_AFTER) if retry_after.isdecimal() else 0.0
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or answer.get("kind") != "Status":
        return KubeError(status, "Unexpected", "the answer is not a Kubernetes Status", pause)
    causes = {cause.get("reason") for cause in (answer.get("details") or {}).get("causes") or []}
    reason = "NamespaceTerminating" if "NamespaceTerminating" in causes else str(answer.get("reason") or "Unknown")
    return KubeError(status, reason, str(answer.get("message", ""))[:500], pause)
