"""The pages that an admin installs by, block by block as they stand, on a fresh API server with the simulator as cloud."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from localenv.settings import REPOSITORY, LocalSettings
from simulator.local import Simulator
from support.chart import Helm
from support.document import Block, Shell, blocks, checkout, path_of
from support.fresh import fresh_kubernetes
from support.kubelet import Kubelet

INSTALL = blocks(REPOSITORY / "docs" / "install.md")
OWN = [
    block
    for block in blocks(REPOSITORY / "README.md")
    if block.section in ("Run it against your own cluster and cloud", "Your first VM")
]


def sections(*names: str) -> list[Block]:
    """Return the blocks of these sections that are replayed, in the page's order."""
    return [block for block in INSTALL if block.section in names and not block.excuse]


WITH_HELM = ("2. The release", "3. A cloud, a tenant, a VM", "Upgrade", "Roll back", "Uninstall")
WITHOUT_HELM = ("Without Helm",)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1heWJlIHRoaXMgaXMgYSBrZXksIG1heWJlIG5vdC4 me"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[LocalSettings]:
    with fresh_kubernetes(tmp_path / "cluster") as settings:
        yield settings


@pytest.fixture
def terminal(fresh: LocalSettings, simulator: Simulator, helm: Helm, tmp_path: Path) -> Shell:
    """A terminal of the admin's, in a checkout; the cloud and the project are those of the simulator."""
    made = simulator.project("team-a")
    programs = path_of(fresh.state / "bin", helm.program.parent, Path(sys.executable).parent)
    environment = {**os.environ, "PATH": programs, "KUBECONFIG": str(fresh.state / "kubeconfig")}
    own = {
        "application_credential_id=…": f"application_credential_id={made['application_credential_id']}",
        "application_credential_secret=…": f"application_credential_secret={made['application_credential_secret']}",
        "https://keystone.example.org/v3": simulator.auth_url,
        "0123456789abcdef0123456789abcdef": made["project_id"],
        "ssh-ed25519 AAAA… me": KEY,
        "\nstoker run": "\nstoker run >operator.log 2>&1 &\necho $! >operator.pid",  # in its own terminal it stays in front
    }
    return Shell(checkout(REPOSITORY, tmp_path / "checkout"), environment, own)


def test_every_block_is_replayed_or_says_why_not() -> None:
    known = {*WITH_HELM, *WITHOUT_HELM}
    assert [block.where for block in INSTALL if not block.excuse and block.section not in known] == []
    assert {name for name in known if not sections(name)} == set()


@pytest.mark.kubernetes
def test_the_page_leads_from_nothing_to_a_vm_through_an_upgrade_to_nothing(
    terminal: Shell, fresh: LocalSettings, tmp_path: Path
) -> None:
    said: dict[str, str] = {}
    with Kubelet(fresh, tmp_path):
        for block in sections(*WITH_HELM):
            said[block.section] = said.get(block.section, "") + terminal.run(block)
    assert "Phase:          Succeeded" in said["2. The release"], "helm test passed"
    assert "virtualmachine.stoker.dev/web-1 condition met" in said["3. A cloud, a tenant, a VM"]
    assert 'virtualmachine.stoker.dev "web-1" deleted' in said["Uninstall"]


@pytest.mark.kubernetes
def test_without_helm_the_same_is_there(terminal: Shell, fresh: LocalSettings, tmp_path: Path) -> None:
    with Kubelet(fresh, tmp_path):
        for block in (*sections(*WITHOUT_HELM), *sections("3. A cloud, a tenant, a VM")):
            terminal.run(block)


@pytest.mark.kubernetes
def test_the_readme_leads_from_a_checkout_to_a_vm_on_ones_own_cluster(terminal: Shell, tmp_path: Path) -> None:
    terminal.environment |= {"STOKER_METRICS_PORT": "0", "STOKER_HEALTH_PORT": "0", "STOKER_AUDIT_DIR": str(tmp_path)}
    assert [block.where for block in OWN if block.excuse] == []
    try:
        said = [(replace(terminal) if "stoker run" in block.text else terminal).run(block) for block in OWN]
    finally:
        if (file := terminal.folder / "operator.pid").exists():
            os.kill(int(file.read_text()), signal.SIGTERM)
    assert "all is well" in said[2]
    assert "web-1 condition met" in said[3]
