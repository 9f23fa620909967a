"""One tenant's HTTP session: a total deadline, a bounded body, allowed hosts only, no redirects, TLS always verified.

Identity plugins are built directly from strict values; the SDK's own loaders read files, URLs and the environment, and
obey `verify: false`. What an answer means is not decided here but in `rest` and `core.classify`.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self

import requests
import urllib3
from keystoneauth1.identity import v3
from keystoneauth1.identity.v3 import Auth
from keystoneauth1.session import Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault
from stoker.openstack.base import CloudError, Credentials, Endpoint

LARGEST_BODY = 8 * 1024 * 1024
"""Most bytes of an answer, decoded. A page of 500 stacks has about 500 KB."""

CONNECT_SECONDS = 5.0
CHUNK = 65_536
POOL = 16
"""Connections kept for one service."""

_DEFAULT_PORT = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_thread = threading.local()
"""`deadline` of the call that this thread is in, and the `watch` over its request."""


def hosts_of(endpoint: Endpoint) -> frozenset[str]:
    """Return what may be called, as host:port; a host without port is meant with that of authURL's scheme."""
    scheme = endpoint.auth_url.partition("://")[0]
    return frozenset({host_of(endpoint.auth_url), *(host_of(f"{scheme}://{host}") for host in endpoint.allowed_hosts)})


def host_of(url: str) -> str:
    """Return host:port, read by the parser that the connection is made with: two parsers disagree on odd URLs."""
    try:
        parts = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        return "unreadable"
    return f"{(parts.host or '').lower()}:{parts.port or _DEFAULT_PORT.get(parts.scheme or '', 0)}"


class _Watch:
    """Cuts the request's connection at the deadline, wherever the thread is blocked.

    A socket's time-out starts anew with every byte, so a slow drip of header lines would outlive any of them. Only a
    name look-up cannot be cut; the resolver's own limits hold there.
    """

    def __init__(self, seconds: float) -> None:
        self.late = False
        self.socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        _thread.watch = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _thread.watch = None

    def _cut(self) -> None:
        self.late = True
        if self.socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # of the TCP socket, below TLS


class _Watched(HTTPConnection):
    """Shows its socket to the watch."""

    def connect(self) -> None:
        super().connect()
        self._show()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._show()
        super().request(*args, **kwargs)

    def _show(self) -> None:
        watch: _Watch = _thread.watch
        watch.socket = self.sock
        if watch.late:
            raise urllib3.exceptions.ConnectTimeoutError(self, "connected too late")


class _WatchedTLS(_Watched, HTTPSConnection):
    """The same over TLS."""


class _Http(HTTPConnectionPool):
    ConnectionCls = _Watched


class _Https(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLS


@lru_cache(maxsize=16)
def _context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return the one context of those certificates: the system's alone take 0.7 MB, and each tenant has a session."""
    if ca_bundle == "":
        raise ValueError("no certificate")  # ssl would take the system's
    return ssl.create_default_context(cadata=ca_bundle)


class _Transport(HTTPAdapter):
    """Verifies TLS against the Cloud's own CA certificates, held in memory, or the system's; never against both."""

    def __init__(self, ca_bundle: str | None) -> None:
        self._context = _context(ca_bundle)
        super().__init__(pool_maxsize=POOL, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = {"http": _Http, "https": _Https}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the context alone: requests would add certifi's public CAs to it."""


class BoundedSession(requests.Session):
    """A requests session that refuses other hosts, ends on time and reads no more than it should."""

    def __init__(self, endpoint: Endpoint, timeout: float, largest_body: int = LARGEST_BODY) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._hosts = hosts_of(endpoint)
        self.seconds, self._largest = timeout, largest_body
        transport = _Transport(endpoint.ca_bundle)
        for scheme in ("https://", "http://"):
            self.mount(scheme, transport)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give everything that this thread sends inside, tokens included, one deadline."""
        _thread.deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            _thread.deadline = None

    def check_host(self, url: str) -> None:
        """Raise CloudError (EndpointNotAllowed) for a URL that must not be called."""
        host = host_of(url)
        if host not in self._hosts or not url.startswith(("http://", "https://")):
            raise CloudError(Fault(ErrorCode.ENDPOINT_NOT_ALLOWED, f"{host} is not one of the Cloud's hosts"))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request; the whole body is here when it returns."""
        self.check_host(str(request.url))
        left = self._seconds_left()
        kwargs.update(allow_redirects=False, stream=True, verify=True, cert=None, proxies={})
        kwargs["timeout"] = (min(CONNECT_SECONDS, left), left)
        with _Watch(left) as watch:
            try:
                response = super().send(request, **kwargs)
                with response:
                    response._content = self._body(response)  # noqa: SLF001 -- as requests does when not streaming
                    response.__dict__["_content_consumed"] = True
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                if watch.late:
                    raise requests.exceptions.ReadTimeout("cut at the deadline") from error
                if isinstance(error, requests.exceptions.RequestException):
                    raise
                raise requests.exceptions.ConnectionError(error) from error
            if watch.late:  # a cut looks like the end of a body that names no length
                raise requests.exceptions.ReadTimeout("cut at the deadline")
        if response.status_code in _REDIRECTS:
            raise _redirected(response)
        return response

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        """No answer is a redirect; requests would read the whole body of one, whatever its size."""
        return None

    def _seconds_left(self) -> float:
        deadline: float | None = getattr(_thread, "deadline", None)
        left = self.seconds if deadline is None else deadline - time.monotonic()
        if left <= 0:
            raise requests.exceptions.ConnectTimeout("the deadline passed before the request was sent")
        return left

    def _body(self, response: requests.Response) -> bytes:
        """Return the decoded body; urllib3 decodes at most a chunk at a time, so a gzip bomb meets the bound too."""
        chunks, size = [], 0
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._largest:
                raise requests.exceptions.ContentDecodingError(f"the answer is larger than {self._largest} bytes")
        return b"".join(chunks)


def _redirected(response: requests.Response) -> CloudError:
    """Heat redirects what is asked by name alone; a proxy redirects http to https. Nothing was done in either case."""
    host = host_of(str(response.url))
    message = f"{response.request.method} to {host}: HTTP {response.status_code}, and redirects are never followed"
    return CloudError(Fault(ErrorCode.UNKNOWN, message), response.headers.get("X-Openstack-Request-Id"))


def open_session(endpoint: Endpoint, credentials: Credentials, timeout: float, user_agent: str) -> Session:
    """Return a keystoneauth session for the pinned project. Nothing is sent yet."""
    try:
        http = BoundedSession(endpoint, timeout)
    except (ssl.SSLError, ValueError, TypeError) as error:
        message = "the Cloud's caBundle has no certificate in PEM"
        raise CloudError(Fault(ErrorCode.TENANT_NOT_READY, message)) from error
    session = Session(auth=_plugin(endpoint, credentials), session=http, verify=True, redirect=False)
    session.user_agent = user_agent  # given to the constructor, it would be followed by every library's version
    return session


def identity_url(endpoint: Endpoint) -> str:
    """Return Keystone's URL with its version: the plugin itself asks no version document, and other versions are gone."""
    url = endpoint.auth_url.rstrip("/")
    return url if url.endswith("/v3") else f"{url}/v3"


def _plugin(endpoint: Endpoint, credentials: Credentials) -> Auth:
    auth_url = identity_url(endpoint)
    if credentials.kind == "application-credential":
        return v3.ApplicationCredential(
            auth_url,
            application_credential_id=credentials.id,
            application_credential_secret=credentials.secret,
        )
    return v3.Password(
        auth_url,
        username=credentials.id,
        password=credentials.secret,
        user_domain_name=credentials.user_domain,
        project_id=endpoint.project,
    )
