"""The policies' text: what it must share with the code, and the two files with each other."""

from __future__ import annotations

import re
from typing import Any

import yaml

from localenv.settings import REPOSITORY
from stoker.core.identity import FINALIZER, ID_ANNOTATION
from stoker.core.recorded import DELETE_REQUESTED_BY, LONGEST_NAME, REQUESTED_BY
from stoker.kube.policies import FILES, POLICIES, VALIDATING

STAMPS = {ID_ANNOTATION, REQUESTED_BY, DELETE_REQUESTED_BY}
"""Annotations that say who and which: no commands."""

FINALIZERS = {FINALIZER, "stoker.dev/operation", "stoker.dev/tenant", "stoker.dev/kopf"}
LABELS = {"stoker.dev/vm", "stoker.dev/vm-id", "stoker.dev/idempotency-key-hash"}
ELSEWHERE = {"stoker.dev/confirm-orphans", "stoker.dev/vm-namespace", "stoker.dev/stack-name", "stoker.dev/project"}
"""Annotations of Tenants, and of the marks of retained stacks: no VM has them."""

CLIENTS = {"stoker.dev/idempotency-spec-hash"}
"""What the typed client notes for itself; the operator does not read it."""


def documents(file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((REPOSITORY / file).read_text()))


def variables(name: str) -> dict[str, str]:
    """Return a policy's variables."""
    found = next(
        item for file in FILES.values() for item in documents(file)
        if item["metadata"]["name"] == name and "variables" in item["spec"]
    )  # fmt: skip
    return {item["name"]: item["expression"] for item in found["spec"]["variables"]}


def test_every_annotation_of_the_code_is_a_stamp_or_a_command() -> None:
    """When this fails, an annotation is new: add it to `commands` in both files, or to one of the sets above."""
    source = "".join(file.read_text() for file in (REPOSITORY / "operator/stoker").rglob("*.py"))
    words = set(re.findall(r'= f?"(?:\{GROUP\}|stoker\.dev)/([a-z-]+)"', source))
    commands = set(re.findall(r"'(stoker\.dev/[a-z-]+)'", variables("stoker-requester")["commands"]))

    assert {f"stoker.dev/{word}" for word in words} - STAMPS - FINALIZERS - LABELS - ELSEWHERE - CLIENTS <= commands
    assert not commands & STAMPS


def test_both_files_compute_the_stamps_in_the_same_way() -> None:
    stamping = variables("stoker-requester")
    del stamping["wanted"]

    assert stamping == variables("stoker-virtualmachines")
    assert str(LONGEST_NAME) in stamping["user"]


def test_each_policy_has_a_binding_and_stoker_check_knows_it() -> None:
    for resource, file in FILES.items():
        names = {name for name, of in POLICIES.items() if of == resource}
        found = [(item["kind"], item["metadata"]["name"]) for item in documents(file)]
        kind = "ValidatingAdmissionPolicy" if resource == VALIDATING else "MutatingAdmissionPolicy"
        assert sorted(found) == sorted([(kind, name) for name in names] + [(f"{kind}Binding", name) for name in names])


def test_the_operator_may_read_each_policy_and_no_other() -> None:
    (operator,) = (item for item in documents("deploy/manifests/rbac.yaml") if item["metadata"]["name"] == "stoker-operator" and item["kind"] == "ClusterRole")  # fmt: skip
    (rule,) = (rule for rule in operator["rules"] if rule["apiGroups"] == ["admissionregistration.k8s.io"])
    assert (set(rule["resourceNames"]), rule["verbs"]) == (set(POLICIES), ["get"])
