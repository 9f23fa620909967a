"""The five kinds: names, scope, printer columns and CEL rules, which is what a definition needs beside the models.

How a definition is made of it is in `crd.py`. A rule here repeats a model's validator (a schema cannot be derived from
code); `tests/api/test_schema_agrees.py` holds the two against each other on a real API server.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from stoker.api.cloud import CloudSpec, CloudStatus
from stoker.api.operation import OperationRecord, OperationSpec
from stoker.api.template import VirtualMachineTemplateSpec
from stoker.api.tenant import TenantSpec, TenantStatus
from stoker.api.virtualmachine import USER_DATA_BYTES, VirtualMachineSpec, VirtualMachineStatus


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule."""

    where: str
    """Path into the schema, such as `spec.ingress[]`; empty for the whole object."""

    rule: str
    message: str
    field: str = ""
    """The field to blame, relative to `where` (`.ports`); empty for the place itself."""

    forbidden: bool = False
    """Say "Forbidden" rather than "Invalid value"."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind's definition needs beside its models."""

    kind: str
    plural: str
    short: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel] | None
    columns: tuple[tuple[str, str, str], ...]
    """Name, type and JSON path; a name that starts with "+" is shown only by `-o wide`."""

    namespaced: bool = False
    subresource: bool = True
    name_length: int = 253
    """Longest metadata.name."""

    selectable: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


_READY = ".status.conditions[?(@.type=='Ready')]"
_AGE = ("Age", "date", ".metadata.creationTimestamp")

KINDS: tuple[Kind, ...] = (
    Kind(
        "VirtualMachine",
        "virtualmachines",
        "osvm",
        "A virtual machine: one object, one Heat stack.",
        VirtualMachineSpec,
        VirtualMachineStatus,
        (
            ("Ready", "string", f"{_READY}.status"),
            ("Status", "string", f"{_READY}.reason"),
            ("Phase", "string", ".status.phase"),
            ("Private-IP", "string", ".status.privateIP"),
            ("Public-IP", "string", ".status.publicIP"),
            _AGE,
            ("+Template", "string", ".spec.template"),
            ("+Flavor", "string", ".spec.flavor"),
            ("+Stack", "string", ".status.stack.id"),
            ("+Message", "string", f"{_READY}.message"),
        ),
        namespaced=True,
        name_length=63,
        selectable=(".spec.template", ".spec.image", ".spec.flavor", ".status.phase"),
        rules=(
            Rule(
                "spec",
                "!(has(self.userData) && has(self.userDataFrom))",
                "userData and userDataFrom: use one of them",
                field=".userDataFrom",
                forbidden=True,
            ),
            Rule(
                "spec.userData", f"size(bytes(self)) <= {USER_DATA_BYTES}", f"at most {USER_DATA_BYTES} bytes of UTF-8"
            ),
            Rule("spec.ingress[].cidr", "isCIDR(self)", "not a network in CIDR notation, such as 10.0.0.0/8"),
            Rule(
                "spec.ingress[]",
                "(self.protocol == 'icmp') != has(self.ports)",
                "ports: needed for tcp and udp, absent for icmp",
                field=".ports",
            ),
            Rule(
                "spec.ingress[].ports",
                "self.split('-').all(p, int(p) >= 1 && int(p) <= 65535)",
                "ports are within 1-65535",
            ),
            Rule(
                "spec.ingress[].ports",
                "int(self.split('-')[0]) <= int(self.split('-')[size(self.split('-')) - 1])",
                "a range goes from the smaller port to the larger",
            ),
        ),
    ),
    Kind(
        "VirtualMachineOperation",
        "virtualmachineoperations",
        "osvmop",
        "One command on one VirtualMachine: its state, attempts and last error.",
        OperationSpec,
        OperationRecord,
        (
            ("VM", "string", ".spec.vmName"),
            ("Type", "string", ".spec.type"),
            ("State", "string", ".status.state"),
            ("Attempts", "integer", ".status.attempts"),
            ("Error", "string", ".status.lastError"),
            _AGE,
            ("+Message", "string", ".status.message"),
        ),
        namespaced=True,
        subresource=False,
        selectable=(".spec.vmName", ".spec.type", ".status.state"),
        rules=(Rule("spec", "self == oldSelf", "an operation's spec never changes", forbidden=True),),
    ),
    Kind(
        "VirtualMachineTemplate",
        "virtualmachinetemplates",
        "osvmt",
        "One immutable version of a HOT template; users write family@vN.",
        VirtualMachineTemplateSpec,
        None,
        (("Family", "string", ".spec.family"), ("Version", "integer", ".spec.version"), _AGE),
        subresource=False,
        name_length=128,
        rules=(
            Rule("spec", "self == oldSelf", "a released version is never changed: release another one", forbidden=True),
            Rule(
                "",
                # Not string(version): the API server takes its length for unbounded, and the rule for too costly.
                "self.metadata.name.startsWith(self.spec.family + '.v')"
                " && self.metadata.name.matches('[.]v[1-9][0-9]{0,5}$')"
                " && int(self.metadata.name.substring(size(self.spec.family) + 2)) == self.spec.version",
                "metadata.name is <family>.v<version>, for example ubuntu-basic.v1",
            ),
        ),
    ),
    Kind(
        "Cloud",
        "clouds",
        "oscloud",
        "An OpenStack cloud as the platform admin describes it.",
        CloudSpec,
        CloudStatus,
        (
            ("Ready", "string", f"{_READY}.status"),
            ("Reason", "string", f"{_READY}.reason"),
            ("Region", "string", ".spec.region"),
            _AGE,
        ),
    ),
    Kind(
        "Tenant",
        "tenants",
        "ostenant",
        "A tenant: namespaces, a project of a cloud, credentials.",
        TenantSpec,
        TenantStatus,
        (
            ("Ready", "string", f"{_READY}.status"),
            ("Reason", "string", f"{_READY}.reason"),
            ("Cloud", "string", ".spec.cloud"),
            ("Project", "string", ".spec.projectID"),
            ("Orphans", "integer", ".status.orphanCount"),
            _AGE,
            ("+Message", "string", f"{_READY}.message"),
        ),
        rules=(
            Rule("spec.projectID", "self == oldSelf", "the project is pinned: make another Tenant", forbidden=True),
            Rule("spec.cloud", "self == oldSelf", "the cloud is pinned: make another Tenant", forbidden=True),
        ),
    ),
)
