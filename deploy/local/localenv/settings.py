"""Where the local environment keeps things and which ports it uses; the only reader of its environment variables.

Every port is on the loopback interface. `STOKER_LOCAL_DIR` moves the state, `STOKER_CACHE_DIR` the downloads and
builds, `STOKER_PORT_<NAME>` a port, so two environments can run side by side. `KUBEBUILDER_ASSETS` is the convention
of the Kubernetes world for a folder of finished control plane programs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
HOST = "127.0.0.1"

PORTS = {
    "ETCD": 12379,
    "ETCD_PEER": 12380,
    "KUBERNETES": 16443,
    "CONTROLLER_MANAGER": 16257,
    "KEYSTONE": 15000,
    "PLACEMENT": 18778,
    "GLANCE": 19292,
    "NEUTRON": 19696,
    "NOVA": 18774,
    "CINDER": 18776,
    "HEAT": 18004,
    "HEAT_TRUSTS": 18005,
}
"""Service → default TCP port: the usual number plus 10,000 (etcd, API server likewise), so that nothing collides
with a real service on the same machine."""

KUBERNETES_PORTS = ("ETCD", "ETCD_PEER", "KUBERNETES", "CONTROLLER_MANAGER")


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """The directories and ports of one local environment."""

    state: Path
    """State, logs, pid files, kubeconfigs and credentials; removed by `make clean`."""

    cache: Path
    """Downloads and builds, keyed by version; survives `make clean` and a fresh clone."""

    ports: dict[str, int]

    assets: Path | None = None
    """The folder of `KUBEBUILDER_ASSETS`; None when the user names none."""

    @classmethod
    def load(cls) -> LocalSettings:
        """Read the settings from the environment.

        Raises SystemExit naming the variable when a port is not a number or the folder does not exist.
        """
        cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(
            state=Path(os.environ.get("STOKER_LOCAL_DIR") or REPOSITORY / ".local").resolve(),
            cache=Path(os.environ.get("STOKER_CACHE_DIR") or cache_home / "stoker").resolve(),
            ports={name: _port(name, default) for name, default in PORTS.items()},
            assets=_assets(),
        )

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def pids(self) -> Path:
        return self.state / "pid"

    def second(self) -> LocalSettings:
        """Return the settings of a second Kubernetes, with which tests run side by side on the one OpenStack."""
        moved = {name: self.ports[name] + 1000 for name in KUBERNETES_PORTS}
        return replace(self, state=self.state / "second", ports={**self.ports, **moved})

    def url(self, service: str, path: str = "", scheme: str = "http") -> str:
        """Return the loopback URL of a service of `PORTS`."""
        return f"{scheme}://{HOST}:{self.ports[service]}{path}"


def _port(name: str, default: int) -> int:
    text = os.environ.get(f"STOKER_PORT_{name}", str(default))
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise SystemExit(f"STOKER_PORT_{name}: {text!r} is not a TCP port; use a number from 1 to 65535")
    return int(text)


def _assets() -> Path | None:
    text = os.environ.get("KUBEBUILDER_ASSETS")
    if not text:
        return None
    folder = Path(text).resolve()
    if not folder.is_dir():
        raise SystemExit(f"KUBEBUILDER_ASSETS: {text!r} is not a folder; correct or unset it")
    return folder
