"""The audit's chain: what a record holds, how records are sealed onto each other, and what each tampering looks like.

A line is the canonical JSON of one record: keys sorted, no blanks, ASCII, text and whole numbers only. It names its
chain, its place in it, and the hash of the record before it; its own hash covers all of that. So one chain has one
text, and every changed byte shows. What a chain cannot show by itself is that its end was cut off, or that it was
written anew from some record on: for that, an `Anchor` is kept elsewhere.

What is recorded of an action is in `core.recorded`, verification in `core.tampering`; files, locks and the disk are in `stoker.audit`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

FORMAT = 1
"""Version of the line's format, in every line."""

GENESIS = "0" * 64
"""What stands for the hash before a chain's first record."""


class Kind(StrEnum):
    """What a record tells."""

    INTENT = "Intent"
    """Something is about to be done. On the disk before it is."""

    OUTCOME = "Outcome"
    """What came of an intent; each has one, unless it is under way."""

    NOTE = "Note"
    """Something about the chain itself: a start, a repair."""


class Outcome(StrEnum):
    """What came of an intent."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"
    """The request certainly had no effect."""

    LOST = "Lost"
    """No answer came: the request may still land."""

    NOT_SENT = "NotSent"
    """The lease ran out after the intent was written, so nothing was sent."""

    UNKNOWN = "Unknown"
    """The process was stopped or ended before it knew."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one line says, without its place in the chain. Empty fields are left out of the line."""

    kind: Kind
    action: str
    """CreateStack, UpdateStack, PowerServer, DeleteStack, Retain, Release and so on; of a note, Start or Repair."""

    time: str
    """RFC 3339 with milliseconds, UTC, by the wall clock of the process: informative. The order is the sequence's."""

    holder: str
    """The operator process, as in the Lease and in claims."""

    epoch: int
    """The Lease's transitions as that process knew them."""

    reason: str = ""
    """Why the core decided so: a reason or an error code."""

    requested_by: str = ""
    """Who asked, as the VM's annotations say; "unknown" when they say nothing."""

    project: str = ""
    namespace: str = ""
    vm: str = ""
    vm_id: str = ""
    generation: int = 0
    """The generation of the VM's spec that was acted on."""

    plan: str = ""
    """The VM's business plan, which is never sent to OpenStack."""

    operation: str = ""
    attempt: int = 0
    stack_id: str = ""
    template_version: str = ""
    inputs_hash: str = ""
    """All that is recorded of the parameters, which may hold secrets."""

    intent: int = 0
    """Of an outcome: the sequence of its intent."""

    outcome: str = ""
    error: str = ""
    """The error code of an intent that was refused or lost."""

    request_id: str = ""
    """OpenStack's own id of the request."""

    detail: str = ""
    """Of a note: a sentence. Else what the action is about within the stack: a server's power, a resource."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest record of a chain; sequence 0 is a chain without records."""

    chain: str
    sequence: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head that was written down elsewhere, and by whom."""

    head: Head
    epoch: int = 0

    def follows(self, older: Anchor) -> bool:
        """Tell whether this may replace an older anchor of the same chain.

        The epoch does not count: it starts anew when somebody deletes the Lease.
        """
        return self.head.sequence > older.head.sequence or self.head == older.head


def canonical(body: dict[str, Any]) -> bytes:
    """Return the one text of a body."""
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def seal(record: Record, head: Head) -> tuple[bytes, Head]:
    """Return the record's line as the next one of the chain, and the new head."""
    values = {item.name: getattr(record, item.name) for item in fields(Record)}
    place = {"format": FORMAT, "chain": head.chain, "sequence": head.sequence + 1, "previous": head.hash}
    body = {**{name: value for name, value in values.items() if value}, **place}
    digest = hashlib.sha256(canonical(body)).hexdigest()
    return canonical({**body, "hash": digest}) + b"\n", Head(head.chain, head.sequence + 1, digest)


def unsealed(line: bytes) -> dict[str, Any] | None:
    """Return what a line says, or None unless it is, byte for byte, what `seal` made of that."""
    try:
        body = json.loads(line)
        digest = body.pop("hash")
        intact = canonical({**body, "hash": digest}) + b"\n" == line
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return None
    known = isinstance(body.get("sequence"), int) and isinstance(body.get("chain"), str) and "previous" in body
    if not intact or not known or hashlib.sha256(canonical(body)).hexdigest() != digest:
        return None
    return {**body, "hash": digest}


def record_of(body: dict[str, Any]) -> Record:
    """Return the record that a line's body holds; what a newer version added is left out."""
    empty = {"kind": Kind.NOTE, "action": "", "time": "", "holder": "", "epoch": 0}
    names = {item.name for item in fields(Record)}
    return Record(**{**empty, **{name: value for name, value in body.items() if name in names}})
