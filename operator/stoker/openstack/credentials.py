"""Credentials: a Secret's keys → values, strictly. No URL, no file, no environment variable can come in this way."""

from __future__ import annotations

from collections.abc import Mapping

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault, one_line
from stoker.openstack.base import CloudError, Credentials

LONGEST = 4096
"""Longest value, bytes."""

APPLICATION_CREDENTIAL = frozenset({"application_credential_id", "application_credential_secret"})
PASSWORD = frozenset({"username", "password"})
OPTIONAL = frozenset({"user_domain_name"})


def parse_credentials(data: Mapping[str, bytes]) -> Credentials:
    """Return the credentials of a Secret's data.

    Raises CloudError (CredentialsInvalid) naming keys, never values.
    """
    keys = frozenset(data)
    values = {key: _text(key, value) for key, value in data.items()}
    if keys == APPLICATION_CREDENTIAL:
        return Credentials(
            "application-credential", values["application_credential_id"], values["application_credential_secret"]
        )
    if keys - OPTIONAL == PASSWORD:
        return Credentials(
            "password", values["username"], values["password"], values.get("user_domain_name", "Default")
        )
    found = one_line(", ".join(sorted(keys)), 200) or "none"
    raise _invalid(
        f"the Secret's keys are {found}; expected application_credential_id and application_credential_secret, "
        "or username, password and optionally user_domain_name"
    )


def _text(key: str, value: bytes) -> str:
    name = one_line(key, 80)
    if not value or len(value) > LONGEST:
        raise _invalid(f"the Secret's key {name} is empty or longer than {LONGEST} bytes")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise _invalid(f"the Secret's key {name} is not UTF-8 text") from None
    if not text.isprintable():
        raise _invalid(f"the Secret's key {name} has a line break or another control character")
    return text


def _invalid(message: str) -> CloudError:
    return CloudError(Fault(ErrorCode.CREDENTIALS_INVALID, message))
