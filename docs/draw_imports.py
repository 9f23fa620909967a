#!/usr/bin/env python3
"""Draw the imports between Stoker's parts into docs/architecture.md: `make generate`.

A part is a folder of operator/stoker, or modules beside the folders that are of one kind. Imports for type checking
only are no dependencies. The picture leaves out what a longer way says already; the table leaves out nothing.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "operator" / "stoker"
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- drawn by docs/draw_imports.py -->", "<!-- end of what is drawn -->"

TOGETHER = {
    "commands": ("__main__", "cli", "check", "render", "audit_commands"),
    "basics": ("settings", "logs", "health"),
}
"""Parts that are modules beside the folders. A module that is in none is a part by itself."""

Edges = Counter[tuple[str, str]]


def part_of(module: str) -> str:
    """Return the part of a module, given from below `stoker`: "core.decide" is of "core"."""
    first = module.split(".", maxsplit=1)[0]
    return next((part for part, modules in TOGETHER.items() if first in modules), first)


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield each module's name below `stoker`, and its syntax tree."""
    for file in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            yield name, ast.parse(file.read_text())


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield what a module imports when it runs, as dotted names."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(source), names=names):
                yield from (f"stoker.{alias.name}" for alias in names) if source == "stoker" else (source,)
            case _:
                yield from imported(node)


def measured() -> tuple[Edges, Counter[str], dict[str, set[str]]]:
    """Return the imports between parts, the modules of each part, and each part's packages from elsewhere."""
    edges: Edges = Counter()
    sizes: Counter[str] = Counter()
    foreign: dict[str, set[str]] = {}
    for name, tree in modules():
        part = part_of(name)
        sizes[part] += 1
        foreign.setdefault(part, set())
        for target in set(imported(tree)):
            root, _, below = target.partition(".")
            if root == "stoker":
                if below and not below.startswith("__") and part_of(below) != part:
                    edges[part, part_of(below)] += 1
            elif root not in sys.stdlib_module_names:
                foreign[part].add(root)
    return edges, sizes, foreign


def ordered(edges: Edges, parts: set[str]) -> list[str]:
    """Return the parts so that each stands before all that it imports. Raises ValueError when there is a circle."""
    left, order = set(parts), []
    while left:
        free = {part for part in left if not any(edges[other, part] for other in left)}
        if not free:
            raise ValueError(f"these parts import each other in a circle: {', '.join(sorted(left))}")
        order += sorted(free)
        left -= free
    return order


def reached(edges: Edges, part: str) -> set[str]:
    """Return what a part imports, straight or not."""
    straight = {target for source, target in edges if source == part}
    return straight.union(*(reached(edges, target) for target in straight))


def drawn() -> str:
    """Return the picture and the table."""
    edges, sizes, foreign = measured()
    order = ordered(edges, set(sizes))
    lines = ["```mermaid", "flowchart TD"]
    for part in order:
        packages = f"<br><i>{', '.join(sorted(foreign[part]))}</i>" if foreign[part] else ""
        lines.append(f'  {part}["{_title(part)}, {sizes[part]}{packages}"]')
    for source in order:
        for target in order:
            others = {other for other in order if edges[source, other] and other != target}
            if edges[source, target] and not any(target in reached(edges, other) for other in others):
                lines.append(f"  {source} -->|{edges[source, target]}| {target}")
    lines += ["```", "", f"| imports | {' | '.join(order)} |", f"|---|{'---|' * len(order)}"]
    for source in order:
        cells = " | ".join(str(edges[source, target] or "") for target in order)
        lines.append(f"| **{source}** | {cells} |")
    return "\n".join(lines)


def _title(part: str) -> str:
    return f"{part}/" if (PACKAGE / part).is_dir() else part


def page() -> str:
    """Return docs/architecture.md with what is drawn in its place."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{drawn()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
