"""Classification: an answer of OpenStack → a fault of our closed set. Ordered tables, the first match wins.

Status codes say little: a stack limit is 400, an unknown application credential 404, a refused trust 403 without a
word or 500. Every odd case was measured against Heat 27.0.1, Keystone 30.0.0, Nova 34.0.0 and Neutron 29.0.0, unless
it says otherwise. Quoted values are blanked before texts are matched: a flavor named 'quota exceeded' is no quota.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault, one_line

LONGEST_RETRY_AFTER = 600.0
"""Most seconds that a Retry-After is believed."""

LONGEST_TEXT = 16_384
"""Most characters of foreign text that are looked at: a reason with Nova's fault in it has about 500."""

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"gAAAA[\w=-]{16,}"), "***"),  # a Fernet token
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]+)?"), "***"),  # a JSON web token
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), "://***@"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), "***"),
    (
        re.compile(
            r"((?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key)[\"']?\s*[:=]\s*[\"']?)"
            r"(?:(?:bearer|basic)\s+)?[^\s\"',;&}]+",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
)

_QUOTED = re.compile(r"(?<!\w)'[^']*'(?!\w)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, or did not."""

    operation: str
    """What was attempted, on what: "create stack vm-1"."""

    status: int | None
    """HTTP status, or None when there was no answer."""

    error_type: str = ""
    """Heat's `error.type`."""

    text: str = ""
    """The error's message."""

    service: str = "orchestration"
    retry_after: float | None = None
    sent: bool = True
    """False when the request certainly never left: nobody listens there."""

    content_type: str = "application/json"
    """The text counts only when it is JSON: a proxy's HTML page never reaches a message."""


Test = Callable[[Answer], bool]


def _has(*patterns: str) -> Test:
    found = re.compile("|".join(patterns), re.IGNORECASE)
    return lambda answer: bool(found.search(answer.text))


def _is(*statuses: int) -> Test:
    return lambda answer: answer.status in statuses


def _type(*names: str) -> Test:
    return lambda answer: answer.error_type in names


def _all(*tests: Test) -> Test:
    return lambda answer: all(test(answer) for test in tests)


def _builds(answer: Answer) -> bool:
    """Tell whether the request was one for which Heat may make a trust."""
    return answer.operation.startswith(("create", "update", "adopt"))


def _at_identity(answer: Answer) -> bool:
    return answer.service == "identity"


def _silent(answer: Answer) -> bool:
    return not answer.text and "json" in answer.content_type


_TEXTS: tuple[tuple[Test, ErrorCode], ...] = (
    # A dead nova-api is a 400 StackValidationFailed that only its text gives away: before everything about properties.
    (
        _has(r"unable to establish connection", r"connection (was )?(refused|reset|aborted)", r"service unavailable"),
        ErrorCode.CLOUD_UNAVAILABLE,
    ),
    (_has(r"cannot manage trusts", r"missing required credential"), ErrorCode.CREDENTIAL_CANNOT_CREATE_TRUSTS),
    # Nova: "Quota exceeded for cores: …" (403). Neutron: OverQuotaClient "Quota exceeded for resources" (409, but it
    # clears by itself). Cinder (read in its source): VolumeSizeExceedsAvailableQuota, VolumeLimitExceeded (413).
    (
        _has(
            r"quota exceeded",
            r"OverQuota",
            r"ExceedsAvailableQuota",
            r"VolumeLimitExceeded",
            r"exceeds allowed .{1,40} quota",
            r"maximum number of .{1,40} exceeded",
            r"no more ip addresses available",
        ),
        ErrorCode.CLOUD_QUOTA_EXCEEDED,
    ),
    # Comes about 94 s after the create: Heat itself tries the server five times.
    (_has(r"no valid host", r"NoValidHost", r"not enough hosts"), ErrorCode.NO_VALID_HOST),
    (_has(r"no flavor matching", r"flavor \S{1,260} could not be found"), ErrorCode.FLAVOR_NOT_FOUND),
    (_has(r"no images? matching", r"image \S{1,260} could not be found"), ErrorCode.IMAGE_NOT_FOUND),
    (
        _has(r"the key \(.{0,260}\) could not be found", r"(invalid key_name|keypair \S{0,260} not found)"),
        ErrorCode.KEY_PAIR_NOT_FOUND,
    ),
    (
        _has(r"the volume ?type \(.{0,260}\) could not be found", r"volume type \S{0,260} could not be found"),
        ErrorCode.VOLUME_TYPE_NOT_FOUND,
    ),
    # The second is Neutron's for a floating IP of a network that the router has no gateway to.
    (
        _has(
            r"unable to find network with",
            r"external network \S{1,80} is not reachable",
            r"network \S{1,260} could not be found",
        ),
        ErrorCode.NETWORK_NOT_FOUND,
    ),
    (_has(r"timed out"), ErrorCode.TIMEOUT),
)

_TEMPLATE_TYPES = (
    "UserParameterMissing",
    "UnknownUserParameter",  # users give a spec, not parameters: the template lacks one of ours
    "InvalidTemplateVersion",
    "InvalidTemplateReference",
    "InvalidTemplateSection",
    "InvalidTemplateParameter",
    "InvalidTemplateAttribute",
    "CircularDependencyException",
)

_RULES: tuple[tuple[Test, ErrorCode], ...] = (
    # Keystone answers 404 to an unknown or deleted application credential; it says nothing about any stack.
    (_all(_at_identity, _is(400, 401, 403, 404)), ErrorCode.UNAUTHORIZED),
    (_is(401), ErrorCode.UNAUTHORIZED),
    (_type("StackExists"), ErrorCode.NAME_CONFLICT),
    (_type("ActionInProgress"), ErrorCode.CONFLICT),
    (_type("EntityNotFound"), ErrorCode.NOT_FOUND),
    # The stack limit (max_stacks_per_tenant) and oversized bodies are 400, not 413 or 429.
    (_type("RequestLimitExceeded"), ErrorCode.CLOUD_QUOTA_EXCEEDED),
    # Heat with deferred_auth_method=trusts and an application credential: 403 with no message, or 500 "Unauthorized"
    # when the credential has access rules.
    (_all(_builds, _is(403), _silent), ErrorCode.CREDENTIAL_CANNOT_CREATE_TRUSTS),
    (_all(_builds, _is(500), _type("Unauthorized")), ErrorCode.CREDENTIAL_CANNOT_CREATE_TRUSTS),
    # deferred_auth_method=password and a template with, for example, a WaitConditionHandle.
    (_type("MissingCredentialError"), ErrorCode.CREDENTIAL_CANNOT_CREATE_TRUSTS),
    (_is(429), ErrorCode.RATE_LIMITED),
    *_TEXTS,
    (_is(403), ErrorCode.FORBIDDEN),
    (_is(404), ErrorCode.NOT_FOUND),
    (_is(409), ErrorCode.CONFLICT),
    (_is(413), ErrorCode.INVALID_SPEC),
    (_type(*_TEMPLATE_TYPES), ErrorCode.TEMPLATE_INVALID),
    (
        _all(
            _is(400),
            _has(
                r"template (not in|section|version|format)",
                r"unknown property",
                r"^duplicate names",  # a parameter and a resource share one
                r"the resource type .{0,300} could not be found",
                r"property \S{1,255} not assigned",
            ),
        ),
        ErrorCode.TEMPLATE_INVALID,
    ),
    (_is(400), ErrorCode.INVALID_SPEC),
    (lambda answer: answer.status is None or answer.status >= 500, ErrorCode.CLOUD_UNAVAILABLE),
)


_OUTAGES = (ErrorCode.CLOUD_UNAVAILABLE, ErrorCode.TIMEOUT)


def classify(answer: Answer) -> Fault:
    """Return the fault. A write that was not refused outright may still land: `definite` is False for it."""
    answer = replace(answer, text=_readable(answer))
    code = _first(_RULES, answer) or ErrorCode.UNKNOWN
    what = answer.text or (f"HTTP {answer.status}" if answer.status else "no answer")
    silent = code is ErrorCode.CREDENTIAL_CANNOT_CREATE_TRUSTS and not answer.text
    if silent:
        what = f"Heat refused to make a trust (HTTP {answer.status})"
    return Fault(
        code,
        one_line(f"{answer.operation}: {what}"),
        definite=_refused(answer, code),
        retry_after=_wait(answer.retry_after),
        outage=code in _OUTAGES and (answer.status is None or answer.status >= 500),
    )


def classify_reason(reason: str) -> Fault:
    """Return the fault behind a failed stack's `stack_status_reason`, which carries the resource's own words."""
    text = redacted(reason)
    code = _first(_TEXTS, Answer("stack failed", None, text=text)) or ErrorCode.STACK_FAILED
    return Fault(code, one_line(text) or "Heat gave no reason")


def redacted(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return foreign text without the secrets given (line by line, as services quote them) nor what looks like one."""
    text = text[:LONGEST_TEXT]
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    for line in sorted((line for line in lines if len(line) >= 6), key=len, reverse=True):
        text = text.replace(line, "***")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _readable(answer: Answer) -> str:
    return one_line(redacted(answer.text), LONGEST_TEXT) if "json" in answer.content_type else ""


def _first(rules: tuple[tuple[Test, ErrorCode], ...], answer: Answer) -> ErrorCode | None:
    blank = replace(answer, text=_QUOTED.sub("''", answer.text))
    return next((code for test, code in rules if test(blank)), None)


def _refused(answer: Answer, code: ErrorCode) -> bool:
    """Tell whether the request certainly had no effect; without a token, the wanted one was never sent."""
    if _at_identity(answer) or not answer.sent or code is ErrorCode.CREDENTIAL_CANNOT_CREATE_TRUSTS:
        return True
    return answer.status is not None and answer.status < 500


def _wait(seconds: float | None) -> float | None:
    return min(seconds, LONGEST_RETRY_AFTER) if seconds is not None and seconds > 0 else None
