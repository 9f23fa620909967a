"""A Secret's content is taken strictly: exactly one known set of keys, short printable text, no value ever shown."""

from __future__ import annotations

import pytest

from stoker.api.errors import ErrorCode
from stoker.openstack.base import CloudError, Credentials
from stoker.openstack.credentials import LONGEST, parse_credentials

SECRET = b"hunter2-hunter2"
APPLICATION = {"application_credential_id": b"abc", "application_credential_secret": SECRET}
PASSWORD = {"username": b"bob", "password": SECRET}

BAD = {
    "nothing": {},
    "half of a set": {"username": b"bob"},
    "both sets": {**APPLICATION, **PASSWORD},
    "a key nobody knows": {**APPLICATION, "auth_url": b"http://evil.example"},
    "a whole clouds.yaml": {"clouds.yaml": b"clouds: {}"},
    "a domain beside an application credential": {**APPLICATION, "user_domain_name": b"Default"},
    "an empty value": {**PASSWORD, "password": b""},
    "a value too long": {**PASSWORD, "password": b"x" * (LONGEST + 1)},
    "bytes that are no text": {**PASSWORD, "password": b"\xff\xfe"},
    "a line break at the end": {**PASSWORD, "password": SECRET + b"\n"},
    "a null character": {**PASSWORD, "username": b"bob\0"},
}


def test_an_application_credential_is_read() -> None:
    assert parse_credentials(APPLICATION) == Credentials("application-credential", "abc", SECRET.decode())


@pytest.mark.parametrize(("more", "domain"), [({}, "Default"), ({"user_domain_name": "Bürö".encode()}, "Bürö")])
def test_a_password_is_read(more: dict[str, bytes], domain: str) -> None:
    assert parse_credentials({**PASSWORD, **more}) == Credentials("password", "bob", SECRET.decode(), domain)


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_refused_with_its_keys_and_without_its_values(data: dict[str, bytes]) -> None:
    with pytest.raises(CloudError) as caught:
        parse_credentials(data)
    assert caught.value.fault.code is ErrorCode.CREDENTIALS_INVALID
    assert "hunter2" not in str(caught.value)
    assert "evil.example" not in str(caught.value)


def test_a_secret_is_never_printed() -> None:
    assert "hunter2" not in repr(parse_credentials(APPLICATION))
