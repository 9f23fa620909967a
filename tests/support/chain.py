"""Chains to read: records that differ in nothing but what a test cares about."""

from __future__ import annotations

from dataclasses import replace

from stoker.core.audit import Head, Kind, Record, seal

RECORD = Record(
    kind=Kind.INTENT,
    action="CreateStack",
    time="2026-01-01T12:00:00.000Z",
    holder="replica-1_0a0b0c0d",
    epoch=3,
    reason="Creating",
    requested_by="alice",
    namespace="team-a",
    vm="web-1",
)


def chain(count: int, name: str = "c1") -> list[bytes]:
    """Return the lines of a chain: intents, each followed by its outcome."""
    lines, head = [], Head(name)
    for number in range(1, count + 1):
        done = replace(RECORD, kind=Kind.OUTCOME, intent=number - 1, outcome="Accepted")
        line, head = seal(RECORD if number % 2 else done, head)
        lines.append(line)
    return lines


def placed(lines: list[bytes]) -> list[tuple[str, bytes]]:
    """Return the lines as `verify` takes them."""
    return [(f"file:{number}", line) for number, line in enumerate(lines, 1)]
