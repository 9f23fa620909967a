"""The commands on VMs: each a few calls of the typed client, with the caller's own rights. Each returns the exit code."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stoker.api.errors import ErrorCode
from stoker.api.tenant import Tenant
from stoker.api.virtualmachine import Phase, VirtualMachine
from stoker.client import Client, StokerError
from stoker.client.requests import Request
from stoker.core.admission import claims_of
from stoker.core.asked import ADOPT
from stoker.core.foresight import foresee
from stoker.osvm import manifests, output, plans, tree
from stoker.osvm.screen import Screen
from stoker.osvm.waiting import progress


@dataclass(frozen=True)
class Session:
    """One run of a command."""

    client: Client
    screen: Screen
    options: argparse.Namespace

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def claims(self, namespace: str) -> list[Tenant] | None:
        """Return the Tenants of a namespace, the oldest first, or None when the caller may not read Tenants."""
        try:
            return claims_of(namespace, self.client.list_tenants())
        except StokerError as error:
            if error.code is ErrorCode.FORBIDDEN:
                return None
            raise


Command = Callable[[Session], int]


def list_(session: Session) -> int:
    """List VMs."""
    options = session.options
    found = session.client.vm_objects(
        all_namespaces=options.all_namespaces,
        labels=options.selector,
        template=options.template,
        image=options.image,
        flavor=options.flavor,
        phase=Phase(options.phase) if options.phase else None,
    )
    output.vms(session.screen, options.output, found, session.now, namespaces=options.all_namespaces, one=False)
    return 0


def get(session: Session) -> int:
    """Show VMs by name."""
    names = session.options.names
    found = [session.client.vm_object(name) for name in names]
    one = len(found) == 1
    output.vms(session.screen, session.options.output, found, session.now, namespaces=False, one=one)
    return 0


def describe(session: Session) -> int:
    """Show everything that is known of a VM, as a tree."""
    for name in session.options.names:
        vm = session.client.get_vm(name)
        session.screen.show(tree.describe(vm, session.client.get_vm_events(name), session.now))
    return 0


def events(session: Session) -> int:
    """Show the Events of a VM, the newest last."""
    (name,) = session.options.names
    found = session.client.get_vm_events(name)
    if session.options.output in ("json", "yaml"):
        output.data(session.screen, session.options.output, [event.to_wire() for event in found])
        return 0
    rows = [
        [f"{event.time:%Y-%m-%d %H:%M:%S}" if event.time else "", event.type, event.reason, event.message]
        for event in found
    ]
    session.screen.rows(["TIME", "TYPE", "REASON", "MESSAGE"], rows)
    return 0


def start(session: Session) -> int:
    """Start VMs."""
    return _each(session, "started", session.client.start_vm)


def stop(session: Session) -> int:
    """Stop VMs."""
    return _each(session, "stopped", session.client.stop_vm)


def restart(session: Session) -> int:
    """Reboot VMs, once."""
    return _each(session, "restarted", session.client.restart_vm)


def retry(session: Session) -> int:
    """Have what waits or failed tried now."""
    return _each(session, "tried again", session.client.retry_vm)


def delete(session: Session) -> int:
    """Delete VMs, in the caller's name."""
    for name in session.options.names:
        session.client.delete_vm(name)
        session.screen.say(f"{name} is being deleted")
    if session.options.wait:
        for name in session.options.names:
            with progress(session.screen, name) as tell:
                session.client.wait_gone(name, timeout=session.options.timeout, progress=tell)
    return 0


def adopt(session: Session) -> int:
    """Give a VM a stack that is there already, instead of one that is made."""
    options, client = session.options, session.client
    annotations = {ADOPT: options.stack}
    if options.file is None:
        name = options.name
        client.annotate_vm(name, annotations)
    else:
        (manifest,) = _one(options.file, options.name, client.namespace)
        name = manifest["metadata"]["name"]
        marks = {**(manifest["metadata"].get("annotations") or {}), **annotations}
        client.apply_new({**manifest, "metadata": {**manifest["metadata"], "annotations": marks}})
    session.screen.say(f"{name} is to adopt the stack {options.stack}")
    return _wait(session, name, None)


def plan(session: Session) -> int:
    """Say what edited manifests would do to the stacks, before they are applied; 1 when one would be refused."""
    client, refused, told = session.client, False, []
    templates = {one.metadata.name: one for one in client.list_templates()}
    for manifest in manifests.read(session.options.file, client.namespace):
        name, where = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        live = _live(client, name, where)
        claims = session.claims(where) or ()
        tenant = claims[0] if len(claims) == 1 else None
        seen = foresee(live, client.try_vm(manifest, live), templates, tenant)
        refused = refused or seen.refusal is not None
        new = live is None or live.status.stack is None
        if session.options.output in ("json", "yaml"):
            told.append(plans.data(f"{where}/{name}", seen, new=new))
        else:
            session.screen.show(plans.draw(f"{where}/{name}", seen, new=new))
    if told:
        output.data(session.screen, session.options.output, told)
    return 1 if refused else 0


# ---- parts


def _each(session: Session, done: str, command: Callable[[str], VirtualMachine | Request]) -> int:
    asked = [(name, command(name)) for name in session.options.names]
    for name, _ in asked:
        session.screen.say(f"{name} is to be {done}")
    for name, request in asked:
        _wait(session, name, request if isinstance(request, Request) else None)
    return 0


def _wait(session: Session, name: str, asked: Request | None) -> int:
    """Wait if that is asked for; a VM that needs a person raises."""
    if session.options.wait:
        with progress(session.screen, name) as tell:
            session.client.wait_until(name, timeout=session.options.timeout, progress=tell, asked=asked)
    return 0


def _one(file: str, name: str | None, namespace: str) -> list[dict[str, Any]]:
    found = [one for one in manifests.read(file, namespace) if name in (None, one["metadata"]["name"])]
    if len(found) != 1:
        raise ValueError(
            f"{file}: {len(found)} VirtualMachines in it{f' of the name {name}' if name else ''}; one is needed"
        )
    return found


def _live(client: Client, name: str, namespace: str) -> VirtualMachine | None:
    try:
        return client.get_vm(name, namespace=namespace)
    except StokerError as error:
        if error.code is ErrorCode.NOT_FOUND:
            return None
        raise
