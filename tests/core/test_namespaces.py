"""Whose a namespace is, which project a VM belongs to, and which Tenant it holds."""

from __future__ import annotations

from typing import Any

import pytest

from stoker.api.base import ObjectMeta
from stoker.api.errors import ErrorCode as C
from stoker.api.operation import OperationType, VirtualMachineOperation
from stoker.api.virtualmachine import StackStatus
from stoker.core.admission import admit, claims_of, project_kept, project_of, tenant_of
from stoker.core.faults import Fault
from stoker.core.tenancy import conflicts, holds
from support.build import operation, tenant, vm


def raw(namespace: str = "team-a", project: str | None = None) -> dict[str, Any]:
    status = {"stack": {"projectID": project}} if project else {}
    return {"metadata": {"namespace": namespace, "name": "web-1"}, "status": status}


def test_a_conflict_is_told_to_each_of_the_tenants_with_the_others_names() -> None:
    a, b, c = tenant("a", "x", "y"), tenant("b", "y", "z"), tenant("c", "z", "y")
    everybody = [c, a, b]
    assert conflicts(a, everybody) == ("y (also b, c)",)
    assert conflicts(b, everybody) == ("y (also a, c)", "z (also c)")
    assert conflicts(tenant("d", "w"), [*everybody, tenant("d", "w")]) == ()


def test_a_younger_tenant_that_goes_gives_way_and_the_oldest_does_not() -> None:
    old, young = tenant("old", age=2), tenant("young", age=1, going=True)
    assert tenant_of("team-a", [young, old]) is old
    assert conflicts(young, [old, young]) == ()
    leaving, heir = tenant("old", age=2, going=True), tenant("young", age=1)
    assert isinstance(tenant_of("team-a", [heir, leaving]), Fault)
    assert tenant_of("team-a", [leaving]) is leaving
    assert claims_of("team-b", [leaving]) == []


def test_of_tenants_of_one_age_the_one_that_is_being_deleted_gives_way() -> None:
    leaving, staying = tenant("a", going=True), tenant("b")
    assert tenant_of("team-a", [leaving, staying]) is staying
    assert not holds(leaving, raw(), [leaving, staying])


def test_of_tenants_of_one_age_or_of_none_the_name_decides() -> None:
    assert [t.metadata.name for t in claims_of("team-a", [tenant("b"), tenant("a")])] == ["a", "b"]
    ageless = tenant("a").model_copy(update={"metadata": ObjectMeta(name="a")})
    assert [t.metadata.name for t in claims_of("team-a", [ageless, tenant("b")])] == ["b", "a"]


def test_a_vm_whose_stack_is_in_another_project_is_not_the_tenants() -> None:
    kept = vm(stack=StackStatus(name="s", id="s1", project_id="other"))
    assert project_kept("p", kept, tenant(project="p")) is None
    assert project_kept(None, kept, tenant(project="p")) is None
    found = project_kept("other", kept, tenant("a", project="p"))
    assert found is not None
    assert found.code is C.PROJECT_CHANGED
    assert found.message.startswith("the stack is in the project other, and the Tenant a ")
    claimed = project_kept("other", vm(), tenant("a", project="p"))
    assert claimed is not None
    assert claimed.message.startswith("a create was sent, and the stack may be in the project other, ")


FIRST, AGAIN = {"project_id": "first"}, {"project_id": "again"}


@pytest.mark.parametrize(
    ("recorded", "operations", "project"),
    [
        (None, (), None),
        ("kept", (operation(**FIRST),), "kept"),
        (None, (operation(),), None),
        (None, (operation(**FIRST),), "first"),
        (None, (operation(**FIRST, outcome="Accepted", stack_id="s1"),), "first"),
        (None, (operation(**FIRST, outcome="Failed"),), None),
        (None, (operation(**FIRST, outcome="Failed", stack_id="s1"),), "first"),
        (None, (operation(**AGAIN, sequence=2), operation(**FIRST, outcome="Failed")), "again"),
        (None, (operation(OperationType.DELETE, **FIRST),), None),
    ],
)
def test_a_vm_belongs_to_the_project_where_its_create_may_have_made_a_stack(
    recorded: str | None, operations: tuple[VirtualMachineOperation, ...], project: str | None
) -> None:
    stack = StackStatus(name="s", id="s1", project_id=recorded) if recorded else None
    assert project_of(vm(stack=stack), operations) == project


def test_a_tenant_that_goes_takes_no_new_vms() -> None:
    found = admit(vm(), tenant("a", going=True), {}, None)
    assert found == Fault(C.TENANT_NOT_READY, "the Tenant a is being deleted")


def test_a_vm_holds_the_tenant_of_its_stacks_project_else_the_oldest_of_its_namespace() -> None:
    old, young = tenant("old", age=2, project="p"), tenant("young", age=1, project="q")
    both = [young, old]
    assert [holds(t, raw(project="p"), both) for t in (old, young)] == [True, False]
    assert [holds(t, raw(project="q"), both) for t in (old, young)] == [False, True]
    assert [holds(t, raw(), both) for t in (old, young)] == [True, False]
    assert not holds(old, raw("elsewhere"), both)
    assert not holds(old, raw("elsewhere", "other"), both)
    assert holds(old, raw("elsewhere", "p"), both), "its namespace was taken away, its stack was not"
    heir = tenant("heir", "elsewhere", project="p")
    assert [holds(t, raw("elsewhere", "p"), [old, heir]) for t in (old, heir)] == [False, True]
    assert holds(old, {"metadata": raw()["metadata"]}, [old]), "without a status"
    assert holds(old, {**raw(), "status": {"stack": {"name": "s"}}}, [old]), "as an older version wrote it"
