"""The command `stoker`: arguments → one call. Data goes to standard output, talk to standard error; 0, 1 or 2."""

from __future__ import annotations

import argparse
import ctypes
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from stoker import __version__, logs
from stoker.settings import Settings

M_ARENA_MAX = -8
"""Of mallopt(3)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings.load()
        return int(options.command(options, settings))
    except (ValueError, OSError) as error:
        print(f"stoker: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stoker", description="One OpenStack Heat stack for every VirtualMachine.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        return sub

    command("run", _run, "Run the operator (settings: environment variables STOKER_…).")
    command("crds", _crds, "Write the CustomResourceDefinitions.").add_argument(
        "--output", type=Path, help="folder to write one file for each kind into; standard output otherwise"
    )
    templates = command("templates", _templates, "Print VirtualMachineTemplate objects for template files.")
    templates.add_argument(
        "files", nargs="*", type=Path, help="files named <family>@v<N>.yaml; heat_templates/*.yaml by default"
    )
    render = command("render", _render, "Print the HOT template and the parameters of a manifest, without a cloud.")
    render.add_argument("file", type=Path, help="a VirtualMachine manifest")
    render.add_argument("--templates", type=Path, default=Path("heat_templates"), help="folder of the template files")
    render.add_argument(
        "--network", default="private", help="network of the profile (the cluster's Tenant is not asked)"
    )
    render.add_argument("--external-network", default="public", help="external network of the profile")
    command("check", _check, "Say what would fail: settings, CRDs, rights, clouds, tenants' credentials, templates.")
    _audit_parser(command("audit", None, "Verify, show or export the audit of this replica."))
    return parser


def _audit_parser(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        sub.add_argument(
            "paths", nargs="*", type=Path, metavar="FILE|DIR", help="a chain's folder, or files; else STOKER_AUDIT_DIR"
        )
        return sub

    verify = command("verify", _audit_verify, "Say whether a chain is as it was written; exit code 1 when it is not.")
    anchors = verify.add_mutually_exclusive_group()
    anchors.add_argument("--anchor", type=Path, help="the ConfigMap stoker-audit-…, saved as JSON or YAML")
    anchors.add_argument("--cluster", action="store_true", help="read that ConfigMap from the cluster")
    tail = command("tail", _audit_tail, "Show the newest records.")
    tail.add_argument("-n", dest="count", type=int, default=10, help="how many (10)")
    export = command("export", _audit_export, "Print records for other programs.")
    export.add_argument("--since", help="first time, e.g. 2026-01-31 or 2026-01-31T12:00:00Z; UTC without a zone")
    export.add_argument("--until", help="time before which it ends")
    export.add_argument("--format", choices=("json", "csv"), default="json", help="JSON Lines (default) or CSV")


def _few_arenas() -> None:
    """Have the threads share two arenas of glibc: with one for each, a fifth of the memory was free and never given back."""
    with suppress(AttributeError, OSError):  # another C library has none
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def _run(_options: argparse.Namespace, settings: Settings) -> int:
    _few_arenas()
    from stoker import app  # noqa: PLC0415 -- kopf costs memory that most commands do not need
    from stoker.access import find_access  # noqa: PLC0415

    logs.set_up(settings.log_level)
    return app.main(settings, find_access())


def _crds(options: argparse.Namespace, _settings: Settings) -> int:
    from stoker.api.crd import crds  # noqa: PLC0415

    for name, text in crds().items():
        if options.output:
            options.output.mkdir(parents=True, exist_ok=True)
            (options.output / name).write_text(text)
        else:
            print(f"---\n{text}", end="")
    return 0


def _templates(options: argparse.Namespace, _settings: Settings) -> int:
    from stoker.core.templates import template_object  # noqa: PLC0415

    files = options.files or sorted(Path("heat_templates").glob("*@v*.yaml"))
    if not files:
        raise ValueError("no template files: name some, or run this where heat_templates/ is")
    for file in files:
        print("---")
        print(yaml.safe_dump(template_object(file.name, file.read_text()), sort_keys=False), end="")
    return 0


def _render(options: argparse.Namespace, _settings: Settings) -> int:
    from stoker.render import render  # noqa: PLC0415

    print(render(options.file, options.templates, options.network, options.external_network), end="")
    return 0


def _check(_options: argparse.Namespace, settings: Settings) -> int:
    from stoker import check  # noqa: PLC0415
    from stoker.access import find_access  # noqa: PLC0415

    logs.set_up("WARNING")
    return check.main(settings, find_access())


def _audit_paths(options: argparse.Namespace, settings: Settings) -> list[Path]:
    return options.paths or [Path(text) for text in [settings.audit_dir] if text]


def _audit_verify(options: argparse.Namespace, settings: Settings) -> int:
    from stoker import audit_commands as audit  # noqa: PLC0415

    paths, anchors = _audit_paths(options, settings), None
    if options.anchor:
        anchors = audit.anchors_in(options.anchor)
    elif options.cluster:
        from stoker.access import find_access  # noqa: PLC0415

        anchors = audit.anchors_in_cluster(paths, find_access(), settings.namespace, settings.replica)
    return audit.run_verify(paths, anchors)


def _audit_tail(options: argparse.Namespace, settings: Settings) -> int:
    from stoker import audit_commands as audit  # noqa: PLC0415

    return audit.run_tail(_audit_paths(options, settings), options.count)


def _audit_export(options: argparse.Namespace, settings: Settings) -> int:
    from stoker import audit_commands as audit  # noqa: PLC0415

    return audit.run_export(_audit_paths(options, settings), options.since, options.until, options.format)
