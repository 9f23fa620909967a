"""The chart's rights are those the operator uses, and its pods may do little."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stoker.check import OWN_RIGHTS, RIGHTS
from support.chart import Helm, Object, of_kind

ASKED_ONCE = {
    ("", "namespaces", "get"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", "get"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "get"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies", "get"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", "get"),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "create"),
}
"""What the operator reads at its start, and `stoker check` by name."""


def rights(role: Object) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def listed(rows: tuple[tuple[str, str, str, tuple[str, ...]], ...]) -> set[tuple[str, str, str]]:
    return {(group, f"{name}/{sub}" if sub else name, verb) for group, name, sub, verbs in rows for verb in verbs}


def pods(helm: Helm) -> Iterator[tuple[Object, Object]]:
    """Yield the pod of the operator and that of `helm test`, each with its container."""
    objects = helm.render()
    for pod in (of_kind(objects, "StatefulSet")[0]["spec"]["template"], of_kind(objects, "Pod")[0]):
        yield pod["spec"], pod["spec"]["containers"][0]


def test_the_operator_s_rights_are_those_that_stoker_check_asks_for(helm: Helm) -> None:
    objects = helm.render()
    (everywhere,) = of_kind(objects, "ClusterRole", "stoker-operator")
    (own,) = of_kind(objects, "Role")
    assert rights(everywhere) == listed(RIGHTS) | ASKED_ONCE
    assert rights(own) == listed(OWN_RIGHTS)
    named = [rule for rule in everywhere["rules"] if rule["resources"] == ["namespaces"]]
    assert [rule["resourceNames"] for rule in named] == [["kube-system"]]


def test_of_secrets_the_operator_gets_those_of_its_own_namespace_and_lists_none(helm: Helm) -> None:
    objects = helm.render()
    bound = {
        (item["roleRef"]["name"], subject["kind"])
        for item in of_kind(objects, "ClusterRoleBinding")
        for subject in item["subjects"]
    }
    assert bound == {("stoker-operator", "ServiceAccount"), ("stoker-catalog", "Group")}
    for role in of_kind(objects, "ClusterRole"):
        assert role["metadata"]["name"] == "stoker-userdata" or not {r for r in rights(role) if r[1] == "secrets"}
    assert {right for right in rights(of_kind(objects, "Role")[0]) if right[1] == "secrets"} == {("", "secrets", "get")}


def test_nobody_gets_clouds_tenants_or_secrets_from_an_aggregated_role(helm: Helm) -> None:
    given = {
        label.removeprefix("rbac.authorization.k8s.io/aggregate-to-"): rights(role)
        for role in of_kind(helm.render(), "ClusterRole")
        for label in role["metadata"]["labels"]
        if label.startswith("rbac.authorization.k8s.io/aggregate-to-") and role["metadata"]["name"] != "stoker-edit"
    }
    (edit,) = of_kind(helm.render(), "ClusterRole", "stoker-edit")
    assert {resource for _, resource, _ in rights(edit)} == {"virtualmachines"}
    assert {resource for _, resource, _ in given["view"]} == {"virtualmachines", "virtualmachineoperations"}
    assert {verb for _, _, verb in given["view"]} == {"get", "list", "watch"}
    assert given["admin"] == {("stoker.dev", "virtualmachines", "unprotect")}
    (everybody,) = of_kind(helm.render(), "ClusterRole", "stoker-catalog")
    assert {resource for _, resource, _ in rights(everybody)} == {"virtualmachinetemplates"}


def test_aggregation_can_be_left_to_the_cluster_s_admin(helm: Helm) -> None:
    for role in of_kind(helm.render({"rbac": {"aggregate": False}}), "ClusterRole"):
        assert not [label for label in role["metadata"]["labels"] if "aggregate-to" in label]


def test_pods_are_restricted(helm: Helm) -> None:
    for pod, container in pods(helm):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] > 10_000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert not [volume for volume in pod["volumes"] if "emptyDir" not in volume]


def test_a_stop_waits_for_the_longest_call_and_both_probes_are_there(helm: Helm) -> None:
    from stoker.settings import Settings

    (operator, container), _ = pods(helm)
    assert operator["terminationGracePeriodSeconds"] > Settings().create_timeout_seconds
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"metrics": Settings().metrics_port, "health": Settings().health_port}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}


@pytest.mark.parametrize(
    ("values", "ingress", "egress"),
    [
        ({}, [{"ports": [{"port": "health"}]}, {"ports": [{"port": "metrics"}]}], [{"ports": [{"protocol": "TCP"}]}]),
        (
            {"scrapeFrom": [{"namespaceSelector": {}}], "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]},
            [
                {"ports": [{"port": "health"}]},
                {"ports": [{"port": "metrics"}], "from": [{"namespaceSelector": {}}]},
            ],
            [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
        ),
    ],
    ids=["default", "narrow"],
)
def test_the_network_policy_lets_in_probes_and_scrapes(
    helm: Helm, values: Object, ingress: list[Object], egress: list[Object]
) -> None:
    (policy,) = of_kind(helm.render({"networkPolicy": values}), "NetworkPolicy")
    assert policy["spec"]["ingress"] == ingress
    assert policy["spec"]["egress"][1:] == egress
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
