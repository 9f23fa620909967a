"""Create the databases, empty of contents; keep them in the cache, since the migrations take most of a first start."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from localenv.process import run, say

from .layout import DATABASES, SOURCES, Layout, digest


def create_databases(layout: Layout) -> None:
    """Put databases with schema and without contents in place of whatever is there."""
    cached = _cached(layout)
    if not cached.exists():
        say("OpenStack: creating the database schemas (the first time only)")
        _migrate(layout)
        building = cached.with_name(f".{cached.name}.new")
        shutil.rmtree(building, ignore_errors=True)
        copy_databases(layout.databases, building)
        cached.parent.mkdir(parents=True, exist_ok=True)
        building.rename(cached)
    replace_databases(layout, cached)
    _move_cells(layout)


def copy_databases(source: Path, target: Path) -> None:
    """Copy all databases of a folder, each at one instant, also while services use them."""
    target.mkdir(parents=True, exist_ok=True)
    for name in DATABASES:
        _backup(source / f"{name}.sqlite", target / f"{name}.sqlite")


def replace_databases(layout: Layout, source: Path) -> None:
    """Put copies of the databases of a folder in place; the services must be down."""
    shutil.rmtree(layout.databases, ignore_errors=True)
    layout.databases.mkdir(parents=True)
    for name in DATABASES:
        shutil.copy(source / f"{name}.sqlite", layout.databases)


def _backup(source: Path, target: Path) -> None:
    """Copy one database through SQLite, which includes what is still in its write-ahead log."""
    reader, writer = sqlite3.connect(source, timeout=60), sqlite3.connect(target)
    try:
        reader.backup(writer)
        # Kept in the file, so it holds for every later process: readers and a writer do not block each other.
        writer.execute("pragma journal_mode=wal")
    finally:
        writer.close()
        reader.close()


def _migrate(layout: Layout) -> None:
    """Run every service's migrations, side by side."""
    shutil.rmtree(layout.databases, ignore_errors=True)
    layout.databases.mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda command: run(command, env=layout.environment()), _commands(layout)):
            pass
    shutil.copy(layout.databases / "heat.sqlite", layout.databases / "heat_trusts.sqlite")


def _commands(layout: Layout) -> list[Sequence[str]]:
    """Return the migration command of each service, the slow ones first."""
    python, script = [str(layout.python), "-W", "ignore"], str(SOURCES / "schema.py")

    def manage(service: str, file: str, *command: str) -> list[str]:
        return [
            *python,
            str(layout.venv / "bin" / f"{service}-manage"),
            "--config-file",
            str(layout.etc / file),
            *command,
        ]

    return [
        [*python, script, "nova", str(layout.etc / "nova.conf")],
        manage("heat", "heat.conf", "db_sync"),
        manage("cinder", "cinder.conf", "db", "sync"),
        manage("keystone", "keystone.conf", "db_sync"),
        manage("glance", "glance-api.conf", "db_sync"),
        [*python, script, "neutron", str(layout.etc / "neutron.conf")],
        manage("placement", "placement.conf", "db", "sync"),
    ]


def _move_cells(layout: Layout) -> None:
    """Tell Nova where its cells are: their mapping holds the path of the environment that made the cached schema."""
    with sqlite3.connect(layout.databases / "nova_api.sqlite") as connection:
        for cell in ("cell0", "cell1"):
            url = layout.database_url(f"nova_{cell}")
            connection.execute("update cell_mappings set database_connection = ? where name = ?", (url, cell))
    connection.close()


def _cached(layout: Layout) -> Path:
    """Return the folder of the schemas in the cache, named after everything that decides about them."""
    files = [SOURCES / "requirements.lock", SOURCES / "schema.py", Path(__file__)]
    return layout.settings.cache / "openstack-schemas" / digest(*files)
