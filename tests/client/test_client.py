"""The typed client on the real API server, without an operator: what it writes, and what it says when it may not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from localenv.settings import LocalSettings
from stoker.api.errors import ErrorCode
from stoker.api.virtualmachine import PowerState
from stoker.client import Client, StokerError, VirtualMachineSpec, Volume, transport
from support.gate import Handler
from support.users import Desk

pytestmark = pytest.mark.kubernetes


def managers(desk: Desk, name: str) -> set[str]:
    found = json.loads(desk.admin("get", "osvm", name, "-o", "json", "--show-managed-fields"))
    return {one["manager"] for one in found["metadata"]["managedFields"]}


def test_one_key_makes_one_vm_and_a_generated_key_is_returned(alice: Client, spec: VirtualMachineSpec) -> None:
    first = alice.create_vm(spec)
    assert (first.new, len(first.idempotency_key)) == (True, 36)
    again = alice.create_vm(spec, idempotency_key=first.idempotency_key)
    assert (again.new, again.vm.metadata.uid) == (False, first.vm.metadata.uid)
    assert again.vm.spec == spec
    other = alice.create_vm(spec)
    assert other.vm.metadata.uid != first.vm.metadata.uid
    assert len(alice.list_vms()) == 2


def test_a_key_is_known_under_any_name_and_after_an_edit(alice: Client, desk: Desk, spec: VirtualMachineSpec) -> None:
    first = alice.create_vm(spec, name="web-1", idempotency_key="order-7")
    desk.patch("alice", {"spec": {"flavor": "m1.small"}})
    again = alice.create_vm(spec, name="web-2", idempotency_key="order-7")
    assert (again.new, again.vm.metadata.uid, again.vm.spec.flavor) == (False, first.vm.metadata.uid, "m1.small")


def test_a_key_with_another_spec_and_a_name_that_is_taken_are_refused(alice: Client, spec: VirtualMachineSpec) -> None:
    alice.create_vm(spec, name="web-1", idempotency_key="order-7")
    with pytest.raises(StokerError, match="asked for by the key order-7 with another spec") as refused:
        alice.create_vm(spec.model_copy(update={"flavor": "m1.small"}), name="web-1", idempotency_key="order-7")
    assert refused.value.code is ErrorCode.IDEMPOTENCY_CONFLICT
    with pytest.raises(StokerError, match="exists already") as taken:
        alice.create_vm(spec, name="web-1")
    assert taken.value.code is ErrorCode.CONFLICT


def test_the_api_server_says_who_asked_and_the_fields_are_the_client_s(
    alice: Client, desk: Desk, spec: VirtualMachineSpec
) -> None:
    alice.create_vm(spec, name="web-1")
    alice.stop_vm("web-1")
    assert alice.get_vm("web-1").spec.power_state is PowerState.STOPPED
    assert alice.start_vm("web-1").spec.power_state is PowerState.RUNNING
    assert desk.annotation("requested-by") == "alice"
    assert managers(desk, "web-1") == {"stoker-client"}
    restart, retry = alice.restart_vm("web-1"), alice.retry_vm("web-1", request_id="now")
    assert (desk.annotation("restart"), desk.annotation("retry")) == (restart.value, "now")
    assert (retry.value, retry.answered(alice.get_vm("web-1"))) == ("now", False)


def test_a_deletion_is_stamped_with_the_caller_s_name_first(
    alice: Client, desk: Desk, spec: VirtualMachineSpec
) -> None:
    alice.create_vm(spec, name="web-1")
    desk.enroll()
    alice.delete_vm("web-1")
    assert desk.annotation("delete-requested-by") == "alice"
    assert alice.get_vm("web-1").metadata.deletion_timestamp
    alice.delete_vm("web-1")  # asked again, it is the same deletion


def test_a_deletion_that_is_refused_leaves_no_stamp(alice: Client, desk: Desk, spec: VirtualMachineSpec) -> None:
    alice.create_vm(spec.model_copy(update={"termination_protection": True}), name="web-1")
    with pytest.raises(StokerError, match="web-1 is protected") as refused:
        alice.delete_vm("web-1")
    assert refused.value.code is ErrorCode.INVALID_SPEC or refused.value.code is ErrorCode.FORBIDDEN
    assert desk.annotation("delete-requested-by") is None


def test_a_deletion_without_an_answer_keeps_the_stamp(
    through: Callable[[Any], Client], desk: Desk, spec: VirtualMachineSpec
) -> None:
    """It was carried out, and the operator has not looked yet: without the stamp nobody would know who asked."""

    @web.middleware
    async def lost(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if request.method == "DELETE" and request.transport:
            request.transport.abort()
        return answer

    client = through(lost)
    client.create_vm(spec, name="web-1")
    desk.enroll()
    with pytest.raises(StokerError, match="gave no answer") as unanswered:
        client.delete_vm("web-1")
    assert unanswered.value.code is ErrorCode.TIMEOUT
    assert client.get_vm("web-1").metadata.deletion_timestamp
    assert desk.annotation("delete-requested-by") == "alice"


def test_another_vm_of_the_name_is_neither_stamped_nor_deleted(
    through: Callable[[Any], Client], desk: Desk, spec: VirtualMachineSpec
) -> None:
    def replaced() -> None:
        desk.admin("delete", "osvm", "web-1")
        desk.create("bob")

    @web.middleware
    async def late(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "PATCH":
            await asyncio.to_thread(replaced)
        return await handler(request)

    client = through(late)
    client.create_vm(spec, name="web-1")
    with pytest.raises(StokerError, match=r"metadata\.uid"):
        client.delete_vm("web-1")
    assert desk.annotation("delete-requested-by") is None
    assert client.get_vm("web-1").metadata.deletion_timestamp is None


def test_a_watch_that_ends_at_once_is_not_asked_hot(through: Callable[[Any], Client], desk: Desk, monkeypatch) -> None:
    watches, pauses = [], []

    @web.middleware
    async def down(request: web.Request, handler: Handler) -> web.StreamResponse:
        if "watch" not in request.query:
            return await handler(request)
        watches.append(request.path)
        return web.Response(status=503)

    monkeypatch.setattr("stoker.client.reader.time.sleep", pauses.append)
    desk.create("alice")
    seen = through(down).watch_vm("web-1")
    for _ in range(3):
        next(seen)
    assert (len(watches), len(pauses)) == (2, 2)
    assert all(pause > 0 for pause in pauses)


def test_vms_are_found_by_every_filter_at_once(alice: Client, spec: VirtualMachineSpec, monkeypatch) -> None:
    alice.create_vm(spec, name="a", labels={"app": "web"})
    alice.create_vm(spec.model_copy(update={"flavor": "m1.small"}), name="b", labels={"app": "web"})
    alice.create_vm(spec, name="c", labels={"app": "db"})

    def names(**filters: object) -> list[str]:
        return [vm.metadata.name for vm in alice.list_vms(**filters)]  # type: ignore[arg-type]

    assert names() == ["a", "b", "c"]
    monkeypatch.setattr(transport, "PAGE", 2)
    assert names() == ["a", "b", "c"], "page by page"
    assert names(labels={"app": "web"}, flavor="m1.tiny") == ["a"]
    assert names(labels="app in (db)") == ["c"]
    assert names(template="ubuntu-basic@v1", image="cirros") == ["a", "b", "c"]


def test_what_is_wrong_comes_as_a_code_of_the_documented_set(
    alice: Client, desk: Desk, spec: VirtualMachineSpec, local: LocalSettings
) -> None:
    with pytest.raises(StokerError, match='"web-1" not found') as missing:
        alice.get_vm("web-1")
    twice = VirtualMachineSpec.model_construct(**{**dict(spec), "volumes": (Volume(name="a", size_gib=1),) * 2})
    with pytest.raises(StokerError, match="Duplicate value") as wrong:
        alice.create_vm(twice)
    with pytest.raises(StokerError, match='cannot list resource "tenants"') as forbidden:
        alice.list_tenants()
    with pytest.raises(StokerError, match="no context nowhere") as login:
        Client(kubeconfig=str(local.state / "kubeconfig"), context="nowhere")
    with pytest.raises(StokerError, match="kubeconfig cannot be used"):
        Client(kubeconfig=str(local.state))
    found = [error.value.code for error in (missing, wrong, forbidden, login)]
    assert found == [
        ErrorCode.NOT_FOUND, ErrorCode.INVALID_SPEC, ErrorCode.FORBIDDEN, ErrorCode.CREDENTIALS_INVALID,
    ]  # fmt: skip


def test_a_wait_that_ends_early_says_why(alice: Client, desk: Desk, spec: VirtualMachineSpec) -> None:
    with pytest.raises(StokerError) as missing:
        alice.wait_until("web-1", timeout=1)
    assert missing.value.code is ErrorCode.NOT_FOUND
    alice.create_vm(spec, name="web-1")
    with pytest.raises(StokerError, match="NotObserved: Stoker did not look") as slow:
        alice.wait_until("web-1", timeout=1)
    assert slow.value.code is ErrorCode.TIMEOUT
    alice.delete_vm("web-1")
    alice.wait_gone("web-1")


def test_who_may_what_is_asked_of_the_api_server(alice: Client) -> None:
    assert alice.whoami() == "alice"
    assert alice.may("create", "virtualmachines")
    assert not alice.may("adopt", "virtualmachines")
    assert not alice.may("list", "tenants", namespace="")
