"""`python -m simulator`: the simulator alone, until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal

from simulator.control import Control
from simulator.local import start


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="stoker-sim", description="An OpenStack that obeys, over HTTP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=15050, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--project", action="append", default=[], help="make this project at once; may be repeated")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long each action of a stack takes")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    control = Control()
    control.settings(seconds=dict.fromkeys(("create", "update", "delete"), arguments.seconds))
    runner = await start(control, arguments.host, arguments.port)
    url = f"http://{arguments.host}:{runner.addresses[0][1]}"
    projects = [control.add_project(name) for name in arguments.project]
    known = {"auth_url": f"{url}/identity/v3", "control": f"{url}/_sim", "projects": projects}
    print(json.dumps(known), flush=True)  # noqa: T201 -- what a script that starts it reads
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    control.heal()
    await runner.cleanup()


if __name__ == "__main__":
    main()
