"""`stoker audit verify | tail | export`: hold a chain against its anchors, and print what it says."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from stoker.audit.files import files_of, lines_of
from stoker.core.anchor import anchor_name, anchors_of, replica_of
from stoker.core.audit import Anchor, Kind, Record, canonical, unsealed
from stoker.core.tampering import Finding, Verified, chain_of, verify
from stoker.kube.anchors import Anchors
from stoker.kube.client import Access, KubeClient, KubeError, open_session

Chain = tuple[list[Path], bool]
"""Files in order, and whether they must begin with record 1."""

COLUMNS = ("sequence", *(item.name for item in fields(Record)), "chain", "previous", "hash")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet run a cell: names of requesters are other people's text."""


def chains(paths: Sequence[Path]) -> list[Chain]:
    """Return the chains to read: each folder is a whole one; files named by themselves are a part of one.

    Raises ValueError when there is nothing to read, and OSError for a path that cannot be.
    """
    alone = [path for path in paths if not path.is_dir()]
    found = [(files_of(path), True) for path in paths if path.is_dir()] + ([(alone, False)] if alone else [])
    if not found:
        raise ValueError("nothing to read: name files or a folder, or set STOKER_AUDIT_DIR")
    return found


def run_verify(paths: Sequence[Path], anchors: Mapping[str, Anchor] | None) -> int:
    """Print what is found; 1 when something is wrong. None for anchors means that none are known."""
    bad, unmet = 0, dict(anchors or {})
    for files, whole in chains(paths):
        if not files:
            print("the folder holds no audit")
            continue
        where = str(files[0].parent)
        chain = next(filter(None, (chain_of(line) for _, line in lines_of(files))), "")
        anchor = unmet.pop(chain, None)
        found = verify(lines_of(files), anchor, whole=whole)
        if isinstance(found, Finding):
            bad += 1
            print(f"FAIL  {found.sentence}")
            continue
        if anchors is not None and anchor is None:
            bad += 1
            print(
                f"FAIL  {where}: the chain {chain} is not anchored. It is not the one that Stoker wrote, or Stoker has "
                "not anchored it yet, which it does at its start."
            )
            continue
        for line in _said(where, found, anchor):
            print(line)
    for chain, anchor in unmet.items():
        bad += 1
        print(
            f"FAIL  the chain {chain}, anchored up to record {anchor.head.sequence}, is not here. Name its files or "
            "folder as well; if they were lost and that is accounted for, remove the key from the ConfigMap."
        )
    if anchors is None:
        print("note  without --cluster or --anchor, a cut-off end or a wholly new chain cannot be seen")
    return 1 if bad else 0


def run_tail(paths: Sequence[Path], count: int) -> int:
    """Print the newest records, a line each; 1 when some lines are broken."""
    bodies = _Bodies(paths)
    for body in deque(bodies, maxlen=count):
        print(_sentence(body))
    return bodies.told()


def run_export(paths: Sequence[Path], since: str | None, until: str | None, form: str) -> int:
    """Print the records of a span as JSON Lines or CSV; 1 when some lines are broken, which are left out."""
    bodies, (first, last) = _Bodies(paths), (_moment(since), _moment(until))
    table = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
    if form == "csv":
        table.writeheader()
    for body in bodies:
        at = _moment(body.get("time"))
        if (first and (at is None or at < first)) or (last and (at is None or at >= last)):
            continue
        if form == "csv":
            table.writerow({name: _cell(value) for name, value in body.items()})
        else:
            print(canonical(body).decode())
    return bodies.told()


def anchors_in(file: Path) -> dict[str, Anchor]:
    """Return the anchors of a ConfigMap that was saved as JSON or YAML. Raises ValueError naming the file."""
    try:
        return anchors_of(yaml.safe_load(file.read_text()))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{file}: {error}") from error


def anchors_in_cluster(paths: Sequence[Path], access: Access, namespace: str, replica: str) -> dict[str, Anchor]:
    """Read the anchors of the replica that wrote the first record, else of this one.

    Raises ValueError naming the ConfigMap when it cannot be read.
    """
    first = next((unsealed(line) for files, _ in chains(paths) for _, line in lines_of(files)), None)
    writer = replica_of(str(first["holder"])) if first and first.get("holder") else replica

    async def read() -> dict[str, Anchor]:
        async with open_session(access) as session:
            return await Anchors(KubeClient(session, access.server), namespace, writer).read()

    try:
        return asyncio.run(read())
    except KubeError as error:
        raise ValueError(f"the ConfigMap {namespace}/{anchor_name(writer)}: {error}") from error


class _Bodies:
    """What the lines say, in order; broken ones are counted and left out."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._lines: Iterable[tuple[str, bytes]] = (line for files, _ in chains(paths) for line in lines_of(files))
        self._broken: list[str] = []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for where, line in self._lines:
            body = unsealed(line)
            if body:
                yield body
            else:
                self._broken.append(where)

    def told(self) -> int:
        """Say which line is broken, and return the exit code."""
        if self._broken:
            more = f" and {len(self._broken) - 1} more" if len(self._broken) > 1 else ""
            print(f"stoker: {self._broken[0]}{more}: broken, left out; see `stoker audit verify`", file=sys.stderr)
        return 1 if self._broken else 0


def _said(where: str, found: Verified, anchor: Anchor | None) -> Iterator[str]:
    if found.head is None:
        yield f"ok    {where}: no record yet"
        return
    last = found.head.sequence
    line = f"ok    {where}: chain {found.head.chain}, records {found.first} to {last}"
    if anchor and anchor.head.sequence < found.first:
        line += f"; the anchor, record {anchor.head.sequence}, is older than these files"
    elif anchor:
        line += f", anchored up to {anchor.head.sequence} in epoch {anchor.epoch}"
        line += f"; the {last - anchor.head.sequence} after it are a valid tail" if last > anchor.head.sequence else ""
    yield line
    for number, record in found.open.items():
        yield (
            f"note  record {number}, {record.action} for {record.namespace}/{record.vm}, has no outcome: it is under "
            "way, or the process ended meanwhile and the next one will say so"
        )


def _sentence(body: dict[str, Any]) -> str:
    """Return a record as one line for people."""
    head = f"{body['sequence']:>8} {body.get('time', '')} {body.get('kind', ''):7} {body.get('action', ''):11}"
    if body.get("kind") == Kind.NOTE:
        return f"{head} {body.get('detail', '')} ({body.get('holder', '')})"
    names = ("outcome", "error", "reason", "requested_by", "operation", "stack_id", "request_id")
    rest = " ".join(f"{name}={body[name]}" for name in names if body.get(name))
    return f"{head} {body.get('namespace', '')}/{body.get('vm', '')} {rest}"


def _moment(text: str | None) -> datetime | None:
    """Return a time; without a zone it is UTC. Raises ValueError naming what is none."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time such as 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
