"""Who asked is what the API server knows, and nothing that a user writes."""

from __future__ import annotations

import json

import pytest

from stoker.core.recorded import LONGEST_NAME
from support.cluster import wait_until
from support.users import Desk, binding, vm

pytestmark = pytest.mark.kubernetes

ROBOT = "system:serviceaccount:team:robot"


def test_whoever_makes_a_vm_is_stamped_on_it(desk: Desk) -> None:
    desk.create("alice")

    assert desk.annotation("requested-by") == "alice"


def test_a_name_that_is_forged_at_the_creation_is_overwritten(desk: Desk) -> None:
    desk.create("alice", vm(annotations={"stoker.dev/requested-by": "bob"}))

    assert desk.annotation("requested-by") == "alice"


def test_whoever_edits_the_spec_is_stamped_instead(desk: Desk) -> None:
    desk.create("alice")

    desk.patch("bob", {"spec": {"flavor": "m1.small"}})

    assert desk.annotation("requested-by") == "bob"


@pytest.mark.parametrize("command", ["paused=true", "retry=1", "restart=1", "idempotency-key=k1"])
def test_whoever_gives_a_command_by_annotation_is_stamped_and_so_is_who_takes_it_back(desk: Desk, command: str) -> None:
    desk.create("alice")
    desk.annotate("bob", f"stoker.dev/{command}")
    assert desk.annotation("requested-by") == "bob"

    desk.annotate("alice", f"stoker.dev/{command.partition('=')[0]}-")

    assert desk.annotation("requested-by") == "alice"


UNCOMMANDED = {
    "a label": {"metadata": {"labels": {"team": "b"}}},
    "an annotation of somebody else's": {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}},
    "a finalizer of somebody else's": {"metadata": {"finalizers": ["example.org/mine"]}},
    "the spec as it is": {"spec": {"flavor": "m1.tiny"}},
}


@pytest.mark.parametrize("patch", UNCOMMANDED.values(), ids=UNCOMMANDED)
def test_what_is_no_command_stamps_nobody(desk: Desk, patch: dict) -> None:
    desk.create("alice")

    desk.patch("bob", patch)

    assert desk.annotation("requested-by") == "alice"


@pytest.mark.parametrize("value", ["bob", "nobody", "", None])
def test_a_stamp_that_is_forged_or_taken_off_later_is_put_back(desk: Desk, value: str | None) -> None:
    desk.create("alice")

    desk.patch("bob", {"metadata": {"annotations": {"stoker.dev/requested-by": value}, "labels": {"team": "b"}}})

    assert desk.annotation("requested-by") == "alice"
    assert desk.found()["metadata"]["labels"] == {"team": "b"}


def test_a_status_stamps_nobody(desk: Desk) -> None:
    desk.create("alice")

    desk.admin("patch", "osvm", "web-1", "--subresource=status", "--type=merge", "-p", '{"status": {"id": "x"}}')

    assert desk.annotation("requested-by") == "alice"


def test_the_operator_s_own_writes_stamp_nobody(desk: Desk) -> None:
    desk.create("alice")

    desk.enroll()

    assert (desk.annotation("requested-by"), desk.annotation("id")) == ("alice", "id-of-web-1")


def test_a_replaced_vm_keeps_its_identity_its_finalizer_and_who_asked(desk: Desk) -> None:
    desk.create("alice")
    desk.enroll()

    desk.user("bob", "replace", "-f", "-", text=json.dumps(vm()))

    found = desk.found()["metadata"]
    assert found["finalizers"] == ["stoker.dev/stack"]
    assert found["annotations"] == {"stoker.dev/id": "id-of-web-1", "stoker.dev/requested-by": "alice"}


def test_a_service_account_is_stamped_by_its_full_name_and_an_endless_name_is_cut(desk: Desk) -> None:
    endless = "x" * 300
    desk.apply(binding(desk.namespace, "edit", ROBOT), {**binding(desk.namespace, "edit", "x"), **_subject(endless)})

    desk.user("admin", "--as", ROBOT, "create", "-f", "-", text=json.dumps(vm("by-robot")))
    desk.user("admin", "--as", endless, "create", "-f", "-", text=json.dumps(vm("by-x")))

    assert desk.annotation("requested-by", "by-robot") == ROBOT
    assert desk.annotation("requested-by", "by-x") == "x" * LONGEST_NAME


def _subject(user: str) -> dict:
    return {"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]}


def test_an_apply_of_the_same_manifest_by_another_user_changes_nothing(desk: Desk) -> None:
    """A GitOps tool that applies again and again must see no drift: the stamps belong to no field manager."""
    apply = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    desk.user("alice", *apply, text=json.dumps(vm()))
    desk.enroll()
    before = desk.found()

    assert desk.user("bob", "diff", "--server-side", "--force-conflicts", "-f", "-", text=json.dumps(vm())) == ""
    desk.user("bob", *apply, text=json.dumps(vm()))

    assert desk.found() == before
    owners = json.loads(desk.admin("get", "osvm", "web-1", "--show-managed-fields", "-o", "json"))["metadata"]
    assert "stoker.dev/requested-by" not in json.dumps(owners["managedFields"])


def test_a_dry_run_shows_the_stamp_and_stores_nothing(desk: Desk) -> None:
    shown = json.loads(desk.user("alice", "create", "--dry-run=server", "-o", "json", "-f", "-", text=json.dumps(vm())))

    assert shown["metadata"]["annotations"] == {"stoker.dev/requested-by": "alice"}
    assert desk.admin("get", "osvm") == ""


def test_a_deletion_is_stamped_with_its_author_whatever_the_author_writes(desk: Desk) -> None:
    desk.create("alice")

    desk.annotate("bob", "stoker.dev/delete-requested-by=alice")

    assert desk.annotation("delete-requested-by") == "bob"
    assert desk.annotation("requested-by") == "alice"


def test_a_stamped_deletion_is_made_by_its_author_alone_until_the_stamp_is_taken_off(desk: Desk) -> None:
    desk.create("alice")
    desk.annotate("bob", "stoker.dev/delete-requested-by=me")

    with pytest.raises(SystemExit, match=r"says that bob asks for this deletion. Take it off first: kubectl annotate"):
        desk.user("alice", "delete", "osvm", "web-1")
    desk.user("bob", "delete", "osvm", "web-1", "--dry-run=server")
    desk.annotate("alice", "stoker.dev/delete-requested-by-")
    desk.user("alice", "delete", "osvm", "web-1")

    assert desk.admin("get", "osvm") == ""


def test_once_a_deletion_has_begun_nobody_changes_who_asked_for_it(desk: Desk) -> None:
    desk.create("alice")
    desk.enroll()
    desk.annotate("bob", "stoker.dev/delete-requested-by=me")
    desk.user("bob", "delete", "osvm", "web-1", "--wait=false")

    desk.annotate("alice", "stoker.dev/delete-requested-by=me")
    assert desk.annotation("delete-requested-by") == "bob"
    desk.annotate("bob", "stoker.dev/delete-requested-by-")

    assert desk.annotation("delete-requested-by") == "bob"


def test_a_vm_is_not_made_with_the_stamp_of_a_deletion(desk: Desk) -> None:
    desk.create("alice", vm(annotations={"stoker.dev/delete-requested-by": "bob"}))

    assert desk.annotation("delete-requested-by") is None


def test_a_stamp_does_not_hold_up_the_deletion_of_the_namespace(desk: Desk) -> None:
    desk.create("alice")
    desk.annotate("bob", "stoker.dev/delete-requested-by=me")

    desk.admin("delete", "namespace", desk.namespace, "--wait=false")

    wait_until("the VM to be gone", lambda: not desk.admin("get", "osvm"))
