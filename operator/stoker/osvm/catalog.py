"""The commands on what VMs are made from, on the records, on Tenants, and `check`: reads alone. Each returns the exit code.

A user can read neither the cloud nor, as a rule, Tenants. So `images` and `flavors` show what VMs that the user can read
are made from, and the Tenant's allow-list where it can be read; they say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from stoker.api.conditions import ConditionType
from stoker.api.errors import ErrorCode
from stoker.client import StokerError, is_ready, standing
from stoker.client.progress import Verdict
from stoker.core.names import EVERYTHING, allowed
from stoker.osvm import output
from stoker.osvm.commands import Session
from stoker.osvm.screen import Cell
from stoker.osvm.words import age

NO_TENANT = "You may not read Tenants, so allow-lists are not known."


def images(session: Session) -> int:
    """Show the images that VMs are made from, and what the Tenant allows."""
    return _names(session, "image")


def flavors(session: Session) -> int:
    """Show the flavors that VMs have, and what the Tenant allows."""
    return _names(session, "flavor")


def templates(session: Session) -> int:
    """Show the cluster's templates."""
    found = sorted(session.client.list_templates(), key=lambda one: (one.spec.family, one.spec.version))
    if session.options.output in ("json", "yaml"):
        output.data(session.screen, session.options.output, [one.spec.to_wire() for one in found])
        return 0
    session.screen.rows(["TEMPLATE", "DESCRIPTION"], [[one.reference, one.spec.description] for one in found])
    return 0


def audit(session: Session) -> int:
    """Show the recorded commands: who asked for what, and what came of it."""
    found = [one for name in session.options.names or [None] for one in session.client.list_operations(name)]
    if session.options.output in ("json", "yaml"):
        output.data(
            session.screen, session.options.output, [one.model_dump(mode="json", by_alias=True) for one in found]
        )
        return 0
    rows: list[list[Cell]] = []
    for one in found:
        made, status = one.metadata.creation_timestamp, one.status
        error = status.last_error.value if status.last_error else ""
        when = f"{made:%Y-%m-%d %H:%M:%S}" if made else ""
        rows.append(
            [when, one.spec.vm_name, one.spec.type.value, one.spec.requested_by or "unknown", status.state.value,
             str(status.attempts), error, status.stack_id or ""]
        )  # fmt: skip
    session.screen.rows(["TIME", "VM", "COMMAND", "REQUESTED-BY", "STATE", "ATTEMPTS", "ERROR", "STACK"], rows)
    return 0


def orphans(session: Session) -> int:
    """Show stacks that belong to no VM, by Tenant; for those who may read Tenants. 1 when there are any."""
    found = session.client.list_tenants()
    if session.options.output in ("json", "yaml"):
        listed = [{"tenant": one.metadata.name, **orphan.to_wire()} for one in found for orphan in one.status.orphans]
        output.data(session.screen, session.options.output, listed)
    else:
        rows: list[list[Cell]] = []
        for one in found:
            for orphan in one.status.orphans:
                old, policy = age(orphan.since, session.now), one.spec.orphan_policy.value
                rows.append([one.metadata.name, orphan.stack_id, orphan.stack_name, old, policy])
        session.screen.rows(["TENANT", "STACK", "NAME", "REPORTED", "POLICY"], rows)
        for one in found:
            if one.status.orphan_brake:
                session.screen.say(f"{one.metadata.name}: the brake is on: {one.status.orphan_brake.message}")
    return 1 if any(one.status.orphans for one in found) else 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `check` looked at: ok, note or FAIL."""

    word: str
    subject: str
    said: str = ""


STYLES = {"ok": "green", "note": "yellow", "FAIL": "bold red"}


def check(session: Session) -> int:
    """Say what would fail for you in this namespace: login, rights, templates, Tenant, VMs. 1 when something would."""
    found = list(findings(session))
    if session.options.output in ("json", "yaml"):
        listed = [{"result": one.word, "subject": one.subject, "message": one.said} for one in found]
        output.data(session.screen, session.options.output, listed)
    else:
        rows: list[list[Cell]] = [[(one.word, STYLES[one.word]), one.subject, one.said] for one in found]
        session.screen.rows(["RESULT", "WHAT", "MESSAGE"], rows)
    return 1 if any(one.word == "FAIL" for one in found) else 0


def findings(session: Session) -> Iterator[Finding]:
    """Look at one thing after another. Raises StokerError when the API server cannot be asked at all."""
    client = session.client
    yield Finding("ok", "login", f"{client.whoami()}, in the namespace {client.namespace}")
    for resource, verbs in (
        ("virtualmachines", ("get", "list", "watch", "create", "patch", "delete")),
        ("virtualmachineoperations", ("get", "list")),
    ):
        missing = [verb for verb in verbs if not client.may(verb, resource)]
        said = f"you may not {', '.join(missing)}: ask for the role edit in {client.namespace}" if missing else ""
        yield Finding("FAIL" if missing else "ok", f"rights on {resource}", said)
    yield _templates(session)
    yield _tenant(session)
    for vm in client.list_vms():
        seen = standing(vm)
        if seen.verdict is not Verdict.READY:
            word = "FAIL" if seen.verdict is Verdict.STALLED else "note"
            yield Finding(word, f"VM {vm.metadata.name}", f"{seen.reason}: {seen.message}")


# ---- parts


def _templates(session: Session) -> Finding:
    try:
        count = len(session.client.list_templates())
    except StokerError as error:
        if error.code is ErrorCode.NOT_FOUND:
            return Finding("FAIL", "templates", "the cluster does not know Stoker's kinds: it is not installed")
        if error.code is not ErrorCode.FORBIDDEN:
            raise
        return Finding("note", "templates", "you may not read them; bind stoker-catalog (docs/kubectl-osvm.md)")
    return Finding("ok" if count else "FAIL", "templates", f"{count}" if count else "there are none")


def _tenant(session: Session) -> Finding:
    claims = session.claims(session.client.namespace)
    if claims is None:
        return Finding("note", "Tenant", "you may not read Tenants; a VM says TenantNotFound if there is none")
    if len(claims) != 1:
        said = f"{len(claims)} Tenants claim the namespace {session.client.namespace}; one must"
        return Finding("FAIL", "Tenant", said)
    (tenant,) = claims
    ready = next((one for one in tenant.status.conditions if one.type == ConditionType.READY), None)
    if ready is None or ready.status == "True":
        return Finding(
            "ok" if ready else "note", f"Tenant {tenant.metadata.name}", ready.message if ready else "not looked at yet"
        )
    return Finding("FAIL", f"Tenant {tenant.metadata.name}", f"{ready.reason}: {ready.message}")


def _names(session: Session, field: str) -> int:
    vms = session.client.list_vms(all_namespaces=session.options.all_namespaces)
    used = Counter(getattr(vm.spec, field) for vm in vms)
    proven = {getattr(vm.spec, field) for vm in vms if is_ready(vm)}
    claims = session.claims(session.client.namespace)
    lists = [getattr(one.spec, f"allowed_{field}s") or EVERYTHING for one in claims or ()]
    known = sorted({*used, *(name for names in lists for name in names if "*" not in name)})

    def may(name: str) -> str:
        return "unknown" if not lists else "yes" if all(allowed(name, names) for names in lists) else "no"

    rows: list[list[Cell]] = [[name, str(used[name]), "yes" if name in proven else "no", may(name)] for name in known]
    if session.options.output in ("json", "yaml"):
        keys = ("name", "vms", "worked", "allowed")
        output.data(session.screen, session.options.output, [dict(zip(keys, row, strict=True)) for row in rows])
        return 0
    session.screen.rows([field.upper(), "VMS", "WORKED", "ALLOWED"], rows)
    where = "all namespaces" if session.options.all_namespaces else session.client.namespace
    lists_too = "" if claims is None else ", and of the Tenant's allow-list"
    session.screen.say(f"The {field}s of the VMs in {where}{lists_too}; the cloud may have more.")
    if claims is None:
        session.screen.say(NO_TENANT)
    return 0
