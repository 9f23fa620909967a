"""Keystone: what the tenant's token says of itself, and when the credentials end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from keystoneauth1.access import AccessInfo

from stoker.openstack.base import CredentialsEnd
from stoker.openstack.rest import Rest, translated
from stoker.openstack.session import identity_url


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """Whose token it is, and for how long. It came with the token: no call."""

    project: str
    roles: tuple[str, ...]
    expires_at: datetime
    user: str = ""
    """Id of the user."""

    password_expires_at: datetime | None = None
    """When the user's password ends, if Keystone lets passwords end."""


def token_facts(access: AccessInfo) -> TokenFacts:
    """Return the facts; a token without them is no token."""
    with translated("read the token", "identity"):
        if not isinstance(access.expires, datetime):
            raise TypeError("expires_at")
        user: dict[str, Any] = access._data["token"].get("user") or {}  # noqa: SLF001 -- it has no property for this
        return TokenFacts(
            str(access.project_id),
            tuple(sorted(access.role_names or ())),
            access.expires,
            str(access.user_id),
            _time(user.get("password_expires_at")),
        )


class IdentityClient(Rest):
    """Keystone at the Cloud's own URL, whatever the catalogue says."""

    def application_credential_ends(self, user: str, credential: str) -> CredentialsEnd:
        """Read an application credential with its own token, which Keystone allows."""
        operation = "look at the application credential"
        reply = self.call(operation, "GET", f"/users/{user}/application_credentials/{credential}")
        with translated(operation, "identity"):
            return CredentialsEnd(_time(reply.body["application_credential"]["expires_at"]), reply.at)

    def _url(self, access: AccessInfo) -> str | None:  # noqa: ARG002
        return identity_url(self._endpoint)


def _time(text: Any) -> datetime | None:
    """Return a time of Keystone's, which is UTC with or without saying so."""
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
