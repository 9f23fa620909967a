"""Which services OpenStack consists of here, and where each keeps its files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from localenv.process import Process
from localenv.settings import HOST, REPOSITORY, LocalSettings

SOURCES = REPOSITORY / "deploy" / "local" / "openstack"
"""Versions, configuration templates and the scripts that run inside OpenStack's virtual environment."""

SERVICES: dict[str, tuple[str, ...]] = {
    "keystone": ("KEYSTONE", "PLACEMENT"),
    "neutron": ("NEUTRON",),
    "nova": ("NOVA",),
    "heat": ("HEAT",),
    "cinder": ("CINDER",),
    "glance": ("GLANCE",),
}
"""Process → its ports, in the order of starting: the slow ones first, so that two processors stay busy."""

TRUSTS = "heat-trusts"
"""The second Heat, which `trusts` starts on demand; its port is HEAT_TRUSTS."""

STOP_ORDER = (TRUSTS, "heat", "cinder", "nova", "neutron", "glance", "keystone")
"""Heat first: what is still at work there should not see its neighbors go, and turn that into failed stacks."""

DATABASES = (
    "keystone",
    "placement",
    "glance",
    "neutron",
    "nova_api",
    "nova_cell0",
    "nova_cell1",
    "heat",
    "heat_trusts",
    "cinder",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one environment's OpenStack."""

    settings: LocalSettings

    @property
    def state(self) -> Path:
        return self.settings.state / "openstack"

    @property
    def venv(self) -> Path:
        """Return OpenStack's virtual environment, shared by all environments of the same lock file and cache."""
        return self.settings.cache / "openstack" / digest(SOURCES / "requirements.lock")

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def etc(self) -> Path:
        return self.state / "etc"

    @property
    def databases(self) -> Path:
        return self.state / "db"

    @property
    def secrets(self) -> Path:
        return self.state / "secrets.json"

    @property
    def seeded(self) -> Path:
        """Return the marker that is there once the environment's first contents are complete; it holds `origin`."""
        return self.state / "seeded"

    @property
    def origin(self) -> str:
        """Return what the contents depend on: the versions, and the ports, which are in Keystone's catalog."""
        names = [name for ports in SERVICES.values() for name in ports] + ["HEAT_TRUSTS"]
        return " ".join([self.venv.name, *(f"{name}={self.settings.ports[name]}" for name in names)])

    @property
    def snapshot(self) -> Path:
        return self.state / "snapshot"

    @property
    def projects(self) -> Path:
        return self.state / "projects.json"

    @property
    def clouds(self) -> Path:
        return self.settings.state / "clouds.yaml"

    def database_url(self, name: str) -> str:
        """Return SQLAlchemy's URL of a database; a writer waits up to 60 seconds for another one."""
        return f"sqlite:///{self.databases / name}.sqlite?timeout=60"

    def process(self, name: str) -> Process:
        return Process(name, self.settings)

    def environment(self) -> dict[str, str]:
        """Return the variables that every program of OpenStack here needs."""
        exempt = ",".join(filter(None, (HOST, os.environ.get("NO_PROXY") or os.environ.get("no_proxy"))))
        directories = {
            f"OS_{service}_CONFIG_DIR": str(self.etc)
            for service in ("KEYSTONE", "PLACEMENT", "GLANCE", "NEUTRON", "NOVA")
        }
        return {
            **directories,
            "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
            "OS_NOVA_DISABLE_EVENTLET_PATCHING": "true",
            "OS_CINDER_DISABLE_EVENTLET_PATCHING": "true",
            "STOKER_CINDER_CONFIG": str(self.etc / "cinder.conf"),
            "STOKER_ACCESS_LOGS": str(self.settings.logs),
            **{f"STOKER_PORT_{name}": str(port) for name, port in self.settings.ports.items()},
            # A proxy of the machine must not come between services on the loopback interface.
            "NO_PROXY": exempt,
            "no_proxy": exempt,
        }


def digest(*files: Path) -> str:
    """Return a short name for the contents of some files."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
