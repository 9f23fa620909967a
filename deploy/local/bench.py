#!/usr/bin/env python3
"""Measure Stoker, on the real services beside Heat alone and then on the simulator: `make bench`.

Everything is printed with the bound that it is to hold; what compares two things does so as a ratio of one run.
`make bench ARGS='simulator --vms 1000'` measures a part.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

import onboard
from benchmark import failover, real, settled, simulated
from benchmark.figures import FAILOVER, RESTART, RUNS, Column, missed, table
from localenv.process import say
from localenv.settings import LocalSettings


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", nargs="?", choices=["real", "simulator", "both"], default="both")
    parser.add_argument("--rounds", type=int, default=3, help="turns of Heat alone and Stoker (default: %(default)s)")
    parser.add_argument("--real-vms", type=int, nargs="*", default=[1, 20], help="default: 1 20")
    parser.add_argument("--vms", type=int, nargs="*", default=[1, 100, 1000], help="default: 1 100 1000")
    parser.add_argument("--rest", type=float, default=180.0, help="seconds at rest (default: %(default)s)")
    parser.add_argument(
        "--settled", type=int, default=10_000, help="VMs of the restart; 0: none (default: %(default)s)"
    )
    parser.add_argument("--projects", type=int, default=10, help="their projects (default: %(default)s)")
    parser.add_argument("--failovers", type=int, default=5, help="kills, and clean stops; default: %(default)s")
    return parser.parse_args()


async def measure(settings: LocalSettings, options: argparse.Namespace) -> int:
    """Measure what was asked for, and print it."""
    runs: list[Column] = []
    restarts: list[Column] = []
    failovers: list[Column] = []
    if options.where != "simulator":
        onboard.main()
        runs += await real.rounds(settings, options.real_vms, options.rounds)
    if options.where != "real":
        onboard.apply(settings, onboard.templates())
        if options.vms:
            runs += await simulated.bursts(settings, options.vms, options.rest)
        if options.settled:
            restarts.append(await settled.restart(settings, options.settled, options.projects))
        if options.failovers:
            failovers += await failover.rounds(settings, options.failovers)
    measured = ((RUNS, runs), (RESTART, restarts), (FAILOVER, failovers))
    for rows, columns in measured:
        if columns:
            print(f"\n{table(rows, columns)}")
    for rows, columns in measured:
        for sentence in missed(rows, columns):
            print(f"missed: {sentence}")
    return 0


def main() -> int:
    """Run the benchmark with an operator of its own."""
    options = arguments()
    settings = LocalSettings.load()
    os.environ["KUBECONFIG"] = str(settings.state / "kubeconfig")
    say(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    return asyncio.run(measure(settings, options))


if __name__ == "__main__":
    sys.exit(main())
