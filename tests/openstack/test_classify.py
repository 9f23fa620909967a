"""Every answer that misled somebody is one row: what came back → the code, and whether the request may still land."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.api.errors import ErrorCode as Code
from stoker.core.classify import LONGEST_RETRY_AFTER, Answer, classify, classify_reason
from stoker.core.faults import FAULT_TEXT

INVALID = "StackValidationFailed"


def create(status: int | None, error_type: str = "", text: str = "", **more) -> Answer:
    return Answer("create stack vm-1", status, error_type, text, **more)


def wrong(where: str, what: str) -> Answer:
    return create(400, INVALID, f"Property error: resources.{where}: Error validating value {what}")


def at_keystone(status: int | None, text: str = "", **more) -> Answer:
    return Answer("authenticate", status, text=text, service="identity", **more)


FIRM, OPEN = True, False
REFUSED = "could not be found."

ANSWERS = {
    "a taken name is a conflict of names": (
        create(409, "StackExists", "The Stack (vm-1) already exists."),
        Code.NAME_CONFLICT,
        FIRM,
    ),
    "an action under way is a conflict that passes": (create(409, "ActionInProgress", "Stack x"), Code.CONFLICT, FIRM),
    "any other 409 is a conflict that passes": (create(409), Code.CONFLICT, FIRM),
    "a refused trust is a 403 without a word": (create(403, "Forbidden"), Code.CREDENTIAL_CANNOT_CREATE_TRUSTS, FIRM),
    "a refused trust with access rules is a 500 that says Unauthorized": (
        create(500, "Unauthorized", "The request you have made requires authentication."),
        Code.CREDENTIAL_CANNOT_CREATE_TRUSTS,
        FIRM,
    ),
    "a trust refused in words": (
        create(403, "Forbidden", "Delegated tokens cannot manage trusts. (HTTP 403)"),
        Code.CREDENTIAL_CANNOT_CREATE_TRUSTS,
        FIRM,
    ),
    "a template that needs a trust where Heat makes none": (
        create(400, "MissingCredentialError", "Missing required credential: X-Auth-Key"),
        Code.CREDENTIAL_CANNOT_CREATE_TRUSTS,
        FIRM,
    ),
    "a 403 without a word to a look is no refused trust": (
        Answer("list stacks", 403, "Forbidden"),
        Code.FORBIDDEN,
        FIRM,
    ),
    "a proxy's 403 page is no refused trust": (
        create(403, text="<h1>Forbidden</h1>", content_type="text/html"),
        Code.FORBIDDEN,
        FIRM,
    ),
    "a 403 of a policy is missing roles": (
        Answer("list stacks", 403, "Forbidden", "You are not authorized to use stacks:global_index."),
        Code.FORBIDDEN,
        FIRM,
    ),
    "a dead nova is a 400 that passes": (
        create(
            400,
            INVALID,
            "Property error: resources.server.properties.flavor: Error validating value 'm1.small': Unable to establish "
            "connection to http://127.0.0.1:8774/v2.1/flavors",
        ),
        Code.CLOUD_UNAVAILABLE,
        FIRM,
    ),
    "the stack limit is a 400": (
        create(400, "RequestLimitExceeded", "You have reached the maximum stacks per tenant, 512."),
        Code.CLOUD_QUOTA_EXCEEDED,
        FIRM,
    ),
    "an unknown flavor": (
        wrong("server.properties.flavor", "'nosuch': No Flavor matching {'name': 'nosuch'}. (HTTP 404)"),
        Code.FLAVOR_NOT_FOUND,
        FIRM,
    ),
    "an unknown image": (
        wrong("server.properties.image", "'nosuch': No images matching {'name': 'nosuch'}."),
        Code.IMAGE_NOT_FOUND,
        FIRM,
    ),
    "an unknown network": (
        wrong("port.properties.network", "'nosuch': Unable to find network with name or id 'nosuch'"),
        Code.NETWORK_NOT_FOUND,
        FIRM,
    ),
    "an unknown network of floating IPs": (
        wrong("fip.properties.floating_network", "'nosuch': Unable to find network with name or id 'nosuch'"),
        Code.NETWORK_NOT_FOUND,
        FIRM,
    ),
    "an unknown key pair": (
        wrong("server.properties.key_name", f"'nosuch': The Key (nosuch) {REFUSED}"),
        Code.KEY_PAIR_NOT_FOUND,
        FIRM,
    ),
    "an unknown volume type": (
        wrong("v.properties.volume_type", f"'nosuch': The VolumeType (nosuch) {REFUSED}"),
        Code.VOLUME_TYPE_NOT_FOUND,
        FIRM,
    ),
    "a flavor whose name speaks of quota is an unknown flavor": (
        wrong("server.properties.flavor", "'quota exceeded': No Flavor matching {'name': 'quota exceeded'}."),
        Code.FLAVOR_NOT_FOUND,
        FIRM,
    ),
    "a parameter that the template lacks is the template's fault": (
        create(400, "UnknownUserParameter", "The Parameter (b) was not defined in template."),
        Code.TEMPLATE_INVALID,
        FIRM,
    ),
    "a parameter that we do not give is the template's fault": (
        create(400, "UserParameterMissing", "The Parameter (a) was not provided."),
        Code.TEMPLATE_INVALID,
        FIRM,
    ),
    "a template of a version unknown to Heat": (
        create(400, "InvalidTemplateVersion", "…"),
        Code.TEMPLATE_INVALID,
        FIRM,
    ),
    "a reference to nothing": (create(400, "InvalidTemplateReference", "…"), Code.TEMPLATE_INVALID, FIRM),
    "a section that no template has": (
        create(400, INVALID, "The template section is invalid: bogus"),
        Code.TEMPLATE_INVALID,
        FIRM,
    ),
    "text that is not YAML": (
        create(400, "HTTPBadRequest", "Template not in valid format: Error parsing template [root stack]"),
        Code.TEMPLATE_INVALID,
        FIRM,
    ),
    "a resource type that the cloud lacks": (
        create(400, INVALID, f"The Resource Type (OS::No::Such) {REFUSED}"),
        Code.TEMPLATE_INVALID,
        FIRM,
    ),
    "a property that the resource lacks": (
        create(400, INVALID, "Property error: resources.v.properties: Unknown Property volume_type"),
        Code.TEMPLATE_INVALID,
        FIRM,
    ),
    "a name for both a parameter and a resource": (
        create(400, INVALID, "Duplicate names {'text'}"),
        Code.TEMPLATE_INVALID,
        FIRM,
    ),
    "a value outside the template's bounds is the spec's fault": (
        create(400, INVALID, "Parameter 'a' is invalid: length (8) is out of range (min: None, max: 3)"),
        Code.INVALID_SPEC,
        FIRM,
    ),
    "a body too large for a proxy is the spec's fault": (create(413), Code.INVALID_SPEC, FIRM),
    "a 401 is the credential": (
        create(401, text="The request you have made requires authentication."),
        Code.UNAUTHORIZED,
        FIRM,
    ),
    "an unknown application credential is a 404 of Keystone": (
        at_keystone(404, "Could not find Application Credential: x."),
        Code.UNAUTHORIZED,
        FIRM,
    ),
    "a wrong password is a 401 of Keystone": (at_keystone(401, "The request"), Code.UNAUTHORIZED, FIRM),
    "a broken Keystone leaves the wanted request unsent": (at_keystone(503), Code.CLOUD_UNAVAILABLE, FIRM),
    "a lost token leaves the wanted request unsent": (at_keystone(None, "timed out: no answer"), Code.TIMEOUT, FIRM),
    "an absent stack": (
        Answer("look at stack 1", 404, "EntityNotFound", f"The Stack (network x) {REFUSED}"),
        Code.NOT_FOUND,
        FIRM,
    ),
    "a live stack with a broken row": (
        Answer("look at stack 1", 404, "NotFound", f"ResourcePropertiesData with id 7 {REFUSED}"),
        Code.NOT_FOUND,
        FIRM,
    ),
    "too many requests": (create(429, text="Quota exceeded? No: slow down"), Code.RATE_LIMITED, FIRM),
    "a bad gateway may have passed it on": (
        create(502, text="<html>Bad Gateway</html>", content_type="text/html"),
        Code.CLOUD_UNAVAILABLE,
        OPEN,
    ),
    "an internal error may have done it": (create(500, "InvalidRequestError", "oops"), Code.CLOUD_UNAVAILABLE, OPEN),
    "a deletion that broke may go on": (Answer("delete stack 1", 503), Code.CLOUD_UNAVAILABLE, OPEN),
    "no answer in time may still land": (create(None, text="timed out: no answer"), Code.TIMEOUT, OPEN),
    "a lost connection may still land": (create(None, text="no usable answer"), Code.CLOUD_UNAVAILABLE, OPEN),
    "a refused connection was never used": (
        create(None, text="connection refused", sent=False),
        Code.CLOUD_UNAVAILABLE,
        FIRM,
    ),
    "a status that nobody knows": (create(418), Code.UNKNOWN, FIRM),
}


@pytest.mark.parametrize(("answer", "code", "definite"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_means(answer: Answer, code: Code, definite: bool) -> None:
    fault = classify(answer)
    assert (fault.code, fault.definite) == (code, definite)
    assert fault.message.startswith(f"{answer.operation}: ")


def test_the_message_keeps_the_name_that_helps() -> None:
    fault = classify(ANSWERS["an unknown flavor"][0])
    assert "No Flavor matching {'name': 'nosuch'}" in fault.message


def test_a_page_of_html_is_never_shown() -> None:
    assert classify(create(502, text="<b>x</b>", content_type="text/html")).message == "create stack vm-1: HTTP 502"


def test_a_refusal_without_a_word_is_given_one() -> None:
    assert "refused to make a trust (HTTP 403)" in classify(create(403)).message


@pytest.mark.parametrize(
    ("asked", "believed"), [(7.0, 7.0), (1e9, LONGEST_RETRY_AFTER), (0.0, None), (-5.0, None), (None, None)]
)
def test_a_pause_is_believed_within_bounds(asked: float | None, believed: float | None) -> None:
    assert classify(create(503, retry_after=asked)).retry_after == believed


@given(text=st.text(max_size=3000), status=st.one_of(st.none(), st.integers(100, 599)))
def test_any_text_gives_a_bounded_line(text: str, status: int | None) -> None:
    for fault in (classify(create(status, text=text)), classify_reason(text)):
        assert fault.message.isprintable()
        assert len(fault.message) <= FAULT_TEXT


@pytest.mark.parametrize(
    ("answer", "outage"),
    [
        (Answer("list", None, text="connection refused"), True),
        (Answer("list", None, text="timed out"), True),
        (Answer("list", 503), True),
        (Answer("create", 500, "Unauthorized"), False),
        (Answer("create", 400, "StackValidationFailed", "unable to establish connection to nova"), False),
        (Answer("list", 429), False),
        (Answer("token", 401, service="identity"), False),
    ],
)
def test_an_outage_is_no_usable_answer_and_a_refusal_is_one(answer: Answer, outage: bool) -> None:
    assert classify(answer).outage is outage
