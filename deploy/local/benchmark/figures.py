"""The figures of a run, printed side by side with the bounds that Stoker is to hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: how it is called, and the most that it may be."""

    text: str
    bound: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """What one run measured: key of a row → figure."""

    title: str
    figures: Mapping[str, float]


RUNS: dict[str, Row] = {
    "alone": Row("Heat alone: first request to last stack, s"),
    "applied": Row("first apply to last apply, s"),
    "sent": Row("last apply to last create sent, s", 30.0),
    "active": Row("first apply to last Active, s"),
    "ratio": Row("Stoker / Heat alone, the median of the rounds"),
    "added": Row("added to Heat's own time, s", 1.5),
    "gone": Row("deletion to last VM gone, s"),
    "begun": Row("creates that Heat began, per VM", 1.0),
    "calls": Row("OpenStack calls per VM to Active, without the project's", 3.0),
    "writes": Row("API writes per VM life, without the user's and Events", 12.0),
    "events": Row("Events per VM life"),
    "cpu": Row("operator's processor time per VM life, ms"),
    "memory": Row("operator's memory, MiB", 300.0),
    "rest_calls": Row("at rest: OpenStack calls a minute and project", 4.0),
    "rest_more": Row("at rest: tokens and further pages a minute and project"),
    "rest_writes": Row("at rest: API writes a minute"),
}
"""Of VMs that are created and deleted. The bounds are the design's (docs/performance.md)."""

RESTART: dict[str, Row] = {
    "seconds": Row("start to every VM looked at, s", 15.0),
    "cpu": Row("processor time until then, s"),
    "writes": Row("API writes of VMs and operations", 0.0),
    "other": Row("API writes of Tenants and Clouds, per project"),
    "calls": Row("OpenStack calls per project, without tokens and further pages"),
    "more": Row("tokens and further pages per project"),
    "memory": Row("memory, MiB", 300.0),
    "peak": Row("most memory so far, MiB"),
}
"""Of a process that starts over VMs that are all settled."""

FAILOVER: dict[str, Row] = {
    "killed_lease": Row("kill -9 to the other holding the Lease, s"),
    "killed_effect": Row("kill -9 to the other's first create, s", 20.0),
    "stopped_lease": Row("SIGTERM to the other holding the Lease, s"),
    "stopped_effect": Row("SIGTERM to the other's first create, s", 2.0),
}
"""Of two processes, of which the one that leads ends; the VM is applied at that moment."""


def table(rows: Mapping[str, Row], columns: Iterable[Column]) -> str:
    """Return a table with a column for each run, and what misses its bound marked with an exclamation mark."""
    columns = list(columns)
    lines = [["", *(column.title for column in columns), "at most"]]
    for key, row in rows.items():
        figures = [_shown(column.figures.get(key), row.bound) for column in columns]
        if any(figures):
            lines.append([row.text, *figures, "" if row.bound is None else f"{row.bound:g}"])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def missed(rows: Mapping[str, Row], columns: Iterable[Column]) -> list[str]:
    """Return what misses its bound, as sentences."""
    return [
        f"{column.title}: {row.text}: {column.figures[key]:.4g} instead of at most {row.bound:g}"
        for column in columns
        for key, row in rows.items()
        if row.bound is not None and _misses(column.figures.get(key), row.bound)
    ]


def _shown(figure: float | None, bound: float | None) -> str:
    if figure is None:
        return ""
    text = f"{figure:.0f}" if abs(figure) >= 100 else f"{figure:.2f}"
    return f"!{text}" if bound is not None and _misses(figure, bound) else text


def _misses(figure: float | None, bound: float) -> bool:
    return figure is not None and figure > bound + 0.005  # as precise as it is shown
