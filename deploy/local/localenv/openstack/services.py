"""Start and stop the services' processes, and tell whether each answers."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

from localenv.process import require_free, say, wait_for
from localenv.settings import HOST

from .layout import SERVICES, SOURCES, STOP_ORDER, TRUSTS, Layout

READY_TIMEOUT = 240.0
"""Longest wait for a service, seconds. All together take 20 s on two idle processors; builds may run next to them."""

ANSWER_TIMEOUT = 20.0
"""Longest wait for one answer, seconds."""

RELEASE_TIMEOUT = 5.0
"""Longest wait for a stopped service's port to become free, seconds."""


def start(layout: Layout, name: str, passwords: dict[str, str]) -> None:
    """Start a service unless it runs; do not wait for it.

    Raises SystemExit naming the variable when another program has one of its ports.
    """
    require_ports(layout, name)
    command = [str(layout.python), "-W", "ignore", str(SOURCES / "service.py"), name]
    layout.process(name).start(command, env={**layout.environment(), **_extra(layout, name, passwords)})


def require_ports(layout: Layout, *names: str) -> None:
    """Check that nobody else has the ports of those services that do not run.

    Raises SystemExit naming the port and the variable that moves it.
    """
    for name in names:
        if layout.process(name).pid() is None:
            require_free(layout.settings, *ports(name))


def wait(layout: Layout, name: str) -> None:
    """Wait until all APIs of a service answer.

    Raises SystemExit with the end of its log when it dies or takes too long.
    """
    layout.process(name).wait_ready(lambda: answers(layout, name), READY_TIMEOUT)


def answers(layout: Layout, name: str) -> bool:
    """Return whether all APIs of a service answer."""
    return all(_answers(layout.settings.url(port, "/")) for port in ports(name))


def ports(name: str) -> tuple[str, ...]:
    """Return the names of a service's ports in the settings."""
    return SERVICES.get(name, ("HEAT_TRUSTS",))


def stop_all(layout: Layout) -> None:
    """Stop every service that runs."""
    for name in STOP_ORDER:
        if layout.process(name).pid() is not None:
            say(f"OpenStack: stopping {name}")
        stop(layout, name)


def stop(layout: Layout, name: str) -> None:
    """Stop a service, and wait until its ports are free.

    The kernel shows a process with many threads as ended a moment before the last of them lets go of the sockets.
    """
    layout.process(name).stop()
    wait_for(lambda: not any(_listening(layout.settings.ports[port]) for port in ports(name)), RELEASE_TIMEOUT)


def _extra(layout: Layout, name: str, passwords: dict[str, str]) -> dict[str, str]:
    """Return the variables only one service gets; no other process can read its environment's secret."""
    if name == "keystone":
        return {"STOKER_ADMIN_PASSWORD": passwords["admin"]}
    if name == "nova":
        return {"STOKER_SERVICE_PASSWORD": passwords["service"]}
    if name in ("heat", TRUSTS):
        return {"STOKER_HEAT_NAME": name, "STOKER_HEAT_CONFIG": str(layout.etc / f"{name}.conf")}
    return {}


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _answers(url: str) -> bool:
    """Return whether anything but a server error comes back; OpenStack lists its versions with 200 or 300."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=ANSWER_TIMEOUT):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False
