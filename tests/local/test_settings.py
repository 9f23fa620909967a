"""The local environment reads its variables once and names the one that is wrong."""

from pathlib import Path

import pytest

from localenv.settings import PORTS, LocalSettings


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = ("STOKER_LOCAL_DIR", "STOKER_CACHE_DIR", "KUBEBUILDER_ASSETS")
    for name in (*folders, *(f"STOKER_PORT_{port}" for port in PORTS)):
        monkeypatch.delenv(name, raising=False)


def test_defaults_lie_in_the_repository_and_the_user_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    settings = LocalSettings.load()

    assert (settings.state.name, (settings.state.parent / "deploy").is_dir()) == (".local", True)
    assert settings.cache == tmp_path / "stoker"
    assert (settings.ports, settings.assets) == (PORTS, None)


def test_variables_move_directories_and_ports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STOKER_LOCAL_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("STOKER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("STOKER_PORT_KUBERNETES", "26443")

    settings = LocalSettings.load()

    assert (settings.state, settings.cache) == (tmp_path / "state", tmp_path / "cache")
    assert settings.url("KUBERNETES", "/readyz", scheme="https") == "https://127.0.0.1:26443/readyz"


@pytest.mark.parametrize("text", ["", "etcd", "0", "65536", "-1", "80.5"])
def test_a_bad_port_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("STOKER_PORT_ETCD", text)

    with pytest.raises(SystemExit, match=r"STOKER_PORT_ETCD: .* is not a TCP port"):
        LocalSettings.load()


def test_a_missing_assets_folder_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "nowhere"))

    with pytest.raises(SystemExit, match=r"KUBEBUILDER_ASSETS: .* is not a folder"):
        LocalSettings.load()


def test_every_port_is_used_once() -> None:
    assert len(set(PORTS.values())) == len(PORTS)
