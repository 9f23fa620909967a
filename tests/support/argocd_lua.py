"""Lua scripts as Argo CD runs them: Lua 5.1, `base` and `table`, and of `os` the date alone, which always is `WHEN`.

The real one is gopher-lua behind argo-cd's util/lua; `make gitops` runs the same scripts in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lupa import lua51

from support.gitops_states import WHEN

FORBIDDEN = ("io", "debug", "string", "math", "coroutine", "python", "dofile", "loadfile")


def run(script: Path, resource: dict[str, Any]) -> Any:
    """Return what a script returns for an object, as Python's own values."""
    engine = lua51.LuaRuntime(register_eval=False)
    safe = engine.table_from({"date": lambda _form: WHEN})
    names = engine.globals()
    for name in FORBIDDEN:
        names[name] = None
    names["os"] = None
    names["require"] = {"os": safe}.__getitem__
    names["obj"] = engine.table_from(resource, recursive=True)
    return _plain(engine.execute(script.read_text()))


def health(script: Path, resource: dict[str, Any]) -> dict[str, str]:
    """Return the health of an object; of one that is being deleted Argo CD asks no script (gitops-engine, health.go)."""
    if "deletionTimestamp" in resource["metadata"]:
        return {"status": "Progressing", "message": "Pending deletion"}
    found: dict[str, str] = run(script, resource)
    return found


def _plain(value: Any) -> Any:
    """Return a table as a list if its keys count from one, else as a dict. An empty one is a dict, as for Argo CD."""
    if lua51.lua_type(value) != "table":
        return value
    content = {key: _plain(part) for key, part in value.items()}
    return list(content.values()) if content and list(content) == list(range(1, len(content) + 1)) else content
