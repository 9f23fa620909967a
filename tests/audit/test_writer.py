"""The writer: what it acknowledged is on the disk and follows from what was, whatever crashed, filled up or was swapped."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stoker.api.errors import ErrorCode
from stoker.audit.files import LONGEST_LINE, file_name, files_of, lines_of
from stoker.audit.writer import AuditError, Opened, Writer
from stoker.core.audit import Anchor, Head
from stoker.core.tampering import Verified, verify
from support.chain import RECORD

BIG = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not/there/yet"


@contextmanager
def writing(folder: Path, most_bytes: int = BIG, anchors: dict[str, Anchor] | None = None) -> Iterator[Writer]:
    writer = Writer(folder, most_bytes, anchors or {})
    writer.open()
    yield writer
    writer.close()


def read(folder: Path) -> Verified:
    verified = verify(lines_of(files_of(folder)))
    assert isinstance(verified, Verified), verified
    return verified


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Have the kernel refuse to let any file of this process grow past a size: what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_appended_is_a_chain_on_the_disk_that_only_its_owner_reads(folder: Path) -> None:
    with writing(folder) as writer:
        assert writer.append([RECORD, RECORD]) == [1, 2]
        assert writer.append([RECORD]) == [3]
        assert read(folder).head == writer.head
    assert folder.stat().st_mode & 0o777 == 0o700
    assert files_of(folder)[0].stat().st_mode & 0o777 == 0o600


def test_a_restart_goes_on_with_the_chain(folder: Path) -> None:
    with writing(folder) as writer:
        writer.append([RECORD])
        before = writer.head
    again = Writer(folder, BIG, {})
    opened = again.open()
    assert (opened.fresh, opened.torn, list(opened.open)) == (False, "", [1])
    assert again.head == before
    assert again.append([RECORD]) == [2]
    again.close()
    assert read(folder).head == again.head


def test_the_chain_goes_on_across_files_and_restarts(folder: Path) -> None:
    for round_ in range(4):
        with writing(folder, most_bytes=600) as writer:
            assert writer.append([RECORD, RECORD]) == [3 * round_ + 1, 3 * round_ + 2]
            assert writer.append([RECORD]) == [3 * round_ + 3]
    files = files_of(folder)
    assert [file.name for file in files] == [file_name(number) for number in (1, 3, 6, 9, 12)]
    assert [json.loads(file.read_text().splitlines()[0])["sequence"] for file in files] == [1, 3, 6, 9, 12]
    assert read(folder).head == writer.head


@pytest.mark.parametrize("kept", [1, 2])
def test_the_chain_goes_on_when_its_older_files_were_archived(folder: Path, kept: int) -> None:
    with writing(folder, most_bytes=1) as writer:
        for _ in range(3):
            writer.append([RECORD])
    for file in files_of(folder)[:-kept]:
        file.unlink()
    with writing(folder, most_bytes=1) as writer:
        assert writer.append([RECORD]) == [4]


@pytest.mark.parametrize("most_bytes", [BIG, 1], ids=["in the only file", "in the newest file"])
@pytest.mark.parametrize("left", [1, 100, 250])
def test_a_line_torn_by_a_crash_is_put_aside_and_the_chain_goes_on(folder: Path, left: int, most_bytes: int) -> None:
    with writing(folder, most_bytes) as writer:
        for _ in range(3):
            writer.append([RECORD])
    last = files_of(folder)[-1]
    whole = last.read_bytes()
    torn = whole.splitlines(keepends=True)[-1][:left]
    last.write_bytes(whole + torn)

    again = Writer(folder, BIG, {})
    opened = again.open()

    assert opened.torn == str(folder / f"torn-{hashlib.sha256(torn).hexdigest()[:16]}")
    assert Path(opened.torn).read_bytes() == torn
    assert last.read_bytes() == whole
    assert again.append([RECORD]) == [4]
    again.close()
    assert read(folder).head == again.head


def test_a_crash_before_the_first_line_of_a_file_was_written_is_no_harm(folder: Path) -> None:
    with writing(folder) as writer:
        writer.append([RECORD])
    (folder / file_name(2)).write_bytes(b'{"torn')
    with writing(folder) as writer:
        assert writer.append([RECORD]) == [2]
    assert (folder / file_name(2)).read_bytes().startswith(b'{"action"')
    assert read(folder).head == writer.head


def test_nothing_counts_before_file_and_folder_are_synced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: dict[int, int] = {}
    real = os.fsync

    def fsync(number: int) -> None:
        real(number)
        synced[os.fstat(number).st_ino] = os.fstat(number).st_size

    monkeypatch.setattr(os, "fsync", fsync)
    with writing(folder, most_bytes=1) as writer:
        assert folder.stat().st_ino in synced
        for _ in range(2):
            synced.clear()
            writer.append([RECORD])
            newest = files_of(folder)[-1].stat()
            assert synced[newest.st_ino] == newest.st_size
        assert folder.stat().st_ino in synced, "a new file's name is on the disk as well"


def test_what_the_disk_did_not_take_is_taken_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with writing(folder) as writer:
        writer.append([RECORD])
        before = files_of(folder)[0].read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", broken)
            with pytest.raises(AuditError, match="Input/output error"):
                writer.append([RECORD])
        assert files_of(folder)[0].read_bytes() == before
        assert not writer.is_open, "what could not even be taken back is looked at anew"
        writer.open()
        assert writer.append([RECORD]) == [2]
    assert read(folder).head == writer.head


def test_a_full_disk_is_an_error_and_leaves_no_part_of_a_line(folder: Path) -> None:
    with writing(folder) as writer:
        writer.append([RECORD])
        before = files_of(folder)[0].read_bytes()
        with no_file_longer_than(len(before) + 50), pytest.raises(AuditError, match="File too large") as caught:
            writer.append([RECORD])
        assert caught.value.fault.code is ErrorCode.AUDIT_UNAVAILABLE
        assert files_of(folder)[0].read_bytes() == before
        assert writer.append([RECORD]) == [2], "and it goes on as soon as there is room"
        assert read(folder).head == writer.head


def test_a_full_disk_at_a_rotation_is_an_error_and_leaves_the_chain(folder: Path) -> None:
    with writing(folder, most_bytes=1) as writer:
        writer.append([RECORD])
        with no_file_longer_than(10), pytest.raises(AuditError, match="File too large"):
            writer.append([RECORD])
        assert writer.append([RECORD]) == [2]
    assert read(folder).head == writer.head


def test_a_device_without_room_is_an_error(tmp_path: Path) -> None:
    """A folder whose first file is a device: refused rather than followed, and named."""
    (tmp_path / file_name(1)).symlink_to("/dev/full")
    with pytest.raises(AuditError, match=str(tmp_path)):
        Writer(tmp_path, BIG, {}).open()


def test_a_second_process_is_refused_the_folder_until_the_first_is_gone(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stoker.audit.writer import Writer\n"
        f"Writer(Path({str(folder)!r}), {BIG}, {{}}).open(); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        writer = Writer(folder, BIG, {})
        with pytest.raises(AuditError, match="in use by another process"):
            writer.open()
        assert not writer.is_open
        other.kill()
        other.wait()
        assert writer.open() == Opened(fresh=True, torn="", open={})
    writer.close()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AuditError, match="Not a directory"):
        Writer(tmp_path / "file/folder", BIG, {}).open()


def test_a_chain_that_was_edited_is_not_gone_on_with(folder: Path) -> None:
    with writing(folder) as writer:
        writer.append([RECORD, RECORD])
    file = files_of(folder)[0]
    file.write_bytes(file.read_bytes().replace(b"alice", b"mallo", 1))
    with pytest.raises(AuditError, match=f"{file}:1: Edited"):
        Writer(folder, BIG, {}).open()


def test_a_chain_that_lacks_its_anchored_record_is_not_gone_on_with(folder: Path) -> None:
    with writing(folder) as writer:
        writer.append([RECORD, RECORD])
        assert writer.head is not None
        anchors = {"another": Anchor(Head("another", 9, "h")), writer.head.chain: Anchor(writer.head)}
    file = files_of(folder)[0]
    with writing(folder, anchors=anchors):
        pass
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(AuditError, match="Truncated: it ends at record 1, and record 2 is anchored"):
        Writer(folder, BIG, anchors).open()


@pytest.mark.parametrize("how", ["truncate", "remove", "replace", "append"])
def test_a_file_that_is_changed_while_it_is_written_stops_the_writer(folder: Path, how: str) -> None:
    with writing(folder) as writer:
        writer.append([RECORD, RECORD])
        file = files_of(folder)[0]
        data = file.read_bytes()
        match how:
            case "truncate":
                file.write_bytes(data[: data.index(b"\n") + 1])
            case "remove":
                file.unlink()
            case "replace":
                file.rename(folder / "away")
                file.write_bytes(data)
            case "append":
                file.write_bytes(data + b"more\n")
        with pytest.raises(AuditError, match="is not as this process left it"):
            writer.append([RECORD])
        assert not writer.is_open
        if how == "replace":  # the same records in another file are the same chain
            writer.open()
            return
        with pytest.raises(AuditError, match="Edited" if how == "append" else "Truncated"):
            writer.open()


def test_a_line_without_end_is_read_in_bounded_pieces(tmp_path: Path) -> None:
    file = tmp_path / file_name(1)
    file.write_bytes(b"x" * (3 * LONGEST_LINE))
    assert [len(line) for _, line in lines_of([file])] == [LONGEST_LINE] * 3


def test_files_of_others_are_not_the_chain_s(tmp_path: Path) -> None:
    for name in ("lock", "torn-1", "audit-1.jsonl", file_name(2), file_name(1), f"{file_name(1)}.gz"):
        (tmp_path / name).touch()
    assert [file.name for file in files_of(tmp_path)] == [file_name(1), file_name(2)]
