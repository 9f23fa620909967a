"""What the simulated cloud holds besides stacks: identities, and what a project can see or use."""

from __future__ import annotations

import secrets
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from simulator.errors import RefusedError
from simulator.stacks import StackStore

HOST = {"vcpus": 512, "ram": 1024 * 1024, "resources:CUSTOM_GPU": 8}
"""The largest server that the one host can take (RAM in MiB); a flavor that asks for more finds no valid host."""

TRANSITION_ACTIONS = ("create", "update", "delete", "check", "suspend", "resume", "start", "stop", "reboot")


QUOTA = ("cores", "ram", "instances", "floatingip", "volumes", "gigabytes")
"""What a project may have so much of: RAM in MiB, volumes in GiB."""


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Settings:
    """What may be changed while it runs."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TRANSITION_ACTIONS, 0.0))
    """How long each action of a stack or a server takes."""

    token_seconds: float = 3600.0
    trusts: bool = False
    """True: Heat makes a trust for every stack (its default), which Keystone refuses to application credentials."""

    linger_seconds: float = 0.0
    """How long a deleted stack still holds its name and is still listed."""

    max_stacks: int = 100_000
    """Stacks of a project."""


@dataclass
class Project:
    """A project with its only user, who has the project's name."""

    name: str
    password: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    user_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    roles: tuple[str, ...] = ("member", "reader")
    quota: dict[str, int] = field(default_factory=dict)
    keypairs: dict[str, str] = field(default_factory=dict)
    """Name → public key."""

    network: str = field(default_factory=new_id)
    """Id of its network `private`."""

    servers: dict[str, Server] = field(default_factory=dict)
    floating_ips: set[str] = field(default_factory=set)
    volumes: dict[str, int] = field(default_factory=dict)
    """Id → GiB."""

    ports: dict[str, str] = field(default_factory=dict)
    """Id → its fixed address."""

    floating: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Id of a floating IP → the port that it is of, and its address."""

    actions: Counter[str] = field(default_factory=Counter)
    """Action → how often Heat began it: what requests came to, lost or not."""


@dataclass
class Credential:
    """An application credential."""

    id: str
    secret: str
    project: Project
    expires: float | None = None
    """Seconds since the epoch."""


@dataclass
class Token:
    """A token for a project."""

    value: str
    project: Project
    issued: float
    expires: float
    credential: str | None = None
    """Id of the application credential that it was given for."""


@dataclass
class Flavor:
    """A flavor; RAM in MiB, disk in GiB."""

    name: str
    vcpus: int
    ram: int
    disk: int
    extra: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=new_id)

    @property
    def fits(self) -> bool:
        """Tell whether the host could ever take it."""
        wanted = {"vcpus": self.vcpus, "ram": self.ram, **{key: int(value) for key, value in self.extra.items()}}
        return all(amount <= HOST.get(key, 0) for key, amount in wanted.items())


@dataclass
class Image:
    """An image that every project sees."""

    name: str
    id: str = field(default_factory=new_id)
    status: str = "active"
    size: int = 384
    """Bytes."""

    min_disk: int = 0
    min_ram: int = 0


@dataclass
class Server:
    """A server."""

    name: str
    flavor: Flavor
    image: str
    key_name: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    id: str = field(default_factory=new_id)
    status: str = "ACTIVE"
    power: int = 1
    task: str | None = None
    fault: str | None = None
    created: str = ""


class Cloud:
    """All of it."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.stacks = StackStore()
        self.projects: dict[str, Project] = {}
        self.credentials: dict[str, Credential] = {}
        self.tokens: dict[str, Token] = {}
        self.flavors = {flavor.id: flavor for flavor in _flavors()}
        self.images = {image.id: image for image in (Image("ubuntu-24.04"), Image("ubuntu-22.04"), Image("cirros"))}
        self.volume_types = {name: new_id() for name in ("ssd", "hdd", "__DEFAULT__")}
        self.public_network = new_id()
        self._addresses = _addresses("10.8")
        self._public_addresses = _addresses("172.24")

    def add_project(self, name: str, **quota: int) -> tuple[Project, Credential]:
        """Make a project, its user and a restricted application credential."""
        project = Project(name, secrets.token_urlsafe(12))
        project.quota = dict.fromkeys(QUOTA, 100_000) | {"ram": 1 << 30, "gigabytes": 1 << 30} | quota
        self.projects[project.id] = project
        return project, self.add_credential(project)

    def add_credential(self, project: Project) -> Credential:
        """Make an application credential."""
        credential = Credential(uuid.uuid4().hex, secrets.token_urlsafe(24), project)
        self.credentials[credential.id] = credential
        return credential

    def issue(self, project: Project, credential: Credential | None) -> Token:
        """Make a token."""
        begins = time.time()
        ends = begins + self.settings.token_seconds
        if credential and credential.expires:
            ends = min(ends, credential.expires)
        token = Token(f"gAAAA{secrets.token_urlsafe(60)}", project, begins, ends, credential.id if credential else None)
        self.tokens[token.value] = token
        return token

    def authenticate(self, value: str | None) -> Token:
        """Return the token of a request. Raises RefusedError (401) when it is none, has ended or was revoked."""
        token = self.tokens.get(value or "")
        if token is None or token.expires <= time.time():
            raise RefusedError(401)
        if token.credential is not None and token.credential not in self.credentials:
            raise RefusedError(401)
        return token

    def private_address(self) -> str:
        return next(self._addresses)

    def public_address(self) -> str:
        return next(self._public_addresses)


def _flavors() -> list[Flavor]:
    """Return the flavors of a new cloud; no host can take the last two."""
    return [
        Flavor("m1.tiny", 1, 512, 1),
        Flavor("m1.small", 1, 2048, 20),
        Flavor("m1.medium", 2, 4096, 40),
        Flavor("m1.large", 4, 8192, 80),
        Flavor("gpu.large", 8, 32768, 100, {"resources:CUSTOM_GPU": "1"}),
        Flavor("too.big", 2048, 2048 * 1024, 10),
        Flavor("gpu.none", 1, 2048, 1, {"resources:CUSTOM_NO_SUCH_GPU": "1"}),
    ]


def stamp(seconds: float) -> str:
    """Return a time as Keystone writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _addresses(prefix: str) -> Iterator[str]:
    number = 1
    while True:
        number += 1
        yield f"{prefix}.{number // 256 % 256}.{number % 256}"
