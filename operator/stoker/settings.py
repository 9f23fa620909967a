"""The operator's settings: the only reader of the environment. Read once, then passed down as values."""

from __future__ import annotations

import math
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field is the environment variable `STOKER_<FIELD>`; its metadata holds the sentence for the docs."""

    namespace: str = field(
        default="stoker-system", metadata={"help": "Namespace of the operator, its Lease and the credentials Secrets."}
    )
    lease_name: str = field(default="stoker", metadata={"help": "Name of the leader Lease."})
    identity: str = field(
        default="",
        metadata={"help": "Name of this process in the Lease and in claims; host name and a random part when empty."},
    )
    metrics_port: int = field(default=9090, metadata={"help": "TCP port of /metrics; 0 turns it off."})
    health_port: int = field(default=8080, metadata={"help": "TCP port of /healthz and /readyz; 0 turns it off."})
    bind_address: str = field(default="0.0.0.0", metadata={"help": "Address that both ports listen on."})  # noqa: S104 -- probes come from the kubelet
    log_level: str = field(default="INFO", metadata={"help": "DEBUG, INFO, WARNING or ERROR."})
    poll_seconds: float = field(
        default=1.0, metadata={"help": "Pause between listings of a project while something moves, seconds."}
    )
    rest_seconds: float = field(
        default=45.0, metadata={"help": "Pause between listings of a project at rest, seconds, jittered by 10 %."}
    )
    sweep_seconds: float = field(default=300.0, metadata={"help": "Pause between two sweeps of a tenant, seconds."})
    orphan_grace_seconds: float = field(
        default=600.0,
        metadata={
            "help": "Age from which a stack without an object is reported, and how long after that it may be deleted, seconds."
        },
    )
    operation_ttl_seconds: float = field(
        default=86400.0, metadata={"help": "How long an ended operation is kept, seconds."}
    )
    create_deadline_seconds: float = field(
        default=120.0, metadata={"help": "How late an unanswered create may still land, seconds."}
    )
    create_timeout_seconds: float = field(
        default=90.0, metadata={"help": "Total deadline of a create call, seconds; less than the create deadline."}
    )
    call_timeout_seconds: float = field(
        default=30.0, metadata={"help": "Total deadline of any other OpenStack call, seconds."}
    )
    stack_timeout_minutes: int = field(
        default=60, metadata={"help": "timeout_mins of every stack; it also limits its deletion."}
    )
    stuck_seconds: float = field(
        default=3900.0,
        metadata={"help": "After how long a stack in progress is called stuck and taken up again, seconds."},
    )
    workers: int = field(default=32, metadata={"help": "VMs worked on at a time."})
    tenant_calls: int = field(default=8, metadata={"help": "OpenStack calls of one tenant at a time."})
    audit_dir: str = field(
        default="",
        metadata={"help": "Folder of this replica's audit, on a volume of its own; when empty, there is no audit."},
    )
    audit_file_mib: int = field(
        default=16, metadata={"help": "Size from which the audit goes on in a new file, MiB; two are read at a start."}
    )

    @classmethod
    def load(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings.

        Raises ValueError naming the variable, its value and what is expected.
        """
        values: dict[str, object] = {}
        known = {f"STOKER_{item.name.upper()}": item for item in fields(cls)}
        for variable, item in known.items():
            if variable in environment:
                values[item.name] = _parse(variable, environment[variable], type(item.default))
        settings = cls(**values)  # type: ignore[arg-type]  # parsed to the type of the default just above
        _check(settings)
        return settings

    @property
    def holder(self) -> str:
        """The name of this process; the random part keeps two processes with one identity from both leading."""
        return f"{self.replica}_{uuid.uuid4().hex[:8]}"

    @property
    def replica(self) -> str:
        """The name of this replica, the same in each of its processes: whose audit it is."""
        return self.identity or socket.gethostname()


def _parse(variable: str, text: str, kind: type) -> object:
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"{variable}: {text!r} is not {'a whole number' if kind is int else 'a number'}") from None
    if kind is not str and not 0 <= value < math.inf:  # so that nan is refused as well
        raise ValueError(f"{variable}: {text!r} is not finite, or less than zero")
    return value


def _check(settings: Settings) -> None:
    for name in ("metrics_port", "health_port"):
        if getattr(settings, name) > 65535:
            raise ValueError(f"STOKER_{name.upper()}: {getattr(settings, name)} is not a TCP port")
    for name in ("namespace", "lease_name", "bind_address"):
        if not getattr(settings, name):
            raise ValueError(f"STOKER_{name.upper()} must not be empty")
    if settings.log_level not in LOG_LEVELS:
        raise ValueError(f"STOKER_LOG_LEVEL: {settings.log_level!r} is none of {', '.join(LOG_LEVELS)}")
    if settings.create_timeout_seconds >= settings.create_deadline_seconds:
        raise ValueError("STOKER_CREATE_TIMEOUT_SECONDS must be less than STOKER_CREATE_DEADLINE_SECONDS")
    for name in ("workers", "tenant_calls", "stack_timeout_minutes", "audit_file_mib"):
        if getattr(settings, name) < 1:
            raise ValueError(f"STOKER_{name.upper()} must be at least 1")
