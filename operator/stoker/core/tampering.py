"""Verification: whether a chain is as it was written, and if not, what was done to it and where. Pure; reads no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from stoker.core.audit import Anchor, Head, Kind, Record, record_of, unsealed


class Tampering(StrEnum):
    """What is wrong with a chain."""

    EDITED = "Edited"
    REMOVED = "Removed"
    REORDERED = "Reordered"
    TRUNCATED = "Truncated"
    REPLACED = "Replaced"
    TORN = "Torn"


_EVIDENCE = (
    "Keep the files as they are, and compare them with a copy, with the operations and with OpenStack's own logs"
)

ADVICE = {
    Tampering.EDITED: f"{_EVIDENCE}: what this line said is not known.",
    Tampering.REMOVED: f"{_EVIDENCE}; if the files before were archived, name them all, the oldest first.",
    Tampering.REORDERED: f"{_EVIDENCE}; if files were named one by one, name them in the order of their numbers.",
    Tampering.TRUNCATED: f"{_EVIDENCE}: records that were on the disk are gone.",
    Tampering.REPLACED: f"{_EVIDENCE}: this is not what was anchored. If the volume was lost, remove the old anchor.",
    Tampering.TORN: "If Stoker runs, verify again; if it crashed in the middle of a line, its next start repairs that.",
}
"""What to do, as a sentence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that is wrong."""

    tampering: Tampering
    where: str
    """File and line."""

    message: str

    @property
    def sentence(self) -> str:
        return f"{self.where}: {self.tampering}: {self.message}. {ADVICE[self.tampering]}"


@dataclass(frozen=True, slots=True)
class Verified:
    """A chain, or a part of one, without a finding."""

    head: Head | None = None
    """None when there is no record."""

    first: int = 0
    """Sequence of the first record read."""

    open: dict[int, Record] = field(default_factory=dict)
    """Intents without an outcome, by sequence."""


def verify(
    lines: Iterable[tuple[str, bytes]], anchor: Anchor | None = None, *, whole: bool = True
) -> Verified | Finding:
    """Read a chain: (where, line with its end) pairs in order. `whole` demands that it begins with record 1.

    An anchor older than the first record proves nothing, and is passed over.
    """
    source = iter(lines)
    head: Head | None = None
    first, undone = 0, dict[int, Record]()
    for where, line in source:
        body = unsealed(line)
        if body is None:
            return _broken(where, line, head, anchor)
        if finding := _misplaced(where, body, head, source, whole=whole) or _unlike(where, body, anchor):
            return finding
        head, first = Head(body["chain"], body["sequence"], body["hash"]), first or body["sequence"]
        if body.get("kind") == Kind.INTENT:
            undone[head.sequence] = record_of(body)
        elif body.get("kind") == Kind.OUTCOME:
            undone.pop(body.get("intent", 0), None)
    return _cut("the end", head, anchor) or Verified(head, first, undone)


def chain_of(line: bytes) -> str | None:
    """Return the chain that a line says it is of, or None for a broken line."""
    body = unsealed(line)
    return str(body["chain"]) if body else None


def _broken(where: str, line: bytes, head: Head | None, anchor: Anchor | None) -> Finding:
    if line.endswith(b"\n"):
        return Finding(Tampering.EDITED, where, "the line is not what its hash says")
    return _cut(where, head, anchor) or Finding(Tampering.TORN, where, "the line has no end")


def _misplaced(
    where: str, body: dict[str, Any], head: Head | None, rest: Iterator[tuple[str, bytes]], *, whole: bool
) -> Finding | None:
    """Return what is wrong with an intact record's place."""
    number = body["sequence"]
    if head is None:
        head = Head(body["chain"]) if whole else Head(body["chain"], number - 1, body["previous"])
    expected = head.sequence + 1
    if body["chain"] != head.chain:
        return Finding(Tampering.REPLACED, where, f"from here on it is the chain {body['chain']}, not {head.chain}")
    if number < expected:
        return Finding(Tampering.REORDERED, where, f"record {number} stands after record {head.sequence}")
    if number > expected:
        later = next((at for at, line in rest if (unsealed(line) or {}).get("sequence") == expected), None)
        if later:
            return Finding(Tampering.REORDERED, where, f"record {expected} stands later, at {later}")
        missing = f"record {expected} is" if number == expected + 1 else f"records {expected} to {number - 1} are"
        return Finding(Tampering.REMOVED, where, f"{missing} missing before record {number}")
    if body["previous"] != head.hash:
        return Finding(Tampering.EDITED, where, f"record {number} does not follow from the one before: one is forged")
    return None


def _unlike(where: str, body: dict[str, Any], anchor: Anchor | None) -> Finding | None:
    """Return how an intact record differs from what was anchored."""
    if anchor is None:
        return None
    if body["chain"] != anchor.head.chain:
        message = f"this is the chain {body['chain']}, and {anchor.head.chain} is anchored"
        return Finding(Tampering.REPLACED, where, message)
    if body["sequence"] == anchor.head.sequence and body["hash"] != anchor.head.hash:
        message = f"record {body['sequence']} is not the one that was anchored: the chain was written anew"
        return Finding(Tampering.REPLACED, where, message)
    return None


def _cut(where: str, head: Head | None, anchor: Anchor | None) -> Finding | None:
    """Return that the anchored record is not there."""
    last = head.sequence if head else 0
    if anchor is None or anchor.head.sequence <= last:
        return None
    return Finding(
        Tampering.TRUNCATED, where, f"it ends at record {last}, and record {anchor.head.sequence} is anchored"
    )
