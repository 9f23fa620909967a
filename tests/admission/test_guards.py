"""What an editor must not do, and who may: each needs a verb of its own, which no request carries."""

from __future__ import annotations

import itertools
import json
import string
from collections.abc import Callable

import pytest

from stoker.api.base import API_VERSION
from support.cluster import wait_until
from support.users import Desk, binding, role, vm

pytestmark = pytest.mark.kubernetes


def annotated(**annotations: str | None) -> dict:
    return {"metadata": {"annotations": {f"stoker.dev/{name}": value for name, value in annotations.items()}}}


def deleting(desk: Desk) -> None:
    desk.user("alice", "delete", "osvm", "web-1", "--wait=false")


def as_it_is(_: Desk) -> None: ...


ADOPT, ABANDON = {"stoker.dev/adopt-stack": "s1"}, {"stoker.dev/abandon": "id-of-web-1"}
GUARDED: dict[str, tuple[Callable[[Desk], None], dict, str]] = {
    "another identity": (as_it_is, annotated(id="other"), "restore"),
    "another identity while the VM is being deleted": (deleting, annotated(id="other"), "restore"),
    "the finalizer of a VM that is being deleted": (deleting, {"metadata": {"finalizers": None}}, "abandon"),
    "the adoption of a stack": (as_it_is, {"metadata": {"annotations": ADOPT}}, "adopt"),
    "the abandoning of a stack": (as_it_is, {"metadata": {"annotations": ABANDON}}, "abandon"),
}


@pytest.mark.parametrize(("state", "patch", "verb"), GUARDED.values(), ids=GUARDED)
def test_an_editor_is_refused_and_whoever_holds_the_verb_is_not(desk: Desk, state, patch: dict, verb: str) -> None:
    desk.create("alice", vm())
    desk.enroll()
    desk.apply(role(desk.namespace, verb, ["virtualmachines"], [verb]))
    state(desk)

    with pytest.raises(SystemExit, match=f"Forbidden.*you need the verb {verb} on virtualmachines"):
        desk.patch("alice", patch)
    desk.apply(binding(desk.namespace, verb, "bob", kind="Role"))

    wait_until("the right to count", lambda: allowed(desk, "bob", verb))
    desk.patch("bob", patch)


def allowed(desk: Desk, user: str, verb: str) -> bool:
    try:
        return desk.user(user, "auth", "can-i", verb, "virtualmachines.stoker.dev").strip() == "yes"
    except SystemExit:  # kubectl's exit code for "no"
        return False


CREATED = {
    "an identity": ({"stoker.dev/id": "x"}, "restore"),
    "an adoption": (ADOPT, "adopt"),
    "a ticket to abandon": (ABANDON, "abandon"),
}


@pytest.mark.parametrize(("annotations", "verb"), CREATED.values(), ids=CREATED)
def test_an_editor_makes_no_vm_with(desk: Desk, annotations: dict[str, str], verb: str) -> None:
    with pytest.raises(SystemExit, match=f"you need the verb {verb} on virtualmachines"):
        desk.create("alice", vm(annotations=annotations))
    desk.create("admin", vm(annotations=annotations))


def test_a_guarded_annotation_that_is_there_hinders_no_edit_and_may_be_taken_off(desk: Desk) -> None:
    desk.create("admin", vm(annotations={**ADOPT, **ABANDON, "stoker.dev/id": "x"}))

    desk.patch("alice", {"spec": {"flavor": "m1.small"}})
    desk.annotate("alice", "stoker.dev/adopt-stack-", "stoker.dev/abandon-")

    assert desk.found()["metadata"]["annotations"] == {"stoker.dev/id": "x", "stoker.dev/requested-by": "alice"}


def test_an_editor_s_patch_takes_neither_identity_nor_finalizer_off_a_live_vm(desk: Desk) -> None:
    """They are put back, as for a tool that replaces the object: a deletion must find them."""
    desk.create("alice")
    desk.enroll()

    desk.patch("alice", {"metadata": {"finalizers": None, "annotations": None}})

    found = desk.found()["metadata"]
    assert found["finalizers"] == ["stoker.dev/stack"]
    assert found["annotations"]["stoker.dev/id"] == "id-of-web-1"


def test_finalizers_of_others_come_and_go_and_ours_stays(desk: Desk) -> None:
    desk.create("alice")
    desk.enroll()

    desk.patch("alice", {"metadata": {"finalizers": ["example.org/mine"]}})
    assert desk.found()["metadata"]["finalizers"] == ["example.org/mine", "stoker.dev/stack"]
    desk.patch("alice", {"metadata": {"finalizers": ["stoker.dev/stack"]}})

    assert desk.found()["metadata"]["finalizers"] == ["stoker.dev/stack"]


def test_the_operator_takes_its_finalizer_off(desk: Desk) -> None:
    desk.create("alice")
    desk.enroll()
    deleting(desk)

    desk.user("operator", "patch", "osvm", "web-1", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')

    assert desk.admin("get", "osvm") == ""


def operation(desk: Desk) -> str:
    spec = {"vmName": "web-1", "vmID": "x", "type": "Create"}
    metadata = {"name": "web-1-create", "namespace": desk.namespace}
    return json.dumps(
        {"apiVersion": API_VERSION, "kind": "VirtualMachineOperation", "metadata": metadata, "spec": spec}
    )


def test_operations_are_written_by_the_operator_alone_whatever_a_namespace_s_role_allows(desk: Desk) -> None:
    desk.apply(role(desk.namespace, "everything", ["*"], ["*"]), binding(desk.namespace, "everything", "bob", "Role"))
    wait_until("the right to count", lambda: allowed(desk, "bob", "operate"))

    with pytest.raises(SystemExit, match="Stoker's own record"):
        desk.user("bob", "create", "-f", "-", text=operation(desk))
    desk.user("operator", "create", "-f", "-", text=operation(desk))
    with pytest.raises(SystemExit, match="Stoker's own record"):
        desk.user("bob", "label", "osvmop", "web-1-create", "a=b")
    with pytest.raises(SystemExit, match="Stoker's own record"):
        desk.user("bob", "delete", "osvmop", "web-1-create")
    with pytest.raises(SystemExit, match="cannot create resource"):
        desk.user("alice", "create", "-f", "-", text=operation(desk))


def test_operations_go_with_their_namespace(desk: Desk) -> None:
    desk.user("operator", "create", "-f", "-", text=operation(desk))

    desk.admin("delete", "namespace", desk.namespace, "--wait=false")

    wait_until("the operation to be gone", lambda: not desk.admin("get", "osvmop"))


def test_the_largest_object_that_a_user_can_make_hinders_neither_user_nor_operator(desk: Desk) -> None:
    """What the expressions cost must not grow with what a user writes: beyond its bound the API server refuses."""
    alphabet = string.ascii_letters + string.digits
    keys = ["".join(key) for length in (1, 2, 3) for key in itertools.product(alphabet, repeat=length)][:80_000]
    metadata = {"name": "web-1", "annotations": dict.fromkeys(keys, "")}
    keys_of_ssh = [f"ssh-ed25519 {number:08000}" for number in range(16)]
    spec = {"userData": "x" * 49_149, "sshAuthorizedKeys": keys_of_ssh}

    desk.create("alice", {**vm(**spec), "metadata": metadata})
    desk.enroll()
    desk.patch("bob", {"spec": {"userData": "y" * 49_149}})
    deleting(desk)
    desk.user("operator", "patch", "osvm", "web-1", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')

    assert desk.admin("get", "osvm") == ""
