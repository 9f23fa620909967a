"""The writer of a chain: one process, one folder, one file at a time, and nothing counts before it is on the disk.

Blocking, and not for several threads; `audit.log` gives it a thread of its own. Files only grow, and are never removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stoker.api.errors import ErrorCode
from stoker.audit.files import file_name, files_of, lines_of
from stoker.core.audit import Anchor, Head, Record, seal
from stoker.core.faults import Fault, one_line
from stoker.core.tampering import Finding, chain_of, verify

LOCK = "lock"
READ_BACK = 2
"""Files that are verified at the start: an intent and its outcome are minutes apart at most, so in two of them. Older
ones may have been archived."""


class AuditError(Exception):
    """A record could not be written, so what it was to tell of must not be done."""

    @property
    def fault(self) -> Fault:
        return Fault(ErrorCode.AUDIT_UNAVAILABLE, one_line(f"write the audit: {self}"))


@dataclass(frozen=True, slots=True)
class Opened:
    """What was found in the folder."""

    fresh: bool
    """True when a new chain begins."""

    torn: str
    """Where the torn last line of a crash was put, or ""."""

    open: dict[int, Record]
    """Intents without an outcome, by sequence."""


class Writer:
    """Writes one chain. `anchors` are those that the cluster holds, by chain: a chain that lacks its own is refused."""

    def __init__(self, folder: Path, most_bytes: int, anchors: Mapping[str, Anchor]) -> None:
        self._folder, self._most, self._anchors = folder, most_bytes, dict(anchors)
        self._lock = self._file = -1
        self._path, self._size = folder, 0
        self.head: Head | None = None

    @property
    def is_open(self) -> bool:
        return self._file >= 0

    def open(self) -> Opened:
        """Lock the folder, verify the chain's end, repair a torn last line, and go on; or begin a chain.

        Raises AuditError when another process has the folder, or the chain is not as it was left.
        """
        try:
            self._lock = _locked(self._folder)
            return self._go_on()
        except OSError as error:
            self.close()
            raise AuditError(f"{self._folder}: {error.strerror or error}") from error
        except AuditError:
            self.close()
            raise

    def append(self, records: Sequence[Record]) -> list[int]:
        """Put records on the disk, all or none, and return their sequences.

        Raises AuditError; the chain is then as before, and this may be tried again.
        """
        assert self.head is not None, "a chain is opened before it is written"
        if not self._is_as_left():
            self.close()
            raise AuditError(f"{self._path} is not as this process left it: somebody else changed or moved it")
        head, data = self.head, b""
        for record in records:
            line, head = seal(record, head)
            data += line
        try:
            if self._size >= self._most:
                self._rotate()
            _write(self._file, data)
            os.fsync(self._file)
        except OSError as error:
            self._undo()
            raise AuditError(f"{self._path}: {error.strerror or error}") from error
        sequences = list(range(self.head.sequence + 1, head.sequence + 1))
        self.head, self._size = head, self._size + len(data)
        return sequences

    def close(self) -> None:
        """Let go of file and folder."""
        for number in (self._file, self._lock):
            if number >= 0:
                os.close(number)
        self._file = self._lock = -1

    def _go_on(self) -> Opened:
        files = files_of(self._folder)
        torn = _put_aside(files[-1]) if files else ""
        tail = files[-READ_BACK:]
        chain = next((chain_of(line) for _, line in lines_of(tail)), None)
        written = Anchor(self.head) if self.head and self.head.sequence else None
        found = verify(lines_of(tail), written or self._anchors.get(chain or ""), whole=False)
        if isinstance(found, Finding):
            raise AuditError(found.sentence)
        self._path = files[-1] if files else self._folder / file_name(1)
        self._file = _opened(self._path, os.O_CREAT)
        self._size = os.fstat(self._file).st_size
        _sync_folder(self._folder)
        self.head = found.head or Head(uuid.uuid4().hex)
        return Opened(found.head is None, torn, found.open)

    def _is_as_left(self) -> bool:
        """Tell whether the file is still the one that is open, and as long as it was left."""
        try:
            there, ours = os.stat(self._path), os.fstat(self._file)  # noqa: PTH116 -- side by side with fstat
        except OSError:
            return False
        return (there.st_dev, there.st_ino, there.st_size) == (ours.st_dev, ours.st_ino, self._size)

    def _rotate(self) -> None:
        assert self.head is not None
        path = self._folder / file_name(self.head.sequence + 1)
        number = _opened(path, os.O_CREAT | os.O_EXCL)
        os.close(self._file)
        self._file, self._path, self._size = number, path, 0
        _sync_folder(self._folder)

    def _undo(self) -> None:
        """Take back what part of a batch was written; if even that fails, the next `open` does it."""
        try:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        except OSError:
            self.close()


def _locked(folder: Path) -> int:
    """Make the folder if need be, and lock it until the number is closed. Raises AuditError when it is locked."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise AuditError(f"{folder} is in use by another process; each replica needs a folder of its own") from None
    return number


def _opened(path: Path, flags: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)


def _write(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]


def _sync_folder(folder: Path) -> None:
    """Put the folder's entries on the disk: a file whose name is lost is lost as well."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _put_aside(file: Path) -> str:
    """Move what stands after the last whole line into a file of its own, and return that file's path, or "".

    Such a line was never acknowledged, so what it was to tell of was never done. The copy is on the disk before the
    original is cut, and its name is that of its content, so a crash in between changes nothing.
    """
    data = file.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole == len(data):
        return ""
    aside = file.with_name(f"torn-{hashlib.sha256(data[whole:]).hexdigest()[:16]}")
    with aside.open("wb") as copy:
        copy.write(data[whole:])
        copy.flush()
        os.fsync(copy.fileno())
    _sync_folder(file.parent)
    with file.open("r+b") as original:
        original.truncate(whole)
        os.fsync(original.fileno())
    return str(aside)
