"""The documentation site: it builds, every link leads somewhere, and what its pages show is valid."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import site_hooks
from stoker.api.cloud import CloudSpec
from stoker.api.tenant import TenantSpec
from stoker.api.virtualmachine import VirtualMachineSpec

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SPECS = {"VirtualMachine": VirtualMachineSpec, "Tenant": TenantSpec, "Cloud": CloudSpec}
PAGES = [*sorted(DOCS.rglob("*.md")), *(ROOT / name for name in site_hooks.OUTSIDE)]


def shown(page: Path) -> Iterator[dict]:
    """Yield our objects in a page's code blocks."""
    for block in re.findall(r"```(?:yaml|sh)\n(.*?)```", page.read_text(), re.DOTALL):
        text = "".join(re.findall(r"<<'EOF'\n(.*?)^EOF$", block, re.DOTALL | re.MULTILINE)) or block
        if "apiVersion: stoker.dev" in text:
            yield from (found for found in yaml.safe_load_all(text) if found["apiVersion"].startswith("stoker.dev/"))


def test_the_user_guide_has_every_field_of_a_vm() -> None:
    guide = (DOCS / "using-vms.md").read_text()
    fields = {field.alias for field in VirtualMachineSpec.model_fields.values()}
    assert set(re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE)) | {"powerState"} == fields


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_object_that_a_page_shows_is_valid(page: Path) -> None:
    for found in shown(page):
        if "template" in found["spec"] or found["kind"] != "VirtualMachine":
            SPECS[found["kind"]].model_validate({**_complete(found["kind"]), **found["spec"]})


def _complete(kind: str) -> dict:
    """Return what a page that is about one field of a Tenant leaves out."""
    profile = {"name": "default", "network": "private"}
    needed = {
        "cloud": "main",
        "projectID": "1",
        "namespaces": ["a"],
        "credentialsSecret": "a",
        "networkProfiles": [profile],
    }
    return needed if kind == "Tenant" else {}


def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    """Not with --quiet, which hides the warnings from --strict as well. A warning is a link or an anchor that leads nowhere, or a page that is not in the navigation."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 40
    fetched = [
        found
        for page in pages
        for found in re.findall(
            r'<(?:script|img|iframe)[^>]+src="https?:[^"]*"|<link[^>]+href="https?:[^"]*"', page.read_text()
        )
    ]
    assert fetched == []
