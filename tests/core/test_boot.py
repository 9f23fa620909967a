"""Boot text: what cloud-init reads of it, by the standard library's own reader of MIME."""

from __future__ import annotations

import email
from email.message import Message

import yaml
from hypothesis import given
from hypothesis import strategies as st

from stoker.core.boot import boot_text

KEYS = ("ssh-ed25519 AAAA me", 'ssh-rsa BBBB "quoted" #you')
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map("x".__add__)


def parts(text: str) -> list[Message]:
    """Return the parts that are no containers, as cloud-init walks them."""
    message = email.message_from_bytes(text.encode())
    return [part for part in message.walk() if not part.is_multipart()]


def content(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    assert isinstance(found, bytes)
    return found


def test_nothing_is_nothing() -> None:
    assert boot_text(None, ()) == boot_text("", ()) == ""


@given(TEXT)
def test_user_data_alone_stays_as_it_is(text: str) -> None:
    assert boot_text(text, ()) == text


def test_keys_alone_are_a_cloud_config() -> None:
    text = boot_text(None, KEYS)
    assert text.startswith("#cloud-config\n")
    assert yaml.safe_load(text) == {"ssh_authorized_keys": list(KEYS)}


@given(TEXT)
def test_with_keys_user_data_is_a_part_and_stays_byte_by_byte(text: str) -> None:
    keys, user = parts(boot_text(text, KEYS))
    assert (keys.get_content_type(), user.get_content_type()) == ("text/cloud-config", "text/plain")
    assert yaml.safe_load(content(keys)) == {"ssh_authorized_keys": list(KEYS)}
    assert content(user) == text.encode()
    assert "append" in user["X-Merge-Type"]


def test_user_data_that_is_a_message_keeps_its_parts() -> None:
    inner = (
        'Content-Type: multipart/mixed; boundary="x"\nMIME-Version: 1.0\n\n'
        "--x\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--x\nContent-Type: text/cloud-boothook\n\n#boothook\n--x--\n"
    )
    kinds = [part.get_content_type() for part in parts(boot_text(inner, KEYS))]
    assert kinds == ["text/cloud-config", "text/x-shellscript", "text/cloud-boothook"]


def test_equal_input_gives_equal_text_and_other_input_another_boundary() -> None:
    texts = [boot_text(text, keys) for text in ("a", "b") for keys in (KEYS, KEYS[:1])]
    assert boot_text("a", KEYS) == texts[0]
    assert len({text.splitlines()[0] for text in texts}) == len(texts)
