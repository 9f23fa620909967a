"""A Kubernetes of a test's own, with nothing of Stoker in it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from localenv import kubernetes
from localenv.settings import HOST, LocalSettings


def free_ports(*names: str) -> dict[str, int]:
    """Return a port for each name that nobody listened on just now."""
    sockets = [socket.socket() for _ in names]
    for probe in sockets:
        probe.bind((HOST, 0))
    ports = {name: int(probe.getsockname()[1]) for name, probe in zip(names, sockets, strict=True)}
    for probe in sockets:
        probe.close()
    return ports


@contextmanager
def fresh_kubernetes(state: Path) -> Iterator[LocalSettings]:
    """Run one as long as the context lasts, with its state there."""
    ours = LocalSettings.load()
    ports = {**ours.ports, **free_ports("ETCD", "ETCD_PEER", "KUBERNETES", "CONTROLLER_MANAGER")}
    settings = replace(ours, state=state, ports=ports)
    try:
        kubernetes.start(settings)
        yield settings
    finally:
        kubernetes.down(settings)
