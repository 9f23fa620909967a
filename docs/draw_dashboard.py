#!/usr/bin/env python3
"""Draw the Grafana dashboard into docs/screens/dashboard.svg: `make dashboard`.

A real operator lives for some minutes with the simulator for a cloud, a real Prometheus scrapes it, and the panels of
deploy/monitoring/dashboard.json are asked of that Prometheus. There is no Grafana: the charts are drawn here.
"""

from __future__ import annotations

import contextlib
import html
import json
import math
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("tests", "deploy/local", "deploy/monitoring")]

from write_dashboard import COLUMNS, PANELS, Panel  # noqa: E402

import onboard  # noqa: E402
from localenv import promtool  # noqa: E402
from localenv.settings import LocalSettings  # noqa: E402
from simulator.local import Simulator  # noqa: E402
from support.cluster import wait_until  # noqa: E402
from support.operator import OperatorProcess  # noqa: E402
from support.simulated_cluster import SimulatedCluster, simulated_cluster  # noqa: E402

PICTURE = ROOT / "docs" / "screens" / "dashboard.svg"
SCRAPE, WINDOW = 2, "40s"
"""Seconds between scrapes, and Grafana's `$__rate_interval` for a run of minutes."""

W, H, PAD = 400, 190, 34
COLOURS = ("#3366cc", "#dc7a12", "#2a9d4a", "#c0392b", "#8e44ad", "#16808a", "#7f6000", "#d6339a")
MOST = 6
"""Lines that a legend names."""

Series = list[tuple[str, list[tuple[float, float]]]]
"""Name of each line, and its points: seconds since the epoch, value."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def play(cluster: SimulatedCluster) -> None:
    """Some minutes of a team: VMs come, fail, are edited, stopped and go."""
    cluster.patch_tenant({"spec": {"quota": {"vms": 20, "vcpus": 64}}})
    for n in range(6):
        cluster.create(f"web-{n}", plan="gold" if n % 3 == 0 else "standard")
    cluster.wait_active(*(f"web-{n}" for n in range(6)))
    cluster.project.simulator.fail("fails", "POST", "/stacks$", reason="no-valid-host", times=4)
    for n in range(8):
        cluster.create(f"batch-{n}", flavor="m1.small")
        time.sleep(3)
    cluster.create("typo", flavor="m1.smal")
    for n in range(3):
        cluster.patch(f"web-{n}", {"spec": {"flavor": "m1.small"}})
        time.sleep(4)
    cluster.patch("web-5", {"spec": {"powerState": "Stopped"}})
    time.sleep(30)
    cluster.delete(*(f"batch-{n}" for n in range(5)))
    time.sleep(40)


@contextlib.contextmanager
def prometheus(settings: LocalSettings, scraped: int, folder: str) -> Iterator[str]:
    """Run Prometheus, and yield its URL."""
    port = free_port()
    job = {"job_name": "stoker", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}
    config = Path(folder) / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": f"{SCRAPE}s"}, "scrape_configs": [job]}))
    program = promtool.find(settings, "prometheus")
    arguments = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (Path(folder) / "log").open("wb") as log, subprocess.Popen([program, *arguments], stderr=log) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def ask(url: str, panel: Panel, start: float, end: float) -> Series:
    """Return a panel's lines, as Grafana would ask for them. Raises HTTPError for a query that is none."""
    query = panel.query.replace("$__rate_interval", WINDOW)
    params: dict[str, Any] = {"query": query, "start": start, "end": end, "step": SCRAPE}
    answer = requests.get(f"{url}/api/v1/query_range", params=params, timeout=20)
    answer.raise_for_status()
    lines = []
    for found in answer.json()["data"]["result"]:
        name = panel.legend
        for label, value in found["metric"].items():
            name = name.replace(f"{{{{{label}}}}}", value)
        points = [(float(at), float(value)) for at, value in found["values"]]
        lines.append((re.sub(r"{{\w+}}", "", name).strip() or "none", points))
    return sorted(lines, key=lambda line: -max((value for _, value in line[1] if math.isfinite(value)), default=0))


def chart(panel: Panel, lines: Series, start: float, end: float) -> str:
    """Draw one panel at its own origin."""
    top = max((v for _, points in lines for _, v in points if math.isfinite(v)), default=0) or 1
    shown = f"{top:.0%}" if panel.unit == "percentunit" else f"{top:.3g}{' s' if panel.unit == 's' else ''}"
    parts = [f'<rect width="{W - 10}" height="{H - 10}" rx="4" fill="#fff" stroke="#ddd"/>',
             f'<text x="10" y="18" font-weight="bold">{html.escape(panel.title)}</text>',
             f'<text x="10" y="{PAD + 8}" fill="#777">{shown}</text>',
             f'<path d="M10 {H - 55}H{W - 20}" stroke="#ccc"/>']  # fmt: skip
    for number, (name, points) in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        path = _path([(at, v) for at, v in points if math.isfinite(v)], start, end, top)
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        if number < MOST:
            x, y = 10 + number % 3 * 128, H - 36 + number // 3 * 15
            parts.append(f'<text x="{x}" y="{y}" fill="{colour}" font-size="10">{html.escape(name[:20])}</text>')
    if not lines:
        parts.append(f'<text x="{W / 2 - 25}" y="{H / 2}" fill="#999">nothing</text>')
    return "".join(parts)


def _path(points: list[tuple[float, float]], start: float, end: float, top: float) -> str:
    """Return the line; a gap of more than two scrapes breaks it."""
    steps, before = [], float("-inf")
    for at, value in points:
        x = 10 + (at - start) / (end - start) * (W - 30)
        y = H - 55 - value / top * (H - 55 - PAD)
        steps.append(f"{'L' if at - before <= 2 * SCRAPE else 'M'}{x:.1f} {y:.1f}")
        before = at
    return "".join(steps)


def main() -> None:
    """Play, ask, draw."""
    local = LocalSettings.load()
    onboard.main()
    with Simulator() as simulator, tempfile.TemporaryDirectory() as folder:
        cluster, port = simulated_cluster(local, simulator), free_port()
        cluster.open()
        settings = {"STOKER_METRICS_PORT": str(port), "STOKER_BIND_ADDRESS": "127.0.0.1"}
        operator = OperatorProcess(local, f"{folder}/operator.log", **settings)
        operator.start()
        try:
            with prometheus(local, port, folder) as url:
                wait_until("Prometheus", lambda: _is_up(url))
                start = time.time()
                play(cluster)
                end = time.time()
                drawn = [chart(panel, ask(url, panel, start, end), start, end) for panel in PANELS]
        finally:
            operator.stop()
            cluster.close()
    _write(drawn)


def _write(charts: list[str]) -> None:
    rows = math.ceil(len(charts) / COLUMNS)
    placed = [
        f'<g transform="translate({n % COLUMNS * W + 10} {n // COLUMNS * H + 10})">{one}</g>'
        for n, one in enumerate(charts)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * W + 10} {rows * H + 10}" font-family="sans-serif" font-size="12">'
    PICTURE.write_text("\n".join([head, '<rect width="100%" height="100%" fill="#f4f5f7"/>', *placed, "</svg>"]) + "\n")


def _is_up(url: str) -> bool:
    try:
        found = requests.get(f"{url}/api/v1/query", params={"query": "stoker_leader == 1"}, timeout=5)
    except requests.ConnectionError:
        return False
    return bool(found.ok and found.json()["data"]["result"])


if __name__ == "__main__":
    main()
