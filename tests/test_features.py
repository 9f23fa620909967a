"""docs/features.md promises nothing that no test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in (ROOT / "docs/features.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| Guarantee")
]


def functions(file: Path) -> set[str]:
    """Return the names of a module's functions."""
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_feature_has_tests_that_exist(row: tuple[str, ...]) -> None:
    assert len(row) == 2, "a row is a promise and its tests"
    shown_by = re.findall(r"`([^`]+)::([^`]+)`", row[1])
    assert shown_by, "no test shows it"
    for file, function in shown_by:
        assert (ROOT / "tests" / file).is_file(), file
        assert function.startswith("test_"), function
        assert function in functions(ROOT / "tests" / file), f"{file} has no {function}"
