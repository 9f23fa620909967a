"""`kubectl osvm`: arguments → one command. 0 when all is well, 1 when the answer is no, 2 when the question was wrong."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence

from stoker import __version__
from stoker.api.virtualmachine import Phase
from stoker.client import Client, StokerError
from stoker.osvm import catalog, commands
from stoker.osvm.commands import Command, Session
from stoker.osvm.output import FORMATS
from stoker.osvm.screen import Screen

MANAGER = "kubectl-osvm"
"""Our field manager: who wrote a field can be told from kubectl, Helm and GitOps tools."""

COMMANDS: dict[str, Command] = {
    "list": commands.list_,
    "get": commands.get,
    "describe": commands.describe,
    "events": commands.events,
    "start": commands.start,
    "stop": commands.stop,
    "restart": commands.restart,
    "retry": commands.retry,
    "delete": commands.delete,
    "plan": commands.plan,
    "adopt": commands.adopt,
    "orphans": catalog.orphans,
    "images": catalog.images,
    "flavors": catalog.flavors,
    "templates": catalog.templates,
    "audit": catalog.audit,
    "check": catalog.check,
}

ACTIONS = ("start", "stop", "restart", "retry", "delete", "adopt")
"""Commands that change something, and can be waited for."""

NAMED = ("get", "describe", "start", "stop", "restart", "retry", "delete")
"""Commands on one or more VMs by name."""


def main(arguments: Sequence[str] | None = None, screen: Screen | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    screen = screen or Screen.standard()
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings of repeated requests are no user's concern
    try:
        with Client(
            options.namespace, kubeconfig=options.kubeconfig, context=options.context, field_manager=MANAGER
        ) as client:
            code = COMMANDS[options.command](Session(client, screen, options))
            screen.out.file.flush()
            return code
    except StokerError as error:
        screen.say(f"kubectl osvm: {error.code}: {error}")
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has enough, as `head` has
        return 0
    except (ValueError, OSError) as error:
        screen.say(f"kubectl osvm: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of everything; the completion reads it as well."""
    top = argparse.ArgumentParser(prog="kubectl osvm", description="Virtual machines: one Heat stack each.")
    top.add_argument("--version", action="version", version=__version__)
    subs = top.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, function in COMMANDS.items():
        text = (function.__doc__ or "").split("\n", maxsplit=1)[0]
        _arguments(name, subs.add_parser(name, help=text, description=text))
    return top


def _arguments(name: str, sub: argparse.ArgumentParser) -> None:
    """Give a command its arguments: the login's, which VMs, how to show or wait, and its own."""
    sub.add_argument("-n", "--namespace", help="the context's by default")
    sub.add_argument("--context", help="context of the kubeconfig")
    sub.add_argument("--kubeconfig", help="file to log in with; KUBECONFIG or the default one otherwise")
    if name in NAMED:
        sub.add_argument("names", nargs="+", metavar="VM")
    if name in ACTIONS:
        sub.add_argument("--wait", action="store_true", help="show what happens until it is done; 1 when it fails")
        sub.add_argument("--timeout", type=float, default=900.0, metavar="SECONDS", help="longest wait for a VM (900)")
    elif name != "describe":
        forms = FORMATS if name in ("list", "get") else ("json", "yaml")
        sub.add_argument("-o", "--output", choices=forms, help="another form than a table")
    if name in ("list", "images", "flavors"):
        sub.add_argument("-A", "--all-namespaces", action="store_true", help="in every namespace")
    if name in _OWN:
        _OWN[name](sub)


def _list(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("-l", "--selector", help="labels, for example app=web")
    for field in ("template", "image", "flavor"):
        sub.add_argument(f"--{field}", help=f"only VMs of this {field}")
    sub.add_argument("--phase", choices=[phase.value for phase in Phase], help="only VMs in this phase")


def _adopt(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("name", nargs="?", metavar="VM", help="the VM; may be left out when the file has one")
    sub.add_argument("--stack", required=True, help="id of the stack in the Tenant's project")
    sub.add_argument("-f", "--file", help="manifest of the VM, which is made; else it exists and has no stack yet")


_OWN: dict[str, Callable[[argparse.ArgumentParser], object]] = {
    "list": _list,
    "adopt": _adopt,
    "plan": lambda sub: sub.add_argument("-f", "--file", required=True, help="the edited manifests; - for stdin"),
    "events": lambda sub: sub.add_argument("names", nargs=1, metavar="VM"),
    "audit": lambda sub: sub.add_argument("names", nargs="*", metavar="VM", help="only this VM's"),
}
"""Command → what gives it the arguments that no other has."""


if __name__ == "__main__":
    sys.exit(main())
