"""The pages of the local environment, block by block as they stand, on the real services."""

from __future__ import annotations

from pathlib import Path

import pytest

from localenv.settings import REPOSITORY, LocalSettings
from support.document import Shell, blocks, checkout, path_of
from support.operator import OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]


@pytest.fixture
def terminal(onboarded: LocalSettings, tmp_path: Path) -> Shell:
    """A terminal in a checkout, with nothing of the tests' own environment."""
    folder = checkout(REPOSITORY, tmp_path / "checkout", local=onboarded.state)
    return Shell(folder, {"PATH": path_of(), "HOME": str(tmp_path)}, {})


def test_the_page_leads_from_nothing_through_a_vm_s_life_to_nothing(terminal: Shell, operator: OperatorThread) -> None:
    said: dict[str, str] = {}
    for block in blocks(REPOSITORY / "docs" / "start.md"):
        if not block.excuse:
            said[block.section] = said.get(block.section, "") + terminal.run(block)
    assert "CREATE_COMPLETE" in said["Make a VM"]
    assert "no flavor m1.smal" in said["Make a mistake"]
    assert "vm-" not in said["Delete it"], "no stack is left"


def test_the_readme_leads_through_a_vm_s_life_by_hand(terminal: Shell, operator: OperatorThread) -> None:
    by_hand = [block for block in blocks(REPOSITORY / "README.md") if block.section == "By hand" and not block.excuse]
    said = "".join(map(terminal.run, by_hand))
    for words in ("web-1 condition met", "CREATE_COMPLETE", 'virtualmachine.stoker.dev "web-1" deleted'):
        assert words in said
