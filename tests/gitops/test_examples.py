"""The example repositories: whatever stands in them would be taken by the API server, and fits together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from localenv.settings import REPOSITORY
from stoker.api.base import API_VERSION
from stoker.api.kinds import KINDS
from stoker.core.templates import template_object

EXAMPLES = REPOSITORY / "deploy" / "examples" / "gitops"
SOURCES = {"https://git.example.org/platform.git": "platform", "https://git.example.org/team-a.git": "team-a"}
"""Repository → the folder that shows it."""

OBJECTS = [
    (path.relative_to(EXAMPLES), resource)
    for path in sorted(EXAMPLES.rglob("*.yaml"))
    for resource in yaml.safe_load_all(path.read_text())
]
OURS = [(path, resource) for path, resource in OBJECTS if resource["apiVersion"] == API_VERSION]


def of(kind: str) -> list[dict[str, Any]]:
    return [resource for _, resource in OBJECTS if resource["kind"] == kind]


def folder(source: dict[str, Any]) -> Path:
    """Return the folder of a repository's path."""
    return EXAMPLES / SOURCES[source["repoURL"]] / source["path"]


@pytest.mark.parametrize(("path", "resource"), OURS, ids=[str(path) for path, _ in OURS])
def test_an_object_of_ours_is_valid(path: Path, resource: dict[str, Any]) -> None:
    kind = next(kind for kind in KINDS if kind.kind == resource["kind"])
    kind.spec.model_validate(resource["spec"])  # unknown fields, and the rules across fields
    definition = yaml.safe_load((REPOSITORY / "crds" / f"stoker.dev_{kind.plural}.yaml").read_text())
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    jsonschema.Draft4Validator(schema).validate(resource)
    assert ("namespace" in resource["metadata"]) == kind.namespaced


def test_every_kind_that_people_write_is_shown() -> None:
    assert {resource["kind"] for _, resource in OURS} == {
        "Cloud",
        "Tenant",
        "VirtualMachineTemplate",
        "VirtualMachine",
    }


def test_what_vms_and_tenants_refer_to_is_there() -> None:
    (tenant,), clouds = of("Tenant"), {cloud["metadata"]["name"] for cloud in of("Cloud")}
    namespaces = {namespace["metadata"]["name"] for namespace in of("Namespace")}
    assert tenant["spec"]["cloud"] in clouds
    assert set(tenant["spec"]["namespaces"]) == namespaces
    templates = {f"{one['spec']['family']}@v{one['spec']['version']}" for one in of("VirtualMachineTemplate")}
    for vm in of("VirtualMachine"):
        assert vm["spec"]["template"] in templates
        assert vm["metadata"]["namespace"] in namespaces


def test_every_application_and_kustomization_leads_to_a_folder_with_manifests() -> None:
    sources = [application["spec"]["source"] for application in of("Application")]
    urls = {one["metadata"]["name"]: one["spec"]["url"] for one in of("GitRepository")}
    sources += [
        {"repoURL": urls[one["spec"]["sourceRef"]["name"]], "path": one["spec"]["path"]} for one in of("Kustomization")
    ]
    assert len(sources) == 13
    for source in sources:
        assert list(folder(source).rglob("*.yaml")), source


def test_a_team_s_applications_stay_within_its_project() -> None:
    (project,) = of("AppProject")
    allowed = project["spec"]
    kinds = {(one["group"], one["kind"]) for one in allowed["namespaceResourceWhitelist"]}
    for application in of("Application"):
        spec = application["spec"]
        if spec["project"] == project["metadata"]["name"]:
            assert spec["destination"] in allowed["destinations"]
            assert spec["source"]["repoURL"] in allowed["sourceRepos"]
            for manifest in folder(spec["source"]).rglob("*.yaml"):
                assert ("stoker.dev", yaml.safe_load(manifest.read_text())["kind"]) in kinds


def test_the_template_is_the_released_one() -> None:
    file = REPOSITORY / "heat_templates" / "ubuntu-basic@v1.yaml"
    assert of("VirtualMachineTemplate") == [template_object(file.name, file.read_text())], "run `make generate`"


def test_no_credentials_are_in_git() -> None:
    assert of("Secret") == []
