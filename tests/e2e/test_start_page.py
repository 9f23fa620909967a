"""The ten-minute start, block by block as it stands, on the real services."""

from __future__ import annotations

from pathlib import Path

import pytest

from localenv.settings import REPOSITORY, LocalSettings
from support.document import Shell, blocks, checkout, path_of
from support.operator import OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]


def test_the_page_leads_from_nothing_through_a_vm_s_life_to_nothing(
    onboarded: LocalSettings, operator: OperatorThread, tmp_path: Path
) -> None:
    folder = checkout(REPOSITORY, tmp_path / "checkout", local=onboarded.state)
    terminal = Shell(folder, {"PATH": path_of(), "HOME": str(tmp_path)}, {})
    said: dict[str, str] = {}
    for block in blocks(REPOSITORY / "docs" / "start.md"):
        if not block.excuse:
            said[block.section] = said.get(block.section, "") + terminal.run(block)
    assert "CREATE_COMPLETE" in said["Make a VM"]
    assert "no flavor m1.smal" in said["Make a mistake"]
    assert "vm-" not in said["Delete it"], "no stack is left"
