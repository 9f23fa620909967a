"""Programs of other people, built from a module of ours: what was built of other files is not used."""

from pathlib import Path

import pytest

from localenv import gotools
from localenv.settings import PORTS, LocalSettings


def test_a_module_that_changed_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gotools, "MODULES", tmp_path)
    settings = LocalSettings(tmp_path / "state", tmp_path / "cache", dict(PORTS))
    module = tmp_path / "tool"
    module.mkdir()
    (module / "go.mod").write_text("module tool\nrequire example.org/a v1.0.0\n")
    first = gotools.cached(settings, "tool")
    (module / "README.md").write_text("no source")
    assert gotools.cached(settings, "tool") == first
    (module / "go.mod").write_text("module tool\nrequire example.org/a v1.0.1\n")
    assert gotools.cached(settings, "tool") != first
    assert first.name == "tool"
