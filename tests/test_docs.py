"""The documents name everything that is part of the API: no reason, error code or setting is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

import draw_imports
import site_hooks
import write_reference
from stoker.api.conditions import ConditionType
from stoker.core.decision import Reason
from stoker.core.faults import POLICIES
from stoker.core.tenancy import TenantReason
from stoker.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
CONDITIONS = (ROOT / "docs/conditions.md").read_text()
README = (ROOT / "README.md").read_text()


def row(text: str, name: str) -> list[str]:
    """Return the cells of the table row whose first cell is that name in backquotes."""
    rows = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1, f"{name} needs exactly one table row, and has {len(rows)}"
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


@pytest.mark.parametrize("name", [*ConditionType, *Reason, *TenantReason])
def test_every_condition_and_reason_has_its_row(name: str) -> None:
    assert row(CONDITIONS, str(name))[1]


@pytest.mark.parametrize("code", POLICIES)
def test_every_error_code_has_its_row_as_its_policy_says(code: str) -> None:
    policy = POLICIES[code]
    _, retry, actor, advice = row(CONDITIONS, code)
    assert (retry, actor, advice) == (policy.retry.value, policy.actor.value, policy.advice)


def test_no_word_is_documented_that_the_code_does_not_have() -> None:
    documented = set(re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", CONDITIONS, re.MULTILINE))
    assert documented == {str(word) for word in (*ConditionType, *Reason, *TenantReason, *POLICIES)}


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda field: field.name)
def test_every_setting_has_its_row_with_default_and_meaning(setting) -> None:
    _, default, meaning = row(README, f"STOKER_{setting.name.upper()}")
    assert default == (f"`{setting.default}`" if setting.default != "" else "")
    assert meaning == setting.metadata["help"]


@pytest.mark.parametrize("document", [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", document.read_text())  # a pattern in code may look like a link
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert (document.parent / target).exists(), target


def test_the_picture_of_the_imports_has_the_arrows_that_the_code_has() -> None:
    """How many imports each stands for is left to `make verify`: it changes with every one."""
    drawn = draw_imports.page()
    assert re.sub(r"\d+", "", drawn) == re.sub(r"\d+", "", draw_imports.PAGE.read_text()), "run `make generate`"


def test_imports_lead_one_way() -> None:
    edges, sizes, _ = draw_imports.measured()
    order = draw_imports.ordered(edges, set(sizes))
    assert (order[0], order[-1]) == ("commands", "api")
    assert [edge for edge in edges if order.index(edge[0]) > order.index(edge[1])] == []
    with pytest.raises(ValueError, match="in a circle: api, core"):
        draw_imports.ordered(edges + draw_imports.Edges([("api", "core")]), set(sizes))


def listed(nav) -> Iterator[str]:
    """Yield the pages of a navigation, those of its folders included."""
    if isinstance(nav, str):
        found = [site_hooks.index(nav), *site_hooks.pages(nav)] if nav.endswith("/") else [nav]
        yield from (page for page in found if page != "adr/index.md")  # made for the site
    else:
        for item in nav.values() if isinstance(nav, dict) else nav:
            yield from listed(item)


def test_the_reference_is_what_the_models_say() -> None:
    assert write_reference.PAGE.read_text() == write_reference.document(), "run `make generate`"


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page() -> None:
    there = {str(file.relative_to(ROOT / "docs")) for file in (ROOT / "docs").rglob("*.md")} | set(
        site_hooks.OUTSIDE.values()
    )
    assert sorted(listed(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])) == sorted(there)
