"""No secret in foreign text reaches a message."""

from __future__ import annotations

import pytest

from stoker.core.classify import Answer, classify, classify_reason, redacted

SECRETS = [
    ("X-Auth-Token: gAAAAABmYyxKkqWqQ2o8Zz-_end", "gAAAAABmYyxKkqWqQ2o8Zz-_end"),
    ("a token gAAAAABmYyxKkqWqQ2o8Zz-_end alone", "gAAAAABmYyxKkqWqQ2o8Zz-_end"),
    ("Authorization token: Bearer abcDEF123", "abcDEF123"),
    ("http://bob:hunter2@10.0.0.1/", "hunter2"),
    ('{"password": "hunter2"}', "hunter2"),
    ("application_credential_secret=hunter2&x=1", "hunter2"),
    ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJ", "SflKxwRJ"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIB\n-----END RSA PRIVATE KEY-----", "MIIEpAIB"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEpAIB", "MIIEpAIB"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_what_looks_like_a_secret_is_not_shown(text: str, secret: str) -> None:
    assert secret not in classify(Answer("create stack vm-1", 400, "StackValidationFailed", text)).message
    assert secret not in classify_reason(text).message


def test_the_lines_of_a_known_secret_are_not_shown() -> None:
    text = redacted(
        "Value '#cloud-config\\nchpasswd: root:hunter2\\n' is bad", ("#cloud-config\nchpasswd: root:hunter2\n",)
    )
    assert text == "Value '***\\n***\\n' is bad"
