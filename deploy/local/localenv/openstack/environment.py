"""The commands of the OpenStack half: `up`, `down`, `status`, `snapshot` and `reset`."""

from __future__ import annotations

import time

from localenv.process import say
from localenv.settings import LocalSettings

from . import services
from .configure import configure
from .credentials import write_credentials, write_openstack_command
from .install import install
from .layout import SERVICES, TRUSTS, Layout
from .schema import create_databases
from .seed_cloud import seed_cloud
from .seed_identity import seed_identity
from .snapshots import restore_snapshot, take_snapshot


def up(settings: LocalSettings) -> None:
    """Install, configure, start and fill OpenStack; whatever is done already is left alone.

    Raises SystemExit with a message for the user when a step fails; the next `up` continues from there.
    """
    layout, begun = Layout(settings), time.monotonic()
    _require_same_origin(layout)
    services.require_ports(layout, *SERVICES)
    install(layout)
    passwords = configure(layout)
    write_openstack_command(layout)
    if layout.seeded.exists():
        _start_all(layout, passwords)
    else:
        _first_start(layout, passwords)
    say(f"OpenStack: up after {time.monotonic() - begun:.0f} s; Keystone at {settings.url('KEYSTONE', '/v3')}")


def down(settings: LocalSettings) -> None:
    """Stop the services; their data stays."""
    services.stop_all(Layout(settings))


def status(settings: LocalSettings) -> bool:
    """Say which services answer; return whether all of them do."""
    layout, healthy = Layout(settings), True
    for name in SERVICES:
        process = layout.process(name)
        pid = process.pid()
        answering = pid is not None and services.answers(layout, name)
        state = f"running, pid {pid}" if answering else f"pid {pid} does not answer" if pid else "not running"
        say(f"{name}: {state}; log {process.log}")
        healthy = healthy and answering
    if trusts := layout.process(TRUSTS).pid():
        say(f"{TRUSTS}: running on demand, pid {trusts}")
    return healthy and layout.seeded.exists()


def snapshot(settings: LocalSettings) -> None:
    """Keep the present state for `reset`; take it while no stack is in progress."""
    layout = Layout(settings)
    _require_seed(layout)
    take_snapshot(layout)
    say(f"OpenStack: snapshot in {layout.snapshot}")


def reset(settings: LocalSettings) -> None:
    """Go back to the snapshot, which the first `up` takes by itself."""
    layout = Layout(settings)
    _require_seed(layout)
    services.stop_all(layout)
    restore_snapshot(layout)
    up(settings)


def _first_start(layout: Layout, passwords: dict[str, str]) -> None:
    """Begin with empty databases and fill them.

    The seed is not repeatable, and need not be: one that was broken off leaves no marker, so it begins here again.
    """
    services.stop_all(layout)
    create_databases(layout)
    say("OpenStack: starting the services")
    services.start(layout, "keystone", passwords)
    services.wait(layout, "keystone")
    # The others import their code while Keystone is being filled; Nova waits for its user by itself.
    for name in SERVICES:
        services.start(layout, name, passwords)
    seed_identity(layout.settings, passwords)
    for name in SERVICES:
        services.wait(layout, name)
    say("OpenStack: creating flavors, images, networks and the teams' credentials")
    write_credentials(layout, passwords, seed_cloud(layout.settings, passwords))
    take_snapshot(layout)
    layout.seeded.write_text(layout.origin)


def _start_all(layout: Layout, passwords: dict[str, str]) -> None:
    """Start what does not run, and wait until everything answers."""
    missing = [name for name in SERVICES if layout.process(name).pid() is None]
    if missing:
        say(f"OpenStack: starting {', '.join(missing)}")
    for name in missing:
        services.start(layout, name, passwords)
    for name in SERVICES:
        services.wait(layout, name)


def _require_same_origin(layout: Layout) -> None:
    """Refuse databases that other versions or other ports have made: nothing here migrates them."""
    if layout.seeded.exists() and layout.seeded.read_text() != layout.origin:
        raise SystemExit(
            f"OpenStack: the contents of {layout.state} were made with other versions or ports; "
            "run `env.py clean openstack` first, or name another STOKER_LOCAL_DIR"
        )


def _require_seed(layout: Layout) -> None:
    if not layout.seeded.exists():
        raise SystemExit("OpenStack: nothing is seeded yet; run `up` first")
