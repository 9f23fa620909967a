"""The files of a chain: named by their first record, so that the order of names is the order of records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

LONGEST_LINE = 64 * 1024
"""Bytes read as one line: some fifty times a long record, so that a file of something else fills no memory."""

_NAME = re.compile(r"audit-\d{12}\.jsonl")


def file_name(sequence: int) -> str:
    """Return the name of the file that begins with that record."""
    return f"audit-{sequence:012}.jsonl"


def files_of(folder: Path) -> list[Path]:
    """Return a chain's files, the oldest first; a device of such a name would never end. Raises OSError when there is no such folder."""
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file())


def lines_of(files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield each line with its end, and where it stands."""
    for file in files:
        with file.open("rb") as stream:
            number = 0
            while line := stream.readline(LONGEST_LINE):
                number += 1
                yield f"{file}:{number}", line
