"""One service of the project over REST: a token for the pinned project, an allowed endpoint, a classified answer.

A call is sent once. The only repetition is after a 401, which refuses before anything is done: one new token, one more
try. Everything that a call needs, its token included, shares one deadline.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import requests
from keystoneauth1 import exceptions as ksa
from keystoneauth1.access import AccessInfo
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from stoker.api.errors import ErrorCode
from stoker.core.classify import Answer, classify, redacted
from stoker.core.faults import Fault
from stoker.openstack.base import CloudError, Endpoint
from stoker.openstack.session import BoundedSession

REQUEST_ID = "X-Openstack-Request-Id"


NOT_THERE = ("EntityNotFound", "itemNotFound")
"""What Heat and Nova call what they do not have; a proxy's 404, or one of a row that is broken, is something else."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer, or the one kind of 404 that was asked to count as one."""

    body: dict[str, Any]
    request_id: str | None = None
    gone: bool = False
    """True when the service itself says that there is no such thing."""

    at: datetime | None = None
    """The server's clock when it answered, from the Date header."""


class Rest:
    """Calls to one service."""

    def __init__(self, session: Session, endpoint: Endpoint, service: str, version: str = "") -> None:
        self._session, self._endpoint, self._service, self._version = session, endpoint, service, version
        self._http = cast(BoundedSession, session.session)

    def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        seconds: float | None = None,
        secrets: tuple[str, ...] = (),
        gone: bool = False,
    ) -> Reply:
        """Send one request; `gone` lets a 404 pass that is the service's own word. Raises CloudError for everything else."""
        request = {"method": method, "params": params, "json": body, "headers": headers}
        with self._http.within(seconds or self._http.seconds):
            response = self._send(operation, path, request)
            if response.status_code == 401:
                self._session.invalidate()
                response = self._send(operation, path, request)
        if response.status_code < 300:
            found = _json(response, operation, definite=method == "GET")
            return Reply(found, response.headers.get(REQUEST_ID), at=_date(response.headers.get("Date", "")))
        kind, text = _error_of(response)
        if gone and response.status_code == 404 and kind in NOT_THERE:
            return Reply({}, response.headers.get(REQUEST_ID), gone=True)
        raise self._failed(operation, response, kind, redacted(text, secrets))

    def authorize(self) -> tuple[AccessInfo, str]:
        """Get a token unless there is one; return it and the service's URL, both proven to be the pinned ones."""
        with translated("authenticate", "identity"):
            access = cast(BaseIdentityPlugin, self._session.auth).get_access(self._session)
            project = access.project_id
            url = self._url(access)
        if project != self._endpoint.project:
            message = f"the credentials are for the project {project}, and the Tenant pins {self._endpoint.project}"
            raise CloudError(Fault(ErrorCode.PROJECT_MISMATCH, message))
        if not url:
            message = (
                f"the catalogue has no {self._endpoint.interface} {self._service} endpoint in {self._endpoint.region}"
            )
            raise CloudError(Fault(ErrorCode.TENANT_NOT_READY, message))
        self._http.check_host(url)
        return access, url

    def _url(self, access: AccessInfo) -> str | None:
        """Return the service's URL in the token's catalogue. No version document is asked for."""
        try:
            url = access.service_catalog.url_for(
                service_type=self._service, interface=self._endpoint.interface, region_name=self._endpoint.region
            )
        except ksa.CatalogException:
            return None
        return _joined(url.rstrip("/"), self._version) if url else None

    def _send(self, operation: str, path: str, request: dict[str, Any]) -> requests.Response:
        _, url = self.authorize()
        with translated(operation, self._service):
            # `log` stays off: keystoneauth would write bodies, with user data in them, to the debug log.
            return self._session.request(
                f"{url}{path}", **request, raise_exc=False, allow_reauth=False, redirect=False, log=False
            )

    def _failed(self, operation: str, response: requests.Response, kind: str, text: str) -> CloudError:
        answer = Answer(
            operation,
            response.status_code,
            kind,
            text,
            self._service,
            _retry_after(response),
            content_type=response.headers.get("Content-Type", ""),
        )
        return CloudError(classify(answer), response.headers.get(REQUEST_ID))


def _joined(base: str, version: str) -> str:
    """Add to a catalogue's URL what it lacks of the version's path: clouds write all, a part or none of it."""
    parts = version.split("/")
    starts = ("/".join(parts[:count]) for count in range(len(parts), 1, -1))
    had = next((start for start in starts if base.endswith(start)), "")
    return base + version.removeprefix(had)


@contextmanager
def translated(operation: str, service: str) -> Iterator[None]:
    """Turn whatever keystoneauth, requests or a malformed token raise into a classified CloudError."""
    try:
        yield
    except ksa.HttpError as error:
        raise _refused(operation, service, error) from None
    except (ksa.ClientException, requests.exceptions.RequestException, OSError) as error:
        raise CloudError(classify(_unanswered(operation, service, error))) from error
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError, OverflowError) as error:
        message = f"{operation}: the answer is not what was expected ({type(error).__name__})"
        raise CloudError(Fault(ErrorCode.CLOUD_UNAVAILABLE, message, definite=service == "identity")) from error


def _refused(operation: str, service: str, error: ksa.HttpError) -> CloudError:
    """Return what Keystone's refusal means; only it reaches here, since services' answers are not raised."""
    response = error.response
    if response is None:
        return CloudError(classify(Answer(operation, error.http_status, service=service)))
    kind, text = _error_of(response)
    content_type = response.headers.get("Content-Type", "")
    answer = Answer(
        operation, response.status_code, kind, text, service, _retry_after(response), content_type=content_type
    )
    return CloudError(classify(answer), response.headers.get(REQUEST_ID))


def _unanswered(operation: str, service: str, error: BaseException) -> Answer:
    """Tell a connection that was never made from an answer that was lost.

    The type at the surface does not: keystoneauth calls every time-out a ConnectTimeout, so its causes are asked.
    """
    causes = list(_causes(error))
    never = any(isinstance(cause, (NewConnectionError, ConnectTimeoutError)) for cause in causes)
    late = any(isinstance(cause, requests.exceptions.Timeout) for cause in causes)
    unsent = never or any(isinstance(cause, requests.exceptions.ConnectTimeout) for cause in causes)
    if late:
        return Answer(
            operation, None, text="timed out: no answer within the deadline", service=service, sent=not unsent
        )
    if never:
        return Answer(operation, None, text="connection refused or host not found", service=service, sent=False)
    tls = any(isinstance(cause, requests.exceptions.SSLError) for cause in causes)
    what = "TLS certificate not accepted" if tls else f"no usable answer ({type(causes[-1]).__name__})"
    return Answer(operation, None, text=what, service=service, sent=not tls)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and all that it came from, arguments included: requests wraps urllib3's as an argument."""
    for _ in range(10):
        if error is None:
            return
        yield error
        for argument in error.args:
            reason = getattr(argument, "reason", argument)
            yield from (item for item in (argument, reason) if isinstance(item, BaseException))
        error = error.__cause__ or error.__context__


def _json(response: requests.Response, operation: str, *, definite: bool) -> dict[str, Any]:
    """Return the body of a good answer. An accepted update has an HTML page (measured against Heat 27.0.1)."""
    if response.status_code in (202, 204):
        return {}
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = ""
    if body is None:  # Heat's answer to a mark and to an action (measured against Heat 27.0.1)
        return {}
    if not isinstance(body, dict):
        message = f"{operation}: the answer is not the JSON that was expected"
        fault = Fault(ErrorCode.CLOUD_UNAVAILABLE, message, definite=definite)
        raise CloudError(fault, response.headers.get(REQUEST_ID))
    return body


def _error_of(response: requests.Response) -> tuple[str, str]:
    """Return the error's type and message of a JSON body; of anything else, nothing."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return "", ""
    error, kind = body.get("error", body) if isinstance(body, dict) else {}, ""
    if isinstance(error, dict) and "message" not in error and len(error) == 1:
        ((kind, error),) = error.items()  # Nova and Neutron: {"badRequest": {"message": …}}
    if not isinstance(error, dict):
        return "", str(error)
    return str(error.get("type") or kind), str(error.get("message") or "")


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds of a Retry-After, which is a number or a date."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal() and len(text) < 10:
        return float(text)
    date = _date(text)
    return date.timestamp() - time.time() if date else None


def _date(text: str) -> datetime | None:
    """Return the date of a header, in UTC."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
