"""A cloud of canned answers on a real socket: what no healthy OpenStack can be asked to say."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

PROJECT = "p" * 32
TOKEN = "token-of-the-tenant"


@dataclass
class Canned:
    """One answer; `raw` writes to the socket itself instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: Callable[[socket.socket, threading.Event], None] | None = None


@dataclass(frozen=True)
class Sent:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


class CannedCloud(ThreadingHTTPServer):
    """Keystone and whatever `answers` holds; the last answer for a path is given again and again."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), _Handler)
        self.tls = tls
        self.stopping = threading.Event()
        self.sent: list[Sent] = []
        self.answers: dict[tuple[str, str], deque[Canned]] = {}
        self.on("POST", "/v3/auth/tokens", self.token())

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def on(self, method: str, path: str, *answers: Canned) -> None:
        """Give these answers, in order, to that request."""
        self.answers[method, path] = deque(answers)

    def token(self, project: str = PROJECT, heat: str | None = None, **more: Any) -> Canned:
        """Return Keystone's answer with a token for that project and a catalogue."""
        services = {"compute": "/compute", "image": "/image", "network": "/network"}
        urls = {"orchestration": heat or f"{self.url}/heat", **{kind: self.url + at for kind, at in services.items()}}
        catalog = [
            {
                "type": kind,
                "name": kind,
                "endpoints": [{"interface": "public", "region": "one", "region_id": "one", "url": url}],
            }
            for kind, url in urls.items()
        ]
        body = {
            "methods": ["password"],
            "project": {"id": project, "name": "x", "domain": {"id": "default", "name": "Default"}},
            "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r", "name": "member"}],
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "expires_at": "2999-01-01T00:00:00.000000Z",
            "catalog": catalog,
        }
        return Canned(201, {"token": {**body, **more}}, {"X-Subject-Token": TOKEN})

    def seen(self, method: str, path: str) -> list[Sent]:
        """Return the requests of that kind."""
        return [sent for sent in self.sent if (sent.method, sent.path) == (method, path)]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the request's own thread, so that a client that turns away stops nobody else."""
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        try:
            super().finish_request(request, client_address)
        finally:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is what is being tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CannedCloud

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(content) if content else None
        self.server.sent.append(Sent(self.command, parts.path, parts.query, dict(self.headers), body))
        queue = self.server.answers.get((self.command, parts.path)) or deque([Canned(404, {"error": {"type": "?"}})])
        canned = queue.popleft() if len(queue) > 1 else queue[0]
        if canned.raw:
            canned.raw(self.connection, self.server.stopping)
            self.close_connection = True
            return
        data = (
            canned.body
            if isinstance(canned.body, bytes)
            else b""
            if canned.body is None
            else json.dumps(canned.body).encode()
        )
        self.send_response(canned.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(data)), **canned.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 -- named by http.server

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def dripping(start: bytes, drop: bytes = b" ") -> Canned:
    """Return an answer that begins, and then goes on a drop at a time for ever."""

    def drip(connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(start)
        while not stopping.wait(0.02):
            connection.sendall(drop)

    return Canned(raw=drip)


def cut(start: bytes) -> Canned:
    """Return an answer that begins, and then the connection is closed."""
    return Canned(raw=lambda connection, _: connection.sendall(start))
