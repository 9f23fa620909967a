"""The commands of a document: every block of shell in it, in order, as somebody who follows it would run them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

NOT_REPLAYED = re.compile(r"<!-- not replayed: (.+?) -->\s*$")
"""What stands above a block that no test runs, with the reason. A reader of the page does not see it."""

FENCE = re.compile(r"\s*```(?P<kind>\w*)")
SHELLS = {"sh", "bash", "shell", "console"}

PATIENCE = 300
"""Longest time a block may take, seconds: it bounds a test that fails."""


@dataclass(frozen=True)
class Block:
    """One block of shell."""

    where: str
    """File and line, for people."""

    section: str
    text: str
    excuse: str = ""
    """Why it is not replayed; empty when it is."""


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that are marked as shell.

    Raises ValueError for one that is written in a way that would not be seen: `console`, `bash`, or indented.
    """
    found, section, above = [], "", ""
    lines = iter(enumerate(page.read_text().splitlines(), 1))
    for number, line in lines:
        if fence := FENCE.match(line):
            if line != "```sh" and fence["kind"] in SHELLS:
                raise ValueError(f"{page.name}:{number}: {line!r} is a block of shell; write ```sh at the line's begin")
            text = _until_closed(lines)
            if line == "```sh":
                excuse = NOT_REPLAYED.search(above)
                found.append(Block(f"{page.name}:{number}", section, "\n".join(text), excuse[1] if excuse else ""))
            above = ""
        elif line.startswith("#"):
            section = line.lstrip("# ")
        elif line:
            above = line
    return found


def _until_closed(lines: Iterator[tuple[int, str]]) -> list[str]:
    """Return the lines of a block, and take its end."""
    return [line for _, line in takewhile(lambda each: each[1].strip() != "```", lines)]


@dataclass
class Shell:
    """Runs blocks as one terminal would: in one folder, with what earlier blocks exported."""

    folder: Path
    environment: dict[str, str]
    names: Mapping[str, str]
    """What a reader puts in for the page's examples: text of the page → what is meant here."""

    def run(self, block: Block) -> str:
        """Run a block and return what it printed; fail with the block and what was said when any command fails."""
        text = block.text
        for example, own in self.names.items():
            text = text.replace(example, own)
        kept = self.folder / ".environment"
        script = f"{text}\n\nenv -0 > '{kept}'\n"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder, env=self.environment, timeout=PATIENCE, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.where} failed:\n{text}\n--- said:\n{done.stdout}"
        self.environment = dict(entry.split("=", 1) for entry in kept.read_text().split("\0") if "=" in entry)
        return done.stdout


def checkout(repository: Path, folder: Path, **own: Path) -> Path:
    """Return a folder that looks like a checkout; `own` replaces entries or adds them (`local` is `.local`)."""
    folder.mkdir()
    entries = {entry.name: entry for entry in repository.iterdir()} | {f".{name}": at for name, at in own.items()}
    for name, at in entries.items():
        (folder / name).symlink_to(at)
    return folder


def path_of(*folders: Path) -> str:
    """Return a PATH that finds programs there first."""
    return os.pathsep.join([*map(str, folders), os.environ["PATH"]])
