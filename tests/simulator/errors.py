"""Refusals, and the bodies in which each service words them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

EXPLANATIONS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
    500: "The server has either erred or is incapable of performing the requested operation.",
}
"""Status → webob's explanation, which Heat repeats."""

NOVA_NAMES = {400: "badRequest", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest", 413: "overLimit"}
UNAUTHORIZED = "The request you have made requires authentication."


class RefusedError(Exception):
    """A request that a service refuses."""

    def __init__(self, status: int, kind: str = "", message: str | None = None) -> None:
        super().__init__(f"{status} {kind}: {message}")
        self.status, self.kind, self.message = status, kind, message
        """`kind` is the type that Heat and Neutron name; a message of None leaves Heat's out."""


def gone(name: str) -> RefusedError:
    """Return Heat's answer for a stack that is not there."""
    return RefusedError(404, "EntityNotFound", f"The Stack ({name}) could not be found.")


def invalid(message: str, kind: str = "StackValidationFailed") -> RefusedError:
    """Return Heat's refusal of a template, of a parameter or of what a property names."""
    return RefusedError(400, kind, message)


def page_of_html(status: int, text: str) -> str:
    """Return the page that webob makes of an answer without a body of its own."""
    title = f"{status} {_title(status)}"
    return (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n  {text}\n </body>\n</html>"
    )


def body_of(service: str, refused: RefusedError) -> dict[str, Any]:
    """Return the body that the service gives; the services themselves leave a 401 to their Keystone middleware."""
    status, title = refused.status, _title(refused.status)
    message = refused.message or ""
    if service == "identity" or status == 401:
        return {"error": {"code": status, "title": title, "message": message or UNAUTHORIZED}}
    if service == "orchestration":
        error = {"type": refused.kind or f"HTTP{title.replace(' ', '')}", "traceback": None}
        if refused.message is not None:
            error["message"] = refused.message
        return {"code": status, "title": title, "explanation": EXPLANATIONS.get(status, title), "error": error}
    if service in ("compute", "block-storage"):
        return {NOVA_NAMES.get(status, "computeFault"): {"code": status, "message": message}}
    return {"NeutronError": {"type": refused.kind, "message": message, "detail": ""}}


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
