"""The programs of the control plane come from the first source that has them, and only whole and verified."""

import hashlib
import tarfile
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from localenv import assets, gobuild, official
from localenv.settings import PORTS, LocalSettings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalSettings:
    (tmp_path / "path").mkdir()
    (tmp_path / "given").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return LocalSettings(tmp_path / "state", tmp_path / "cache", dict(PORTS), assets=tmp_path / "given")


def program(folder: Path, name: str, text: str = "#!/bin/sh\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_named_folder_beats_the_cache_and_the_cache_fills_its_gaps(settings: LocalSettings, tmp_path: Path) -> None:
    cache = assets.cache_folder(settings)
    for name in assets.PROGRAMS:
        program(cache, name)
    for name in ("etcd", "kube-apiserver", "kubectl"):  # what the official envtest archive holds
        program(tmp_path / "given", name)

    found = assets.find(settings)

    assert found == {
        "etcd": tmp_path / "given" / "etcd",
        "kube-apiserver": tmp_path / "given" / "kube-apiserver",
        "kube-controller-manager": cache / "kube-controller-manager",
        "kubectl": tmp_path / "given" / "kubectl",
    }


def test_of_the_path_only_kubectl_is_used_and_last(settings: LocalSettings, tmp_path: Path) -> None:
    for name in assets.PROGRAMS:
        program(tmp_path / "path", name)

    assert assets.installed(settings) == {"kubectl": tmp_path / "path" / "kubectl"}

    cached = program(assets.cache_folder(settings), "kubectl")
    assert assets.installed(settings) == {"kubectl": cached}


def test_a_later_source_is_asked_only_for_what_is_missing(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def source(has: Sequence[str], names: Sequence[str], folder: Path) -> None:
        asked.append(list(names))
        for name in has:
            program(folder, name)
        (folder / "rubbish").touch()

    folder = tmp_path / "cache" / "v1"
    sources = [partial(source, ["etcd"]), partial(source, ["kubectl"]), partial(source, ["never asked"])]
    assets.fill(["etcd", "kubectl"], folder, sources)

    assert asked == [["etcd", "kubectl"], ["kubectl"]]
    assert sorted(path.name for path in folder.iterdir()) == ["etcd", "kubectl"]
    assert [path.name for path in folder.parent.iterdir()] == ["v1"]


def test_an_interrupted_source_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    def interrupted(names: Sequence[str], folder: Path) -> None:
        (folder / "etcd").write_text("half a program")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assets.fill(["etcd"], tmp_path / "v1", [interrupted])

    assert not (tmp_path / "v1").exists()


def test_the_versions_come_from_the_go_module() -> None:
    assert assets.pinned("k8s.io/kubernetes").startswith("v1.")

    with pytest.raises(SystemExit, match=r"does not require example\.org/nothing"):
        assets.pinned("example.org/nothing")


def test_the_official_archive_is_of_the_pinned_minor_version() -> None:
    minor = assets.pinned("k8s.io/kubernetes").rsplit(".", 1)[0]

    assert f"/envtest-{minor}." in official.OFFICIAL.archive


@pytest.mark.parametrize(
    ("script", "version"),
    [
        pytest.param("echo go1.26.8", (1, 26), id="release"),
        pytest.param("echo go1.27rc1", (1, 27), id="candidate"),
        pytest.param("echo devel +abc", None, id="development"),
        pytest.param("exit 2", None, id="broken"),
    ],
)
def test_a_go_says_its_version(tmp_path: Path, script: str, version: tuple[int, int] | None) -> None:
    assert gobuild.go_version(program(tmp_path, "go", f"#!/bin/sh\n{script}\n")) == version


@pytest.fixture
def site(tmp_path: Path) -> Iterator[official.Sites]:
    """Serve an archive without the controller manager, and a release site with it, on the loopback interface."""
    root = tmp_path / "site"
    for name in ("etcd", "kube-apiserver", "kubectl"):
        program(root / "controller-tools" / "envtest", name, f"{name} of the archive")
    with tarfile.open(root / "amd64.tar.gz", "w:gz") as tar:
        tar.add(root / "controller-tools", "controller-tools")
    manager = program(root / "v1", "kube-controller-manager", "released")
    (root / "v1" / "kube-controller-manager.sha512").write_text(hashlib.sha512(manager.read_bytes()).hexdigest() + "\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=root)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        address = f"http://127.0.0.1:{server.server_port}"
        sums = {"amd64": hashlib.sha512((root / "amd64.tar.gz").read_bytes()).hexdigest()}
        yield official.Sites(f"{address}/{{arch}}.tar.gz", sums, f"{address}/{{version}}/{{name}}")
        server.shutdown()


def test_the_archive_and_the_release_site_complete_each_other(site: official.Sites, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()

    official.download(assets.PROGRAMS, folder, "v1", "amd64", site)

    assert {name: (folder / name).read_text() for name in assets.PROGRAMS} == {
        "etcd": "etcd of the archive",
        "kube-apiserver": "kube-apiserver of the archive",
        "kube-controller-manager": "released",
        "kubectl": "kubectl of the archive",
    }


def test_a_download_with_a_wrong_sum_stops_and_leaves_nothing(site: official.Sites, tmp_path: Path) -> None:
    (tmp_path / "site" / "v1" / "kube-controller-manager").write_text("tampered with")
    folder = tmp_path / "work"
    folder.mkdir()

    with pytest.raises(SystemExit, match="not using this download"):
        official.download(["kube-controller-manager"], folder, "v1", "amd64", site)

    assert list(folder.iterdir()) == []


def test_an_architecture_without_a_known_sum_is_left_to_the_next_source(site: official.Sites, tmp_path: Path) -> None:
    (tmp_path / "site" / "riscv64.tar.gz").touch()

    official.download(["etcd"], tmp_path, "v1", "riscv64", site)

    assert not (tmp_path / "etcd").exists()


def test_being_offline_is_no_error(tmp_path: Path) -> None:
    nowhere = official.Sites("http://127.0.0.1:1/{arch}", {"amd64": ""}, "http://127.0.0.1:1/{version}/{name}")

    official.download(assets.PROGRAMS, tmp_path, "v1", "amd64", nowhere)

    assert list(tmp_path.iterdir()) == []
