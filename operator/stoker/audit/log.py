"""The audit log of a process: many coroutines append, one thread writes, and one fsync serves all that wait for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from stoker import metrics
from stoker.audit.writer import AuditError, Opened, Writer
from stoker.core.audit import Head, Kind, Outcome, Record
from stoker.core.recorded import outcome

log = logging.getLogger(__name__)


class AuditLog:
    """Appends records. `holder` and the epoch of its lease go into what it says of the chain itself."""

    def __init__(self, writer: Writer, holder: str, epoch: Callable[[], int]) -> None:
        self._writer, self._holder, self._epoch = writer, holder, epoch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._waiting: list[tuple[Record | None, asyncio.Future[int]]] = []
        self._flush: asyncio.Task[None] | None = None
        self._owed: list[Record] = []
        """Outcomes of what was done while the disk refused to take them. Never many: without an intent nothing is
        done. Used by the thread only, as is `_first`."""

        self._first: list[Record] = []
        """What a start has to say, until it is on the disk."""

        self._failing = False

    @property
    def head(self) -> Head | None:
        """The newest record on the disk; None before the first."""
        head = self._writer.head
        return head if head and head.sequence else None

    async def append(self, record: Record | None) -> int:
        """Put a record on the disk and return its sequence; None puts only what is owed there, and returns 0.

        Raises AuditError when it is not on the disk. An outcome is then written later, with the next that can be.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, future))
        if self._flush is None or self._flush.done():
            self._flush = asyncio.create_task(self._flush_all(), name="audit")
        return await future

    async def close(self) -> None:
        """Wait for what is being written, and let go of the folder."""
        if self._flush:
            await asyncio.gather(self._flush, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown(wait=False)

    async def _flush_all(self) -> None:
        """Write batch after batch: what comes while one is being written is the next."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                records = [record for record, _ in batch if record]
                sequences = await asyncio.get_running_loop().run_in_executor(self._thread, self._write, records)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is told to those who wait
                self._failed(error)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(AuditError(str(error)))
                continue
            self._worked()
            numbers = iter(sequences)
            for record, future in batch:
                number = next(numbers) if record else 0
                if not future.done():  # who was cancelled waits no more
                    future.set_result(number)

    def _write(self, records: list[Record]) -> list[int]:
        """In the thread: open if need be, and write what is owed and the records."""
        try:
            if not self._writer.is_open:
                repairs = [note for note in self._first if note.action == "Repair"]
                self._first = self._said_first(self._writer.open()) + repairs
            before = [*self._first, *self._owed]
            if not before and not records:
                return []
            numbers = self._writer.append([*before, *records])[len(before) :]
        except BaseException:
            self._owed += [record for record in records if record.kind is Kind.OUTCOME]
            raise
        metrics.observe_records([record.kind.value for record in (*before, *records)])
        self._first, self._owed = [], []
        return numbers

    def _said_first(self, opened: Opened) -> list[Record]:
        """Return what a start says: that it is one, what was repaired, and that earlier processes' calls stay open.

        Calls of this very process are under way, and their outcomes are still to come.
        """
        began = "a new chain begins" if opened.fresh else "the chain goes on"
        said = [self._note("Start", began)]
        if opened.torn:
            log.warning("a torn last line of the audit was put aside", extra={"file": opened.torn})
            said.append(self._note("Repair", f"a torn last line was put aside: {opened.torn}"))
        others = [(number, record) for number, record in opened.open.items() if record.holder != self._holder]
        return said + [outcome(record, number, Outcome.UNKNOWN, time=now()) for number, record in others]

    def _note(self, action: str, detail: str) -> Record:
        return Record(Kind.NOTE, action, now(), self._holder, self._epoch(), detail=detail)

    def _failed(self, error: Exception) -> None:
        metrics.AUDIT_FAILURES.inc()
        if not self._failing:
            log.error(
                "the audit cannot be written: OpenStack is not asked for anything until it can",
                extra={"error": f"{type(error).__name__}: {error}"},
            )
        self._failing = True

    def _worked(self) -> None:
        metrics.AUDIT_SYNCED.set(time.time())
        if self._failing:
            log.warning("the audit can be written again")
        self._failing = False


def now() -> str:
    """Return the time as records have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
