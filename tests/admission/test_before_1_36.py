"""The policies alone, as before Kubernetes 1.36: nothing is stamped, and nothing forged gets through."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import onboard
from localenv.settings import REPOSITORY, LocalSettings
from stoker.client import Client, VirtualMachineSpec
from support.cluster import wait_until
from support.users import SPEC, Desk, vm

pytestmark = pytest.mark.kubernetes

ALICE = {"stoker.dev/requested-by": "alice"}


@pytest.fixture(scope="module", autouse=True)
def unstamped(local: LocalSettings) -> Iterator[None]:
    """Take the mutating policy's binding away."""
    kind, name = "mutatingadmissionpolicybinding", "stoker-requester"
    onboard.kubectl(local, "delete", kind, name)
    wait_until("stamping to end", lambda: not stamped(local))
    yield
    onboard.kubectl(
        local, "apply", "--server-side", "--force-conflicts", "--field-manager=stoker-local",
        "-f", str(REPOSITORY / "deploy/manifests/admission-stamp.yaml"),
    )  # fmt: skip
    wait_until("stamping to begin", lambda: stamped(local))


def stamped(local: LocalSettings) -> bool:
    """Tell whether the API server would stamp a VM of the admin's."""
    manifest = vm(annotations={"stoker.dev/requested-by": "nobody"})
    arguments = ("-n", "default", "create", "--dry-run=server", "-o", "json", "-f", "-")
    try:
        return bool(onboard.kubectl(local, *arguments, text=json.dumps(manifest)))
    except SystemExit:
        return False


def test_a_vm_is_made_only_with_its_author_s_name(desk: Desk) -> None:
    for forged in ({}, {"stoker.dev/requested-by": "bob"}, {**ALICE, "stoker.dev/delete-requested-by": "alice"}):
        with pytest.raises(SystemExit, match=r"requested-by: it says who asks?"):
            desk.create("alice", vm(annotations=forged))

    desk.create("alice", vm(annotations=ALICE))


def test_a_command_needs_its_author_s_name_and_no_other_edit_may_change_it(desk: Desk) -> None:
    desk.create("alice", vm(annotations=ALICE))

    with pytest.raises(SystemExit, match="it says who asked for this spec, so it must be bob"):
        desk.patch("bob", {"spec": {"flavor": "m1.small"}})
    with pytest.raises(SystemExit, match="so it must be bob"):
        desk.annotate("bob", "stoker.dev/retry=1")
    with pytest.raises(SystemExit, match="so it must be alice"):
        desk.annotate("bob", "stoker.dev/requested-by=bob")
    desk.patch("bob", {"metadata": {"labels": {"team": "b"}}})
    desk.patch("bob", {"metadata": {"annotations": {"stoker.dev/requested-by": "bob"}}, "spec": {"flavor": "m1.small"}})

    assert desk.annotation("requested-by") == "bob"


def test_the_stamp_of_a_deletion_is_its_author_s_name(desk: Desk) -> None:
    desk.create("alice", vm(annotations=ALICE))

    with pytest.raises(SystemExit, match="it says who asks for the deletion, so it must be bob"):
        desk.annotate("bob", "stoker.dev/delete-requested-by=alice")
    desk.annotate("bob", "stoker.dev/delete-requested-by=bob")
    desk.user("bob", "delete", "osvm", "web-1")

    assert desk.admin("get", "osvm") == ""


def test_an_editor_takes_neither_identity_nor_finalizer_off(desk: Desk) -> None:
    desk.create("alice", vm(annotations=ALICE))
    desk.enroll()

    with pytest.raises(SystemExit, match="only Stoker sets a VM's identity"):
        desk.annotate("alice", "stoker.dev/id-")
    with pytest.raises(SystemExit, match="it goes when the VM's stack is gone"):
        desk.patch("alice", {"metadata": {"finalizers": None}})


def test_the_typed_client_says_who_asks_by_itself(desk: Desk) -> None:
    with Client(desk.namespace, kubeconfig=str(desk.settings.state / "kubeconfig-alice")) as client:
        client.create_vm(VirtualMachineSpec.model_validate(SPEC), name="web-1")
        client.stop_vm("web-1")
        assert desk.annotation("requested-by") == "alice"
        desk.enroll()
        client.delete_vm("web-1")
    assert desk.annotation("delete-requested-by") == "alice"
