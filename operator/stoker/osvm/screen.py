"""Where commands write: data to standard output, talk to standard error; colour and tables on a terminal only.

Off a terminal a table is columns of text, as kubectl prints them: for `grep` and `awk`, never cut and never wrapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from stoker.client.progress import Verdict
from stoker.core.faults import one_line

STYLES = {Verdict.READY: "green", Verdict.WAITING: "yellow", Verdict.STALLED: "bold red"}
UNCUT = 100_000
"""Width of what is no terminal, characters: nothing is wrapped."""

LONGEST = 2000
"""Longest text in a cell, characters."""

Cell = str | tuple[str, str]
"""A text, or a text and its style."""


@dataclass(frozen=True)
class Screen:
    """Standard output and standard error."""

    out: Console
    err: Console

    @classmethod
    def standard(cls) -> Screen:
        """Return the process's own; NO_COLOR and TERM are heeded."""
        out, err = Console(highlight=False), Console(stderr=True, highlight=False)
        for console in (out, err):
            if not console.is_terminal:
                console.width = UNCUT
        return cls(out, err)

    def say(self, text: str) -> None:
        """Write a sentence for people."""
        self.err.print(Text(clean(text)))

    def show(self, what: RenderableType) -> None:
        """Write something drawn."""
        self.out.print(what)

    def text(self, text: str) -> None:
        """Write text as it is."""
        self.out.file.write(text if text.endswith("\n") else f"{text}\n")

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """Write a table; without rows nothing but a remark."""
        made = [[styled(cell) for cell in row] for row in rows]
        if not made:
            self.say("Nothing found.")
        elif self.out.is_terminal:
            self.show(_table(columns, made))
        else:
            self.text(_columns(columns, made))


def clean(text: str) -> str:
    """Return text without what could steer a terminal: names and messages are foreign."""
    return one_line(text, LONGEST)


def styled(cell: Cell) -> Text:
    """Return a cell as it is drawn."""
    text, style = cell if isinstance(cell, tuple) else (cell, "")
    return Text(clean(text), style=style)


def _table(columns: Sequence[str], rows: list[list[Text]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _columns(columns: Sequence[str], rows: list[list[Text]]) -> str:
    lines = [list(columns), *([cell.plain or "-" for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    aligned = ("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in aligned)
