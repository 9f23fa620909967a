#!/usr/bin/env python3
"""The local environment's command: a real Kubernetes control plane and a real OpenStack, without containers.

    python3 deploy/local/env.py up|down|status|reset|snapshot|clean [kubernetes|openstack|second]

With no half named, both work side by side. `second` is a second Kubernetes on the same OpenStack, for tests that run
side by side; it stops with the rest. Needs Python 3.11 and nothing else; see README.md next to this file.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
import shutil
import sys
import threading
import traceback
from collections.abc import Sequence

from localenv.access import Access
from localenv.process import locked, say
from localenv.settings import KUBERNETES_PORTS, PORTS, LocalSettings

HALVES = ("kubernetes", "openstack")
SECOND = "second"

COMMANDS = {
    "up": "start what does not run, and bring its contents up to date",
    "down": "stop the processes; the data stays",
    "status": "say what runs; exit code 1 unless everything does",
    "reset": "go back to a fresh cluster and to OpenStack's snapshot",
    "snapshot": "keep OpenStack's present state for `reset`",
    "clean": "stop the processes and remove all state; the cache stays",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command on one half or on both; return the exit code."""
    parser = argparse.ArgumentParser(
        description="A real Kubernetes control plane and a real OpenStack, without containers.",
        epilog="\n".join(f"{name:<9} {meaning}" for name, meaning in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("half", nargs="?", choices=(*HALVES, SECOND), help="default: both, side by side")
    options = parser.parse_args(arguments)
    settings = LocalSettings.load()
    halves = (options.half,) if options.half else HALVES
    if not options.half and options.command in ("down", "clean") and settings.second().state.exists():
        halves = (*HALVES, SECOND)
    if options.command == "clean":
        return clean(settings, halves)
    succeeded = run_halves(options.command, halves, settings)
    if options.command in ("up", "reset"):
        write_environment(settings.second() if options.half == SECOND else settings)
    return 0 if succeeded else 1


def run_halves(command: str, halves: Sequence[str], settings: LocalSettings) -> bool:
    """Run a command on the halves side by side; return whether all of them succeeded."""
    results: dict[str, bool] = {}

    def work(half: str) -> None:
        results[half] = run_half(command, half, settings)

    # Daemons, so that an interrupt ends the command at once; `up` continues where it was broken off.
    threads = [threading.Thread(target=work, args=(half,), name=half, daemon=True) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return all(results.get(half, False) for half in halves)


def run_half(command: str, half: str, settings: LocalSettings) -> bool:
    """Run a command on one half; say what went wrong and return False when it fails.

    A SystemExit is a message for the user. In a thread it would vanish without a word, so it ends here.
    """
    try:
        if half == SECOND:
            settings, half = share_openstack(settings, settings.second()), "kubernetes"
        module = importlib.import_module(f"localenv.{half}")
        if command == "status":  # only looks, so it need not wait for a long `up`
            return module.status(settings) is not False
        with locked(settings.state / f"{half}.lock", f"another command works on {half}; waiting for it"):
            return getattr(module, command)(settings) is not False
    except SystemExit as error:
        say(str(error))
    except Exception:  # noqa: BLE001 - one half's trouble must not hide what becomes of the other
        say(traceback.format_exc())
    return False


def share_openstack(settings: LocalSettings, second: LocalSettings) -> LocalSettings:
    """Let a second environment see the first one's OpenStack: its clouds, its state, its processes and access logs."""
    services = [name.lower().replace("_", "-") for name in PORTS if name not in KUBERNETES_PORTS]
    of_services = [name for service in services for name in (f"pid/{service}.json", f"log/access-{service}.jsonl")]
    for name in ("clouds.yaml", "openstack", "bin/openstack", *of_services):
        link = second.state / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(settings.state / name)
    return second


def clean(settings: LocalSettings, halves: Sequence[str]) -> int:
    """Stop the halves; once both are down, remove the whole state."""
    if not run_halves("down", halves, settings):
        return 1
    if set(halves) >= set(HALVES):
        shutil.rmtree(settings.state, ignore_errors=True)
        say(f"removed {settings.state}")
    else:
        shutil.rmtree(settings.state / halves[0], ignore_errors=True)
        say(f"removed {settings.state / halves[0]}")
    return 0


def write_environment(settings: LocalSettings) -> None:
    """Write `env`, a file for the shell to source."""
    exports = {
        "KUBECONFIG": shlex.quote(str(Access(settings).kubeconfig())),
        "OS_CLIENT_CONFIG_FILE": shlex.quote(str(settings.state / "clouds.yaml")),
        "PATH": f'{shlex.quote(str(settings.state / "bin"))}:"$PATH"',
    }
    path = settings.state / "env"
    path.write_text("".join(f"export {name}={value}\n" for name, value in exports.items()))
    say(f"for your shell: . {path}")


if __name__ == "__main__":
    sys.exit(main())
