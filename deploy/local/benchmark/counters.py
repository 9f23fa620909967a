"""What a run cost: writes from the API server's own counters, OpenStack calls by kind, a process's memory and time."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

WRITING = ("POST", "PUT", "PATCH", "DELETE", "APPLY")
USERS = ("POST virtualmachines", "DELETE virtualmachines")
"""What only users do."""

VM_KINDS = ("virtualmachines", "virtualmachineoperations")

_REQUESTS = re.compile(r"apiserver_request_total\{(.*)\} (\S+)")
_ID = re.compile(r"/(vm-)?[0-9a-f]{8}[0-9a-f-]{24,}")
_VM_PATHS = re.compile(r"/stacks/|/stacks\?(.*&)?name=|/servers/(?!detail)")


def total(metrics: str, name: str, *labels: str) -> float:
    """Return the sum of a metric's samples that have all those labels (`reason="Active"`)."""
    samples = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", metrics, re.MULTILINE)
    return sum(float(value) for given, value in samples if all(label in given for label in labels))


def writes(metrics: str) -> Counter[str]:
    """Return the writes to our kinds by verb and resource, refused ones too, and the Events, from the API server's metrics."""
    found: Counter[str] = Counter()
    for match in _REQUESTS.finditer(metrics):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', match[1]))
        ours = labels["group"] == "stoker.dev" or labels["resource"] == "events"
        if ours and labels["verb"] in WRITING:
            part = f"/{labels['subresource']}" if labels.get("subresource") else ""
            found[f"{labels['verb']} {labels['resource']}{part}"] += int(float(match[2]))
    return found


def ours(counts: Counter[str]) -> int:
    """Return how many of the writes were neither the user's own nor Events."""
    return sum(n for what, n in counts.items() if what not in USERS and not what.endswith(" events"))


def of_vms(counts: Counter[str]) -> int:
    """Return how many of those were of VMs and operations."""
    return ours(Counter({what: n for what, n in counts.items() if what.split()[1].split("/")[0] in VM_KINDS}))


def kind(method: str, path: str) -> str:
    """Return whom a call was for: one `vm`, or its `project`, apart from its `token` and each `page` beyond the first.

    `path` has its query.
    """
    if path.endswith("/auth/tokens"):
        return "token"
    if (method == "POST" and path.endswith("/stacks")) or _VM_PATHS.search(path):
        return "vm"
    return "page" if "marker=" in path else "project"


def kinds(calls: Iterable[tuple[str, str]]) -> Counter[str]:
    """Return how many of the calls (method, path with query) were of each kind."""
    return Counter(kind(method, path) for method, path in calls)


def shapes(calls: Iterable[tuple[str, str]]) -> Counter[str]:
    """Return the calls counted by method and path, ids and values left out: for people."""
    return Counter(f"{method} {_ID.sub('/ID', re.sub('=[^&]*', '', path))}" for method, path in calls)


def memory(pid: int, field: str = "VmRSS") -> float:
    """Return a process's resident memory, or with VmHWM the most it ever had, MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1]) / 1024


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
