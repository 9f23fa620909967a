"""`kubectl_complete-osvm`: what kubectl asks when somebody presses Tab after `kubectl osvm …`.

The last argument is the word to complete. The answer is a word a line, then how the shell shall go on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from stoker.client import Client, StokerError
from stoker.osvm.main import NAMED, parser

FILES, NO_FILES = 0, 4
"""Cobra's directives: complete names of files, or nothing else."""

PATIENCE = 2.0
"""Longest wait for the API server, seconds: somebody waits at the keyboard."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the words that may come; never an error, which would spoil the prompt."""
    words, directive = complete(list(sys.argv[1:] if arguments is None else arguments))
    for word in words:
        print(word)
    print(f":{directive}")
    return 0


def complete(given: list[str]) -> tuple[list[str], int]:
    """Return the words that may come next, and the directive."""
    *before, last = given or [""]
    subs = _subcommands()
    command = next((word for word in before if word in subs), None)
    if command is None:
        helps = {action.dest: action.help for action in _choices(parser())}
        return [f"{name}\t{helps.get(name) or ''}" for name in subs if name.startswith(last)], NO_FILES
    options = {word: action for action in subs[command]._actions for word in action.option_strings}  # noqa: SLF001 -- argparse has no other way
    asked = options.get(before[-1])
    if asked is not None and asked.nargs != 0:
        if asked.dest in ("file", "kubeconfig"):
            return [], FILES
        return [word for word in map(str, asked.choices or ()) if word.startswith(last)], NO_FILES
    if last.startswith("-"):
        return [word for word in options if word.startswith(last)], NO_FILES
    if command in (*NAMED, "events", "audit", "adopt"):
        return [name for name in _vms(before) if name.startswith(last) and name not in before], NO_FILES
    return [], NO_FILES


def _choices(top: argparse.ArgumentParser) -> list[argparse.Action]:
    (subs,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001
    return list(subs._choices_actions)  # noqa: SLF001


def _subcommands() -> dict[str, argparse.ArgumentParser]:
    (subs,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001
    return dict(subs.choices)


def _vms(before: list[str]) -> list[str]:
    """Return the names of the namespace's VMs, or nothing when they cannot be had."""
    options = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    options.add_argument("-n", "--namespace")
    options.add_argument("--context")
    options.add_argument("--kubeconfig")
    try:
        known, _ = options.parse_known_args(before)
        with Client(known.namespace, kubeconfig=known.kubeconfig, context=known.context, timeout=PATIENCE) as client:
            return [vm["metadata"]["name"] for vm in client.vm_objects()]
    except (StokerError, argparse.ArgumentError):
        return []
