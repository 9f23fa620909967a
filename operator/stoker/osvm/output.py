"""Objects as `-o` asks for them: a table, one with more columns, names, or whole objects as JSON or YAML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import yaml

from stoker.api.virtualmachine import VirtualMachine
from stoker.client.reader import read
from stoker.osvm.screen import Cell, Screen
from stoker.osvm.words import age, ready

FORMATS = ("wide", "name", "json", "yaml")


def data(screen: Screen, form: str, what: Any) -> None:
    """Write data as JSON or YAML."""
    dump = json.dumps(what, indent=2) if form == "json" else yaml.safe_dump(what, sort_keys=False, allow_unicode=True)
    screen.text(dump)


def vms(
    screen: Screen, form: str | None, found: Sequence[dict[str, Any]], now: datetime, *, namespaces: bool, one: bool
) -> None:
    """Write VMs; `one` writes a single object and no list."""
    if form in ("json", "yaml"):
        listed = {"apiVersion": "v1", "kind": "List", "items": list(found)}
        data(screen, form, found[0] if one else listed)
    elif form == "name":
        screen.text("\n".join(f"virtualmachine.stoker.dev/{item['metadata']['name']}" for item in found) or "")
    else:
        wide = form == "wide"
        columns = [*(["NAMESPACE"] if namespaces else []), "NAME", "READY", "STATUS", "PHASE", "PRIVATE-IP"]
        columns += ["PUBLIC-IP", "AGE", *(["TEMPLATE", "IMAGE", "FLAVOR", "POWER", "STACK", "MESSAGE"] if wide else [])]
        screen.rows(
            columns, [_row(read(VirtualMachine, item), now, namespaces=namespaces, wide=wide) for item in found]
        )


def _row(vm: VirtualMachine, now: datetime, *, namespaces: bool, wide: bool) -> list[Cell]:
    status, stack = vm.status, vm.status.stack
    truth, reason = ready(vm)
    phase = status.phase.value if status.phase else ""
    row: list[Cell] = [vm.metadata.namespace] if namespaces else []
    row += [vm.metadata.name, truth, reason, phase, status.private_ip or "", status.public_ip or ""]
    row.append(age(vm.metadata.creation_timestamp, now))
    if wide:
        message = next((one.message for one in status.conditions if one.type == "Ready"), "")
        version = (stack.template_version if stack else None) or vm.spec.template
        stack_id = (stack.id if stack else None) or ""
        row += [version, vm.spec.image, vm.spec.flavor, status.power_state or "", stack_id, message]
    return row
