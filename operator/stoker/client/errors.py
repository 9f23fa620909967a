"""What a caller catches: one exception with a code of the documented set, and one for a VM that needs a person."""

from __future__ import annotations

import json
from typing import Any

from stoker.api.errors import ErrorCode
from stoker.core.faults import one_line

_CODES = {
    400: ErrorCode.INVALID_SPEC,
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    409: ErrorCode.CONFLICT,
    422: ErrorCode.INVALID_SPEC,
    410: ErrorCode.TIMEOUT,
    429: ErrorCode.RATE_LIMITED,
    502: ErrorCode.TIMEOUT,
    503: ErrorCode.TIMEOUT,
    504: ErrorCode.TIMEOUT,
}
"""HTTP status of the API server → code. 410: what was begun is too old to go on with; 502 and 503 are of proxies."""

SAID = 600
"""Longest text of the API server in a message, characters: a refusal names each wrong field."""


class StokerError(Exception):
    """A request that failed. `code` says how, the message what was asked, what came back, and what to do."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class StalledError(StokerError):
    """The VM will not become what is waited for until a person changes something.

    `reason` is that of its condition Ready, which need be no error (`Paused`); `code` is then `Conflict`.
    """

    def __init__(self, reason: str, message: str) -> None:
        known = reason in set(ErrorCode)
        super().__init__(ErrorCode(reason) if known else ErrorCode.CONFLICT, message)
        self.reason = reason


def refused(what: str, status: int, body: bytes) -> StokerError:
    """Return the error for an answer of the API server that is no success."""
    said = _message(body) or f"HTTP {status}"
    return StokerError(_CODES.get(status, ErrorCode.UNKNOWN), f"{what}: {said}")


def unanswered(what: str, error: Exception) -> StokerError:
    """Return the error for a request that nothing usable answered; it may still have been carried out."""
    return StokerError(
        ErrorCode.TIMEOUT, f"{what}: the API server gave no answer ({one_line(str(error), SAID)}). Try again."
    )


def _message(body: bytes) -> str:
    """Return the message of a `metav1.Status`, or the text as it is."""
    try:
        status: Any = json.loads(body)
    except ValueError:
        return one_line(body.decode(errors="replace"), SAID)
    message = status.get("message", "") if isinstance(status, dict) else ""
    return one_line(str(message), SAID)
