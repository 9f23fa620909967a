#!/usr/bin/env python3
"""Take the pictures of `kubectl osvm` into docs/screens/: `make screens`.

A real API server and a real operator, with the simulator for a cloud; the commands are run as a user runs them.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "deploy" / "local")]

import onboard  # noqa: E402
from localenv.settings import LocalSettings  # noqa: E402
from simulator.local import Simulator  # noqa: E402
from stoker.osvm.main import main as osvm  # noqa: E402
from stoker.osvm.screen import Screen  # noqa: E402
from support.operator import OperatorThread  # noqa: E402
from support.simulated_cluster import SimulatedCluster, simulated_cluster  # noqa: E402
from support.users import binding  # noqa: E402

SCREENS = ROOT / "docs" / "screens"
WIDTH = 110
NAMESPACE = "shop"
WEB = {
    "publicIP": True,
    "volumes": [{"name": "data", "sizeGiB": 20}],
    "ingress": [{"protocol": "tcp", "ports": "22", "cidr": "10.0.0.0/8"}],
}


def take(cluster: SimulatedCluster, picture: str, *arguments: str) -> None:
    """Run a command as alice on a terminal, and keep what it shows."""
    out = Console(record=True, force_terminal=True, width=WIDTH, highlight=False, file=io.StringIO())
    err = Console(file=io.StringIO())
    login = ["-n", cluster.name, "--kubeconfig", str(cluster.settings.state / "kubeconfig-alice")]
    osvm([*arguments, *login], Screen(out, err))
    svg = out.export_svg(
        title=f"kubectl osvm {' '.join(arguments[:1] if '-f' in arguments else arguments)}", unique_id=picture
    )
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # fonts from elsewhere: a picture loads nothing
    (SCREENS / f"{picture}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


def as_alice(cluster: SimulatedCluster, manifest: dict[str, Any]) -> None:
    """Apply a manifest as alice."""
    onboard.kubectl(cluster.settings, "apply", "-f", "-", text=yaml.safe_dump(manifest), user="kubeconfig-alice")


def play(cluster: SimulatedCluster) -> None:
    """Make some VMs as users would, and look at them."""
    onboard.apply(cluster.settings, [binding(cluster.name, "edit", "alice")])
    as_alice(cluster, cluster.manifest("web-1", **WEB))
    as_alice(cluster, cluster.manifest("web-2", powerState="Stopped"))
    as_alice(cluster, cluster.manifest("db-1", flavor="m1.smal"))
    cluster.wait_active("web-1")
    cluster.wait_reason("Stopped", "web-2")
    cluster.wait_reason("FlavorNotFound", "db-1")
    take(cluster, "list", "list")
    edited = cluster.manifest("web-1", **{**WEB, "image": "ubuntu-24.04", "ingress": [], "publicIP": False})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "web-1.yaml"
        file.write_text(yaml.safe_dump(edited))
        take(cluster, "plan", "plan", "-f", str(file))
    as_alice(cluster, edited)
    cluster.wait_reason("UpdateWouldReplace", "web-1")
    take(cluster, "describe", "describe", "web-1")
    cluster.delete()
    cluster.wait_gone()


def main() -> None:
    """Take all pictures."""
    settings = LocalSettings.load()
    SCREENS.mkdir(exist_ok=True)
    onboard.main()
    with Simulator() as simulator:
        made = simulated_cluster(settings, simulator)
        cloud = {**made.cloud, "metadata": {"name": NAMESPACE}}
        cluster = SimulatedCluster(settings, replace(made.project, name=NAMESPACE), cloud)
        cluster.open()
        try:
            with OperatorThread(settings):
                play(cluster)
        finally:
            cluster.close()


if __name__ == "__main__":
    main()
