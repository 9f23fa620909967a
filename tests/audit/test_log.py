"""The log: many append at a time, each knows its record to be on the disk, and no outcome is forgotten."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stoker.audit.files import files_of, lines_of
from stoker.audit.log import AuditLog
from stoker.audit.writer import AuditError, Writer
from stoker.core.audit import Kind, Outcome
from stoker.core.recorded import outcome
from stoker.core.tampering import Verified, verify
from support.chain import RECORD

HOLDER = RECORD.holder
LATER = "replica-1_ffffffff"


@asynccontextmanager
async def logging_to(folder: Path, holder: str = HOLDER, **more: Any) -> AsyncIterator[AuditLog]:
    log = AuditLog(Writer(folder, more.get("most_bytes", 1 << 20), {}), holder, lambda: 3)
    yield log
    await log.close()


def bodies(folder: Path) -> list[dict[str, Any]]:
    lines = list(lines_of(files_of(folder)))
    assert isinstance(verify(lines), Verified)
    return [json.loads(line) for _, line in lines]


def told(folder: Path) -> list[tuple[str, str]]:
    return [(body["kind"], body.get("outcome") or body["action"]) for body in bodies(folder)]


async def test_a_chain_begins_with_a_note_of_who_began_it(tmp_path: Path) -> None:
    async with logging_to(tmp_path) as log:
        assert log.head is None
        assert await log.append(None) == 0
        assert log.head is not None
        assert log.head.sequence == 1
    [start] = bodies(tmp_path)
    assert (start["kind"], start["action"], start["detail"]) == ("Note", "Start", "a new chain begins")
    assert (start["holder"], start["epoch"]) == (HOLDER, 3)


async def test_many_that_append_at_once_each_get_their_own_sequence(tmp_path: Path) -> None:
    async with logging_to(tmp_path, most_bytes=20_000) as log:
        numbers = await asyncio.gather(*(log.append(replace(RECORD, vm=f"vm-{n}")) for n in range(200)))
    by_number = {body["sequence"]: body.get("vm") for body in bodies(tmp_path)}
    assert [by_number[number] for number in numbers] == [f"vm-{n}" for n in range(200)]
    assert len(files_of(tmp_path)) > 1 or len(by_number) == 201


async def test_who_is_cancelled_while_waiting_takes_nobody_along(tmp_path: Path) -> None:
    async with logging_to(tmp_path) as log:
        first, second = (asyncio.create_task(log.append(RECORD)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == 3
    assert len(bodies(tmp_path)) == 3


async def test_a_restart_says_what_stayed_open_of_earlier_processes(tmp_path: Path) -> None:
    async with logging_to(tmp_path) as log:
        open_, closed = await log.append(RECORD), await log.append(RECORD)
        await log.append(outcome(RECORD, closed, Outcome.ACCEPTED, time="t"))
    async with logging_to(tmp_path, LATER) as log:
        await log.append(None)
    *_, start, unknown = bodies(tmp_path)
    assert (start["action"], start["detail"], start["holder"]) == ("Start", "the chain goes on", LATER)
    assert (unknown["kind"], unknown["outcome"], unknown["intent"]) == ("Outcome", "Unknown", open_)
    async with logging_to(tmp_path, LATER) as log:
        await log.append(None)
    assert told(tmp_path)[-1] == ("Note", "Start"), "and only once"


async def test_a_repair_is_said_in_the_chain_and_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with logging_to(tmp_path) as log:
        await log.append(None)
    with files_of(tmp_path)[0].open("ab") as file:
        file.write(b'{"torn')
    async with logging_to(tmp_path) as log:
        await log.append(None)
    *_, repair = bodies(tmp_path)
    assert repair["action"] == "Repair"
    assert repair["detail"].startswith(f"a torn last line was put aside: {tmp_path}/torn-")
    assert "a torn last line of the audit was put aside" in caplog.text


async def test_what_the_disk_refuses_is_an_error_for_each_that_waits_and_an_outcome_is_owed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with logging_to(tmp_path) as log:
        number = await log.append(RECORD)
        file, aside = files_of(tmp_path)[0], tmp_path / "aside"
        os.rename(file, aside)  # noqa: PTH104 -- the chain is away for a while, as a volume may be
        done = outcome(RECORD, number, Outcome.ACCEPTED, time="t")
        answers = await asyncio.gather(log.append(done), log.append(RECORD), return_exceptions=True)
        assert [type(answer) for answer in answers] == [AuditError, AuditError]
        with pytest.raises(AuditError, match="Truncated"):
            await log.append(None)
        os.rename(aside, file)  # noqa: PTH104
        assert await log.append(None) == 0
    assert told(tmp_path) == [("Note", "Start"), ("Intent", "CreateStack"), ("Note", "Start"), ("Outcome", "Accepted")]
    said = [(record.levelno, record.message) for record in caplog.records]
    assert said == [
        (logging.ERROR, "the audit cannot be written: OpenStack is not asked for anything until it can"),
        (logging.WARNING, "the audit can be written again"),
    ], "each is said once"


async def test_what_a_start_has_to_say_is_said_once_however_often_the_disk_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with logging_to(tmp_path) as log:
        await log.append(RECORD)
    with files_of(tmp_path)[0].open("ab") as file:
        file.write(b'{"torn')

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async with logging_to(tmp_path, LATER) as log:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", broken)
            patch.setattr(os, "ftruncate", broken)
            for _ in range(3):
                with pytest.raises(AuditError):
                    await log.append(RECORD)
        await log.append(None)
    assert told(tmp_path)[2:] == [("Note", "Start"), ("Outcome", "Unknown"), ("Note", "Repair")]


async def test_calls_of_this_very_process_stay_open_when_its_folder_is_opened_again(tmp_path: Path) -> None:
    async with logging_to(tmp_path) as log:
        await log.append(RECORD)
    async with logging_to(tmp_path) as log:
        await log.append(replace(RECORD, kind=Kind.NOTE, action="Other"))
    assert told(tmp_path)[2:] == [("Note", "Start"), ("Note", "Other")]
