"""The chain: one text for one chain, and each tampering found by its name, with the line and what to do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.core.audit import GENESIS, Anchor, Head, Kind, Record, canonical, record_of, seal, unsealed
from stoker.core.tampering import ADVICE, Finding, Tampering, Verified, chain_of, verify
from support.chain import RECORD, chain, placed

LINES = chain(6)


def head_of(lines: list[bytes]) -> Head:
    body = json.loads(lines[-1])
    return Head(body["chain"], body["sequence"], body["hash"])


def anchor(lines: list[bytes], epoch: int = 3) -> Anchor:
    return Anchor(head_of(lines), epoch)


def forged(line: bytes, **changes: object) -> bytes:
    """Return the line with other values, and a hash that covers them."""
    body = {**json.loads(line), **changes}
    body.pop("hash")
    return canonical({**body, "hash": hashlib.sha256(canonical(body)).hexdigest()}) + b"\n"


def rewritten(lines: list[bytes], **changes: object) -> list[bytes]:
    """Return a whole chain of its own with the records of another, the third one changed."""
    head, made = Head("c1"), []
    for number, line in enumerate(lines, 1):
        record = record_of(json.loads(line))
        line, head = seal(replace(record, **changes) if number == 3 else record, head)  # noqa: PLW2901
        made.append(line)
    return made


def found(lines: list[bytes], anchored: Anchor | None = None, *, whole: bool = True) -> Finding:
    finding = verify(placed(lines), anchored, whole=whole)
    assert isinstance(finding, Finding)
    return finding


# ---- a chain as it was written


def test_a_chain_verifies_with_and_without_its_anchor() -> None:
    assert verify(placed(LINES)) == Verified(head_of(LINES), 1)
    assert verify(placed(LINES), anchor(LINES)) == Verified(head_of(LINES), 1)


def test_records_beyond_the_anchor_are_a_valid_tail() -> None:
    assert verify(placed(LINES), anchor(LINES[:4])) == Verified(head_of(LINES), 1)


def test_a_chain_without_records_is_no_finding_until_something_is_anchored() -> None:
    assert verify([]) == Verified()
    assert found([], anchor(LINES)).tampering is Tampering.TRUNCATED


def test_a_part_of_a_chain_verifies_when_it_need_not_be_whole() -> None:
    assert verify(placed(LINES[2:]), whole=False) == Verified(head_of(LINES), 3)
    assert verify(placed(LINES[2:]), anchor(LINES[:1]), whole=False) == Verified(head_of(LINES), 3)


def test_an_intent_without_an_outcome_is_open() -> None:
    verified = verify(placed(LINES[:5]))
    assert isinstance(verified, Verified)
    assert verified.open == {5: RECORD}


def test_a_note_opens_and_closes_nothing() -> None:
    note, head = seal(Record(Kind.NOTE, "Start", "t", "h", 1), Head("c1"))
    assert verify(placed([note])) == Verified(head, 1)


def test_a_record_comes_back_as_it_went_in_and_empty_fields_take_no_room() -> None:
    line, head = seal(RECORD, Head("c1"))
    body = unsealed(line)
    assert body is not None
    assert record_of(body) == RECORD
    assert (body["previous"], body["sequence"], head.sequence) == (GENESIS, 1, 1)
    assert "stack_id" not in body
    assert record_of({"kind": "Note", "of_a_newer_version": 1}).kind == Kind.NOTE


def test_a_line_tells_its_chain_unless_it_is_broken() -> None:
    assert chain_of(LINES[0]) == "c1"
    assert chain_of(LINES[0][:-9]) is None


@pytest.mark.parametrize(
    ("older", "newer", "follows"),
    [((5, "a"), (5, "a"), True), ((5, "a"), (6, "b"), True), ((5, "a"), (4, "b"), False), ((5, "a"), (5, "b"), False)],
)
def test_an_anchor_never_goes_back_whatever_the_epoch(older, newer, follows) -> None:
    for epoch in (1, 3):
        assert Anchor(Head("c1", *newer), epoch).follows(Anchor(Head("c1", *older), 2)) is follows


# ---- tampering, by name, line and advice

TAMPERED: dict[str, tuple[list[bytes], Anchor | None, Tampering, str, str]] = {
    "an edited record": (
        [*LINES[:2], LINES[2].replace(b"alice", b"mallo"), *LINES[3:]],
        None, Tampering.EDITED, "file:3", "is not what its hash says",
    ),
    "an edited record with a hash of its own": (
        [*LINES[:2], forged(LINES[2], requested_by="mallory"), *LINES[3:]],
        None, Tampering.EDITED, "file:4", "record 4 does not follow from the one before",
    ),
    "a removed record": (
        [*LINES[:2], *LINES[3:]], None, Tampering.REMOVED, "file:3", "record 3 is missing before record 4",
    ),
    "removed records": (
        [*LINES[:2], *LINES[4:]], None, Tampering.REMOVED, "file:3", "records 3 to 4 are missing before record 5",
    ),
    "a removed beginning": (
        LINES[2:], None, Tampering.REMOVED, "file:1", "records 1 to 2 are missing before record 3",
    ),
    "swapped records": (
        [*LINES[:2], LINES[3], LINES[2], *LINES[4:]],
        None, Tampering.REORDERED, "file:3", "record 3 stands later, at file:4",
    ),
    "a repeated record": (
        [*LINES[:3], LINES[1], *LINES[3:]], None, Tampering.REORDERED, "file:4", "record 2 stands after record 3",
    ),
    "a cut-off end": (
        LINES[:4], anchor(LINES), Tampering.TRUNCATED, "the end", "ends at record 4, and record 6 is anchored",
    ),
    "an end cut off in the middle of a line": (
        [*LINES[:4], LINES[4][:50]], anchor(LINES), Tampering.TRUNCATED, "file:5", "ends at record 4",
    ),
    "a first line cut off": ([LINES[0][:50]], anchor(LINES), Tampering.TRUNCATED, "file:1", "ends at record 0"),
    "another chain in its place": (
        chain(6, "c2"), anchor(LINES), Tampering.REPLACED, "file:1", "this is the chain c2, and c1 is anchored",
    ),
    "another chain from some record on": (
        [*LINES[:2], *chain(6, "c2")[2:]], None, Tampering.REPLACED, "file:3", "it is the chain c2, not c1",
    ),
    "a chain that was written anew": (
        rewritten(LINES, requested_by="mallory"),
        anchor(LINES), Tampering.REPLACED, "file:6", "record 6 is not the one that was anchored",
    ),
    "a torn last line": ([*LINES[:4], LINES[4][:50]], None, Tampering.TORN, "file:5", "the line has no end"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "anchored", "tampering", "where", "message"), TAMPERED.values(), ids=TAMPERED)
def test_a_tampering_is_named_with_its_line_and_what_to_do(lines, anchored, tampering, where, message) -> None:
    finding = found(lines, anchored)
    assert (finding.tampering, finding.where) == (tampering, where)
    assert message in finding.message
    assert finding.sentence == f"{where}: {tampering}: {finding.message}. {ADVICE[tampering]}"


def test_every_tampering_is_in_the_table() -> None:
    assert {row[2] for row in TAMPERED.values()} == set(Tampering) == set(ADVICE)


def test_what_only_an_anchor_can_show_verifies_without_one() -> None:
    """Said in the documents as well: a bare chain proves neither its end nor its beginning."""
    assert isinstance(verify(placed(LINES[:4])), Verified)
    assert isinstance(verify(placed(rewritten(LINES, requested_by="mallory"))), Verified)


@pytest.mark.parametrize(
    "line",
    [
        b"\n", b"null\n", b"[]\n", b"{}\n", b"{" * 100_000 + b"\n", b"\xff\n", b'{"hash":1}\n', b'{"hash":[]}\n',
        forged(LINES[0], sequence="1"), forged(LINES[0], chain=1), LINES[0].replace(b'":', b'": ', 1),
        LINES[0].replace(b"}\n", b',"vm":"web-1"}\n'), LINES[0].replace(b"alice", b"\\u0061lice"),
    ],
    ids=range(13),
)  # fmt: skip
def test_what_is_no_line_of_ours_is_an_edit(line: bytes) -> None:
    assert found([line]).tampering is Tampering.EDITED


@given(st.data(), st.integers(1, 5))
def test_any_edit_of_a_single_byte_is_found(data: st.DataObject, count: int) -> None:
    text = b"".join(chain(count))
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != text[at]))
    edited = text[:at] + bytes([byte]) + text[at + 1 :]
    assert isinstance(verify(placed(split(edited))), Finding)


@given(st.data(), st.integers(2, 6))
def test_any_byte_that_is_removed_or_put_in_is_found(data: st.DataObject, count: int) -> None:
    text = b"".join(chain(count))
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.binary(max_size=1))
    edited = text[:at] + put + text[at + (not put) :]
    assert isinstance(verify(placed(split(edited))), Finding)


@given(st.permutations(range(5)), st.sets(st.integers(0, 4)))
def test_any_other_order_or_choice_of_lines_is_found_with_the_anchor(order: list[int], gone: set[int]) -> None:
    lines = chain(5)
    kept = [lines[number] for number in order if number not in gone]
    assert (kept == lines) is isinstance(verify(placed(kept), anchor(lines)), Verified)


def split(text: bytes) -> list[bytes]:
    """Return the lines with their ends, as a file gives them: only a line feed ends one."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return [line for line in lines if line]
