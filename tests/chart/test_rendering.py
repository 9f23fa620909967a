"""What the chart makes of its values, rendered by the real helm."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import write_chart
from localenv.settings import REPOSITORY
from stoker.core.templates import template_object
from stoker.settings import Settings
from support.chart import CHART, HAS_TEMPLATES, MUTATES, Helm, Object, RefusedError, identity, of_kind

CLUSTER_WIDE = {
    "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding", "PriorityClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    "VirtualMachineTemplate",
}  # fmt: skip
EVERYTHING: Object = {
    "metrics": {key: {"enabled": True} for key in ("serviceMonitor", "prometheusRule", "dashboard")},
    "commonLabels": {"team": "platform"},
}


def plain(file: str) -> list[Object]:
    return list(yaml.safe_load_all((REPOSITORY / "deploy/manifests" / file).read_text()))


def container(helm: Helm, values: Object | None = None) -> Object:
    (operator,) = of_kind(helm.render(values), "StatefulSet")
    (found,) = operator["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(helm: Helm, values: Object | None = None) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in container(helm, values)["env"]}


def test_helm_lint_finds_nothing(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), values=EVERYTHING)


def test_each_object_has_the_labels_once_and_lies_in_the_release_s_namespace(helm: Helm) -> None:
    objects = helm.render(EVERYTHING, MUTATES, namespace="elsewhere")

    assert len({identity(item) for item in objects}) == len(objects)
    for item in objects:
        assert item["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm", identity(item)
        assert item["metadata"]["labels"]["team"] == "platform", identity(item)
        expected = None if item["kind"] in CLUSTER_WIDE else "elsewhere"
        assert item["metadata"].get("namespace") == expected, identity(item)
        accounts = [subject for subject in item.get("subjects", []) if subject["kind"] == "ServiceAccount"]
        assert all(account["namespace"] == "elsewhere" for account in accounts), identity(item)


def test_the_kinds_are_those_of_the_repository_and_are_kept(helm: Helm) -> None:
    files = [yaml.safe_load(file.read_text()) for file in sorted((REPOSITORY / "crds").glob("*.yaml"))]
    rendered = of_kind(helm.render(), "CustomResourceDefinition")

    assert [item["spec"] for item in rendered] == [item["spec"] for item in files]
    assert {str(item["metadata"]["annotations"]) for item in rendered} == {"{'helm.sh/resource-policy': 'keep'}"}
    unkept = of_kind(helm.render({"crds": {"keep": False}}), "CustomResourceDefinition")
    assert [item["metadata"].get("annotations") for item in unkept] == [None] * len(files)


@pytest.mark.parametrize("file", ["rbac.yaml", "admission.yaml", "admission-stamp.yaml"])
def test_the_chart_has_what_the_plain_manifests_have(helm: Helm, file: str) -> None:
    rendered = {identity(item): item for item in helm.render({}, MUTATES)}

    for item in plain(file):
        if item["kind"] in ("Namespace", "ServiceAccount"):
            continue
        ours = rendered[identity(item)]
        labels = item["metadata"].pop("labels", {})
        assert labels.items() <= ours["metadata"].pop("labels").items()
        assert ours == item


def test_another_service_account_gets_the_same_rights(helm: Helm) -> None:
    objects = helm.render({"serviceAccount": {"name": "heat-keeper"}})

    assert of_kind(objects, "ServiceAccount", "heat-keeper")
    bindings = of_kind(objects, "ClusterRoleBinding") + of_kind(objects, "RoleBinding")
    subjects = [subject for binding in bindings for subject in binding["subjects"]]
    assert {subject["name"] for subject in subjects if subject["kind"] == "ServiceAccount"} == {"heat-keeper"}
    (operator,) = of_kind(objects, "StatefulSet")
    assert operator["spec"]["template"]["spec"]["serviceAccountName"] == "heat-keeper"


@pytest.mark.parametrize(
    ("stamp", "served", "stamps"),
    [("Auto", True, True), ("Auto", False, False), ("Always", False, True), ("Never", True, False)],
)
def test_the_api_server_writes_who_asked_where_it_can(helm: Helm, stamp: str, served: bool, stamps: bool) -> None:
    objects = helm.render({"admissionPolicies": {"stamp": stamp}}, *([MUTATES] if served else []))
    assert bool(of_kind(objects, "MutatingAdmissionPolicy")) == stamps
    assert len(of_kind(objects, "ValidatingAdmissionPolicy")) == 3


def test_templates_are_those_of_stoker_templates(helm: Helm) -> None:
    files = sorted((REPOSITORY / "heat_templates").glob("*@v*.yaml"))
    objects = of_kind(helm.render({}, HAS_TEMPLATES), "VirtualMachineTemplate")

    assert [item["spec"] for item in objects] == [template_object(f.name, f.read_text())["spec"] for f in files]
    assert {str(item["metadata"]["annotations"]) for item in objects} == {"{'helm.sh/resource-policy': 'keep'}"}


def test_a_cluster_without_the_kind_gets_its_templates_after_it_as_the_release_s_own(helm: Helm) -> None:
    for item in of_kind(helm.render(namespace="elsewhere"), "VirtualMachineTemplate"):
        assert item["metadata"]["annotations"] == {
            "helm.sh/hook": "post-install",
            "helm.sh/resource-policy": "keep",
            "meta.helm.sh/release-name": "stoker",
            "meta.helm.sh/release-namespace": "elsewhere",
        }
        assert item["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


@pytest.mark.parametrize(
    ("values", "kind", "there"),
    [
        ({}, "PodDisruptionBudget", True),
        ({"replicas": 1}, "PodDisruptionBudget", False),
        ({"podDisruptionBudget": {"enabled": False}}, "PodDisruptionBudget", False),
        ({}, "NetworkPolicy", True),
        ({"networkPolicy": {"enabled": False}}, "NetworkPolicy", False),
        ({}, "PriorityClass", True),
        ({"priorityClass": {"create": False}}, "PriorityClass", False),
        ({}, "ServiceAccount", True),
        ({"serviceAccount": {"create": False}}, "ServiceAccount", False),
        ({"rbac": {"create": False}}, "ClusterRole", False),
        ({"crds": {"enabled": False}}, "CustomResourceDefinition", False),
        ({"templates": {"enabled": False}}, "VirtualMachineTemplate", False),
        ({"admissionPolicies": {"enabled": False, "stamp": "Always"}}, "MutatingAdmissionPolicy", False),
        ({"admissionPolicies": {"enabled": False}}, "ValidatingAdmissionPolicy", False),
        ({}, "ServiceMonitor", False),
        (EVERYTHING, "ServiceMonitor", True),
        ({}, "PrometheusRule", False),
        (EVERYTHING, "PrometheusRule", True),
        ({}, "ConfigMap", False),
        (EVERYTHING, "ConfigMap", True),
    ],
    ids=str,
)
def test_a_switch_switches(helm: Helm, values: Object, kind: str, there: bool) -> None:
    assert bool(of_kind(helm.render(values), kind)) == there


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, f"stoker:{yaml.safe_load((CHART / 'Chart.yaml').read_text())['appVersion']}"),
        ({"repository": "registry.example.org/stoker", "tag": "1.2"}, "registry.example.org/stoker:1.2"),
        ({"tag": "1.2", "digest": f"sha256:{'a' * 64}"}, f"stoker@sha256:{'a' * 64}"),
    ],
    ids=str,
)
def test_the_image_is_the_digest_else_the_tag_else_the_chart_s_version(
    helm: Helm, image: Object, expected: str
) -> None:
    assert container(helm, {"image": image})["image"] == expected


def test_the_default_values_are_the_operator_s_own_defaults(helm: Helm) -> None:
    given = environment(helm)
    for name in ("STOKER_NAMESPACE", "STOKER_IDENTITY", "STOKER_AUDIT_DIR"):
        del given[name]  # the first two are the pod's
    assert Settings.load(given) == Settings()


def test_a_setting_reaches_the_operator(helm: Helm) -> None:
    given = environment(helm, {"settings": {"operationTtlSeconds": 1e6, "workers": 8}, "extraEnv": [{"name": "A", "value": "b"}]})  # fmt: skip
    assert given["A"] == "b"
    settings = Settings.load({"STOKER_OPERATION_TTL_SECONDS": given["STOKER_OPERATION_TTL_SECONDS"], "STOKER_WORKERS": given["STOKER_WORKERS"]})  # fmt: skip
    assert (settings.operation_ttl_seconds, settings.workers) == (1e6, 8)


@pytest.mark.parametrize(
    ("audit", "claims", "volumes", "folder"),
    [
        ({}, ["audit"], ["tmp"], True),
        ({"ephemeral": True}, [], ["audit", "tmp"], True),
        ({"enabled": False}, [], ["tmp"], False),
    ],
    ids=str,
)
def test_the_audit_lies_on_a_volume_of_each_replica(
    helm: Helm, audit: Object, claims: list[str], volumes: list[str], folder: bool
) -> None:
    (operator,) = of_kind(helm.render({"audit": audit}), "StatefulSet")
    assert [claim["metadata"]["name"] for claim in operator["spec"].get("volumeClaimTemplates", [])] == claims
    pod = operator["spec"]["template"]["spec"]
    assert sorted(volume["name"] for volume in pod["volumes"]) == volumes
    mounts = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    assert ("/var/lib/stoker" in mounts) == ("STOKER_AUDIT_DIR" in environment(helm, {"audit": audit})) == folder


def test_more_objects_are_taken_as_they_are_and_as_templates(helm: Helm) -> None:
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}}
    assert of_kind(helm.render({"extraObjects": [extra]}), "ConfigMap", "stoker-more")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replcas": 3}, "additional properties 'replcas' not allowed"),
        ({"settings": {"polSeconds": 3}}, "at '/settings': additional properties 'polSeconds' not allowed"),
        ({"settings": {"workers": "many"}}, "at '/settings/workers': got string, want integer"),
        ({"image": {"digest": "latest"}}, "at '/image/digest': 'latest' does not match pattern"),
        ({"admissionPolicies": {"stamp": "Sometimes"}}, "value must be one of 'Auto', 'Always', 'Never'"),
        ({"audit": {"size": "much"}}, "at '/audit/size': 'much' does not match pattern"),
    ],
    ids=str,
)
def test_a_value_that_will_not_do_is_refused_and_named(helm: Helm, values: Object, said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        helm.render(values)
    assert said in str(refused.value)


def test_what_is_written_from_elsewhere_is_current() -> None:
    """Values, schema, README and copies; `make generate` writes them."""
    files = write_chart.generated()
    assert {path: (REPOSITORY / path).read_text() for path in files} == files
    copies = {path.relative_to(REPOSITORY) for path in (CHART / "files").glob("*/*")}
    assert copies == {path for path in files if path.parent.parent.name == "files"}


def test_the_plain_manifests_are_the_chart_s(helm: Helm) -> None:
    """`make manifests` writes them."""
    assert (REPOSITORY / write_chart.PLAIN).read_text() == write_chart.plain(helm.program)


def annotations() -> dict[str, Any]:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    return {key.removeprefix("artifacthub.io/"): yaml.safe_load(text) for key, text in chart["annotations"].items()}


def test_artifact_hub_is_told_of_every_kind() -> None:
    files = [yaml.safe_load(file.read_text()) for file in sorted((REPOSITORY / "crds").glob("*.yaml"))]
    kinds = {
        (crd["spec"]["names"]["kind"], crd["metadata"]["name"], crd["spec"]["versions"][0]["name"]) for crd in files
    }
    assert {(item["kind"], item["name"], item["version"]) for item in annotations()["crds"]} == kinds
    assert all(item["kind"] in {kind for kind, _, _ in kinds} for item in annotations()["crdsExamples"])


def test_the_chart_has_the_version_of_the_program() -> None:
    from stoker import __version__

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_rule_has_the_alerts_and_the_config_map_the_dashboard(helm: Helm) -> None:
    objects = helm.render({"metrics": {"prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}}})
    (rule,) = of_kind(objects, "PrometheusRule")
    (dashboard,) = (item for item in of_kind(objects, "ConfigMap") if "stoker.json" in item["data"])
    assert rule["spec"] == yaml.safe_load((REPOSITORY / "deploy/monitoring/alerts.yaml").read_text())
    assert dashboard["data"]["stoker.json"] == (REPOSITORY / "deploy/monitoring/dashboard.json").read_text()
