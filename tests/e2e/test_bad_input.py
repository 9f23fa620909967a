"""Bad input on the real services: each says what, where and what to do, loops nowhere, and heals when corrected."""

from __future__ import annotations

import base64
import json

import pytest

import onboard
from support.cluster import Cluster, wait_until
from support.operator import OperatorThread

pytestmark = [pytest.mark.kubernetes, pytest.mark.openstack]

UNKNOWN = {
    "template": ({"template": "ubuntu-basik@v1"}, "TemplateNotFound", "there is no template ubuntu-basik@v1; the nearest: ubuntu-basic@v1"),
    "image": ({"image": "ciros"}, "ImageNotFound", "there is no image ciros; the nearest: cirros"),
    "flavor": ({"flavor": "m1.tinny"}, "FlavorNotFound", "there is no flavor m1.tinny; the nearest: m1.tiny"),
    "network": ({"networkProfile": "defalt"}, "NetworkNotFound", "no network profile defalt; the nearest: default"),
    "key": ({"keyName": "nosuch"}, "KeyPairNotFound", "there is no key pair nosuch; there is none"),
    "volume type": (
        {"volumes": [{"name": "d", "sizeGiB": 1, "type": "sdd"}]}, "VolumeTypeNotFound", "there is no volume type sdd; the nearest: ssd"),
}  # fmt: skip


def test_unknown_names_are_said_and_a_correction_heals(cluster: Cluster, operator: OperatorThread) -> None:
    """All at once: one VM each, none gets a stack or an operation; then all are corrected and become Active."""
    names = {f"vm-{what.replace(' ', '-')}": case for what, case in UNKNOWN.items()}
    for name, (spec, _, _) in names.items():
        cluster.create(name, **spec)

    for name, (_, reason, text) in names.items():
        condition = cluster.wait_reason(reason, name)
        assert condition["status"] == "False"
        assert text in condition["message"]
        assert cluster.condition(name, "Stalled")["status"] == "True"
        wait_until("its Event", lambda: reason in {event["reason"] for event in cluster.events(name)})  # noqa: B023 -- here
    assert (cluster.stacks(), cluster.operations()) == ([], [])

    for name, (spec, _, _) in names.items():
        good = {
            "template": "ubuntu-basic@v1",
            "image": "cirros",
            "flavor": "m1.tiny",
            "networkProfile": "default",
            "keyName": None,
            "volumes": None,
        }
        cluster.patch(name, {"spec": {key: good[key] for key in spec}})
    cluster.wait_active(*names)


def test_a_namespace_without_a_tenant_is_parked_until_it_has_one(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.kubectl(
        "patch",
        "ostenant",
        cluster.name,
        "--type=merge",
        "-p",
        json.dumps({"spec": {"namespaces": [f"elsewhere-{cluster.name}"]}}),
    )
    cluster.create()
    assert cluster.name in cluster.wait_reason("TenantNotFound")["message"]

    cluster.kubectl(
        "patch", "ostenant", cluster.name, "--type=merge", "-p", json.dumps({"spec": {"namespaces": [cluster.name]}})
    )

    cluster.wait_active("web-1")


def test_wrong_credentials_are_said_and_a_new_secret_heals(cluster: Cluster, operator: OperatorThread) -> None:
    def store(**data: str) -> None:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        patch = [{"op": "replace", "path": "/data", "value": encoded}]
        cluster.kubectl(
            "patch",
            "secret",
            f"{cluster.name}-openstack",
            "-n",
            onboard.NAMESPACE,
            "--type=json",
            "-p",
            json.dumps(patch),
        )

    store(wrong_key="x-secret-value")
    touch(cluster)
    cluster.create()
    message = cluster.wait_reason("CredentialsInvalid")["message"]
    assert "wrong_key" in message
    assert "x-secret-value" not in message

    credential = cluster.credential()
    store(**{**credential, "application_credential_secret": "not-the-secret"})
    touch(cluster)
    cluster.wait_reason("Unauthorized")

    store(**credential)
    touch(cluster)
    cluster.wait_active("web-1")


def touch(cluster: Cluster) -> None:
    """Change the Tenant a little, so that the operator looks at once and not at its next half minute."""
    tenant = json.loads(cluster.kubectl("get", "ostenant", cluster.name, "-o", "json"))
    profiles = tenant["spec"]["networkProfiles"]
    profiles.append({"name": f"extra-{len(profiles)}", "network": "private"})
    cluster.kubectl(
        "patch", "ostenant", cluster.name, "--type=merge", "-p", json.dumps({"spec": {"networkProfiles": profiles}})
    )


def test_a_token_for_another_project_is_refused(cluster: Cluster, operator: OperatorThread) -> None:
    other = onboard.projects(cluster.settings)["team-a"]["project_id"]
    spec = {"apiVersion": "stoker.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": f"{cluster.name}-wrong"}, "spec": {
        "cloud": "local", "projectID": other, "namespaces": [f"{cluster.name}-none"], "credentialsSecret": f"{cluster.name}-openstack",
        "networkProfiles": [{"name": "default", "network": "private"}]}}  # fmt: skip
    onboard.apply(cluster.settings, [spec])
    try:
        wait_until(
            "the Tenant to say ProjectMismatch",
            lambda: tenant_reason(cluster, f"{cluster.name}-wrong") == "ProjectMismatch",
        )
    finally:
        cluster.kubectl("delete", "ostenant", f"{cluster.name}-wrong", "--wait=false")


def tenant_reason(cluster: Cluster, name: str) -> str:
    """Return the reason of a Tenant's Ready condition."""
    tenant = json.loads(cluster.kubectl("get", "ostenant", name, "-o", "json"))
    found = (c["reason"] for c in tenant.get("status", {}).get("conditions", []) if c["type"] == "Ready")
    return next(found, "")


def test_a_cloud_that_does_not_answer_is_said(cluster: Cluster, operator: OperatorThread) -> None:
    """Nobody listens at the Cloud's address: the Tenant and its VM say so, and nothing is lost."""
    name = f"{cluster.name}-dark"
    dark = onboard.cloud(cluster.settings, name)
    dark["spec"]["authURL"] = "http://127.0.0.1:9/v3"
    onboard.apply(cluster.settings, [dark])
    cluster.kubectl(
        "patch",
        "ostenant",
        cluster.name,
        "--type=json",
        "-p",
        json.dumps([{"op": "test", "path": "/spec/cloud", "value": "local"}]),
    )
    other = {"apiVersion": "stoker.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": name}, "spec": {
        "cloud": name, "projectID": cluster.project.id, "namespaces": [f"{cluster.name}-none"],
        "credentialsSecret": f"{cluster.name}-openstack", "networkProfiles": [{"name": "default", "network": "private"}]}}  # fmt: skip
    onboard.apply(cluster.settings, [other])
    try:
        wait_until("the Tenant to say CloudUnavailable", lambda: tenant_reason(cluster, name) == "CloudUnavailable")
    finally:
        cluster.kubectl("delete", "ostenant", name, "--wait=false")
        cluster.kubectl("delete", "oscloud", name, "--wait=false")


def test_a_foreign_stack_of_our_name_is_never_touched(cluster: Cluster, operator: OperatorThread) -> None:
    """The stack is made before the tenant is known, so that it is there when the VM first asks."""
    cluster.kubectl(
        "patch",
        "ostenant",
        cluster.name,
        "--type=merge",
        "-p",
        json.dumps({"spec": {"namespaces": [f"elsewhere-{cluster.name}"]}}),
    )
    cluster.create()
    cluster.wait_reason("TenantNotFound")
    vm = cluster.vm()
    assert vm is not None
    foreign = cluster.project.create_stack(f"vm-{vm['metadata']['uid']}")

    cluster.kubectl(
        "patch", "ostenant", cluster.name, "--type=merge", "-p", json.dumps({"spec": {"namespaces": [cluster.name]}})
    )
    assert foreign in cluster.wait_reason("NameConflict")["message"]
    cluster.delete("web-1")
    cluster.wait_gone()

    assert [stack.id for stack in cluster.stacks()] == [foreign]


HOSTILE = "quote\" ' brace { } {get_param: image} $(id) %s \U0001f525 line\nnext\ttab \u202e right-to-left"


def test_hostile_user_data_arrives_unchanged(cluster: Cluster, operator: OperatorThread) -> None:
    """Values travel as parameters: what the stack holds is what the user wrote."""
    cluster.create(userData=HOSTILE)
    cluster.wait_active("web-1")

    (stack,) = cluster.stacks()
    assert cluster.project.stack_parameters(stack.name, stack.id)["user_data"] == HOSTILE


def test_user_data_as_large_as_nova_takes_works_from_a_secret(cluster: Cluster, operator: OperatorThread) -> None:
    """49,149 bytes are accepted; one more is refused with the numbers, before anything is created."""
    for name, size in (("fits", 49_149), ("too-much", 49_150), ("far-too-much", 65_536)):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": cluster.name},
            "stringData": {"user": "x" * size},
        }
        onboard.apply(cluster.settings, [secret])
        cluster.create(name, userDataFrom={"secretKeyRef": {"name": name, "key": "user"}})

    cluster.wait_active("fits")
    for name, size in (("too-much", "49150"), ("far-too-much", "65536")):
        assert size in cluster.wait_reason("InvalidSpec", name)["message"]
    assert len(cluster.stacks()) == 1


def test_a_missing_user_data_secret_is_waited_for(cluster: Cluster, operator: OperatorThread) -> None:
    cluster.create(userDataFrom={"secretKeyRef": {"name": "later", "key": "user"}})
    assert "later" in cluster.wait_reason("UserDataNotFound")["message"]

    onboard.apply(
        cluster.settings,
        [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "later", "namespace": cluster.name},
                "stringData": {"user": "#cloud-config\n"},
            }
        ],
    )

    cluster.wait_active("web-1")


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        pytest.param({"flavour": "m1.tiny"}, "flavour", id="a field that does not exist"),
        pytest.param(
            {"userData": "a", "userDataFrom": {"secretKeyRef": {"name": "b", "key": "c"}}},
            "userData",
            id="two sources of user data",
        ),
        pytest.param({"userData": "x" * 65_536}, "userData", id="64 KiB of user data"),
        pytest.param({"ingress": [{"protocol": "tcp", "cidr": "0.0.0.0/0"}]}, "ports", id="tcp without ports"),
    ],
)
def test_a_manifest_that_breaks_the_schema_is_refused_at_the_door(
    cluster: Cluster, spec: dict[str, object], where: str
) -> None:
    with pytest.raises(SystemExit, match=where):
        cluster.kubectl("apply", "--validate=strict", "-f", "-", text=json.dumps(cluster.manifest("bad", **spec)))
    assert cluster.vms() == []
