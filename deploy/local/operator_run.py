#!/usr/bin/env python3
"""Run the operator in the foreground against the local environment, as its service account: `make run`."""

from __future__ import annotations

import os
import sys

import onboard
from localenv.settings import HOST, LocalSettings


def environment(settings: LocalSettings) -> dict[str, str]:
    """Return the operator's environment: its own kubeconfig, loopback ports, short pauses for one machine."""
    return {
        **os.environ,
        "KUBECONFIG": str(settings.state / "kubeconfig-operator"),
        "STOKER_BIND_ADDRESS": HOST,
        "STOKER_AUDIT_DIR": os.environ.get("STOKER_AUDIT_DIR", str(settings.state / "audit")),
        "STOKER_REST_SECONDS": os.environ.get("STOKER_REST_SECONDS", "10"),
    }


def main() -> int:
    """Onboard the teams, then become the operator."""
    onboard.main()
    os.execve(sys.executable, [sys.executable, "-m", "stoker", "run"], environment(LocalSettings.load()))  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
