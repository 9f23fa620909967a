"""Keystone: what the tenant's token says of itself. No call: it came with the token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keystoneauth1.access import AccessInfo

from stoker.openstack.rest import translated


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """Whose token it is, and for how long."""

    project: str
    roles: tuple[str, ...]
    expires_at: datetime


def token_facts(access: AccessInfo) -> TokenFacts:
    """Return the facts; a token without them is no token."""
    with translated("read the token", "identity"):
        if not isinstance(access.expires, datetime):
            raise TypeError("expires_at")
        return TokenFacts(str(access.project_id), tuple(sorted(access.role_names or ())), access.expires)
