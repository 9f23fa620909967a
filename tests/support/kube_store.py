"""An API server of a few objects on a real socket: versions, conflicts, and whatever answer a test puts in."""

from __future__ import annotations

from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer


def refusal(status: int, reason: str, message: str = "refused", **details: Any) -> web.Response:
    """Return the API machinery's Status."""
    body = {"kind": "Status", "status": "Failure", "code": status, "reason": reason, "message": message, **details}
    return web.json_response(body, status=status)


class KubeStore:
    """Objects by path, each write guarded by `metadata.resourceVersion`."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 0
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: web.Response | None = None
        """Given instead of doing anything, once."""

        self._refusals: dict[str, web.Response] = {}

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/"))

    def store(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Keep an object under a new version."""
        self.version += 1
        self.objects[path] = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return self.objects[path]

    def refuse_next(self, method: str, status: int, reason: str) -> None:
        """Refuse the next request of a method."""
        self._refusals[method] = refusal(status, reason)

    def _planned(self, method: str) -> web.Response | None:
        if self.answer is not None:
            answer, self.answer = self.answer, None
            return answer
        return self._refusals.pop(method, None)

    async def _serve(self, request: web.Request) -> web.Response:
        path = request.path
        self.requests.append((request.method, request.path_qs))
        self.headers.append(dict(request.headers))
        body = await request.json() if request.can_read_body else {}
        if planned := self._planned(request.method):
            return planned
        if request.method == "POST":
            made = body["metadata"]
            made.setdefault("name", f"{made.get('generateName')}{self.version + 1}")
            path = f"{path}/{made['name']}"
            if path in self.objects:
                return refusal(409, "AlreadyExists")
            return web.json_response(self.store(path, body), status=201)
        known = self.objects.get(path)
        if known is None:
            return refusal(404, "NotFound")
        if request.method == "PUT":
            if body["metadata"].get("resourceVersion") != known["metadata"]["resourceVersion"]:
                return refusal(409, "Conflict")
            known = self.store(path, body)
        if request.method == "PATCH":
            known = self.store(path, merged(known, body))
        return web.json_response(known)


def merged(content: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Apply a JSON merge patch (RFC 7396)."""
    new = {
        key: merged(content.get(key) or {}, value) if isinstance(value, dict) else value for key, value in patch.items()
    }
    return {key: value for key, value in {**content, **new}.items() if value is not None}
