"""The repository's own promises: what must not be there, and what must agree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from localenv.settings import REPOSITORY


def tracked() -> list[str]:
    """Return the files that git tracks."""
    return subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )[:-1]


def test_operator_is_a_source_root_and_no_package() -> None:
    """With operator/__init__.py the folder would shadow the standard library's module of that name."""
    assert not (REPOSITORY / "operator" / "__init__.py").exists()


def test_the_standard_operator_module_is_found() -> None:
    import operator

    assert operator.itemgetter(0)([7]) == 7


HOSTS = re.compile(r"pythonhosted|proxy\.golang|registry\.npmjs|deb\.debian|\bpypi\.org", re.IGNORECASE)
PATHS = re.compile(r"/(root|home)/\w|/work/(main|shared)")


@pytest.mark.parametrize(
    ("what", "pattern"), [("registry hosts", HOSTS), ("paths of a machine", PATHS)], ids=["hosts", "paths"]
)
def test_no_file_names(what: str, pattern: re.Pattern[str]) -> None:
    found = [
        f"{name}: {match[0]}"
        for name in tracked()
        if name != "tests/test_layout.py" and (match := pattern.search((REPOSITORY / name).read_text(errors="replace")))
    ]
    assert found == [], what


MOST_LINES = 300
"""Of a file, as CONTRIBUTING.md says."""


def test_every_file_of_the_operator_can_be_read_at_once() -> None:
    lines = {name: (REPOSITORY / name).read_text().count("\n") for name in tracked() if is_ours(name)}
    assert len(lines) > 100
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def is_ours(name: str) -> bool:
    return name.startswith(("operator/", "deploy/")) and name.endswith(".py")


def test_the_ci_script_calls_the_readme_s_test_command() -> None:
    assert "make test" in (REPOSITORY / ".ci" / "run").read_text()
    assert "make test" in (REPOSITORY / "README.md").read_text()


GROUPED = """
import pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_one(number: int, worker_id: str) -> None:
    print(f"ran on {worker_id}")
"""


def test_what_shares_the_openstack_stays_in_one_of_the_two_test_processes(tmp_path: Path) -> None:
    """A pytest was seen under which xdist no longer keeps groups together, and says nothing of it."""
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    run = [sys.executable, "-m", "pytest", "-n2", "--dist=loadgroup", "-rP", "-p", "no:cacheprovider", str(tmp_path)]
    told = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert len(re.findall(r"ran on gw\d", told)) == 8
    assert len(set(re.findall(r"ran on (gw\d)", told))) == 1
