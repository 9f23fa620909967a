"""Keep the state of all services, and go back to it."""

from __future__ import annotations

import shutil

from .layout import Layout
from .schema import copy_databases, replace_databases


def take_snapshot(layout: Layout) -> None:
    """Replace the snapshot by the present state.

    The services may run. Each database is copied at one instant, but not all at the same one: take it when no
    stack is in progress.
    """
    building = layout.snapshot.with_name("snapshot.new")
    shutil.rmtree(building, ignore_errors=True)
    copy_databases(layout.databases, building / "db")
    shutil.copytree(layout.state / "images", building / "images")
    shutil.rmtree(layout.snapshot, ignore_errors=True)
    building.rename(layout.snapshot)


def restore_snapshot(layout: Layout) -> None:
    """Put the snapshot's databases and images in place; the services must be down.

    Secrets, keys and Nova's `compute_id` are not in the snapshot: they stay the same for the environment's life, and
    the databases refer to them.
    """
    replace_databases(layout, layout.snapshot / "db")
    shutil.rmtree(layout.state / "images", ignore_errors=True)
    shutil.copytree(layout.snapshot / "images", layout.state / "images")
