"""What is delivered: the image, and the workflows that build and check it. No container engine is needed to read them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = re.sub(r"\\\n", "", re.sub(r"^#.*\n", "", (ROOT / "deploy/Dockerfile").read_text(), flags=re.MULTILINE))
STAGES = [stage.splitlines() for stage in re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def instructions(name: str, stage: int) -> list[str]:
    """Return the arguments of an instruction in a stage; 0 is what comes before the first."""
    return [line.removeprefix(f"{name} ") for line in STAGES[stage] if line.startswith(f"{name} ")]


def pins(file: str) -> dict[str, str]:
    """Return package → version of a file of requirements."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / file).read_text(), re.MULTILINE))


def test_every_stage_of_the_image_is_from_one_base_pinned_by_digest() -> None:
    (base,) = instructions("ARG", 0)
    assert re.fullmatch(r"PYTHON=python:\d+\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert [line.split()[1] for stage in STAGES[1:] for line in stage if line.startswith("FROM ")] == ["${PYTHON}"] * 2


def test_the_image_runs_as_nobody_and_as_the_manifests_say() -> None:
    (user,) = instructions("USER", -1)
    pod = next(
        found
        for found in yaml.safe_load_all((ROOT / "deploy/operator.yaml").read_text())
        if found and found["kind"] == "StatefulSet"
    )["spec"]["template"]["spec"]["securityContext"]
    assert user == f"{pod['runAsUser']}:{pod['runAsGroup']}" == "65532:65532"


def test_the_image_starts_a_program_of_the_project() -> None:
    (entry,), (command,) = instructions("ENTRYPOINT", -1), instructions("CMD", -1)
    assert yaml.safe_load(entry)[0] in PROJECT["project"]["scripts"]
    assert yaml.safe_load(command) == ["run"]


def test_everything_installed_has_its_hash_and_nothing_is_installed_in_the_last_stage() -> None:
    installs = re.findall(r"pip [^&]*?install ([^&]*)", "\n".join(instructions("RUN", 1)))
    assert len(installs) == 3
    assert all("--require-hashes" in each or "--no-deps dist/" in each for each in installs)
    assert not re.search(r"apt|install", " ".join(instructions("RUN", -1)))


@pytest.mark.parametrize("file", ["deploy/requirements.txt", "deploy/requirements-build.txt"])
def test_what_the_image_installs_is_what_the_lock_says(file: str) -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    locked = {(package["name"], package["version"]) for package in lock["package"]}
    assert pins(file)
    assert set(pins(file).items()) <= locked, "run `make lock`"


def test_the_image_has_all_that_the_operator_imports_and_the_builder_that_the_project_names() -> None:
    names = {re.split(r"[<>=\[ ]", text)[0] for text in PROJECT["project"]["dependencies"]}
    assert names <= pins("deploy/requirements.txt").keys()
    (builder,) = PROJECT["build-system"]["requires"]
    assert builder == f"hatchling=={pins('deploy/requirements-build.txt')['hatchling']}"


def test_only_what_the_image_copies_is_sent_to_its_builder() -> None:
    _, *ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    allowed = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {part for line in instructions("COPY", 1) for part in line.split()[:-1]}
    assert copied == allowed


def test_the_tests_run_on_the_oldest_python_and_on_the_image_s() -> None:
    matrix = yaml.safe_load(WORKFLOWS[0].read_text())["jobs"]["test"]["strategy"]["matrix"]["python"]
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    (image,) = re.findall(r"python:(\d+\.\d+)\.", DOCKERFILE)
    assert matrix == [oldest, image]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_few_rights_pinned_actions_and_targets_that_exist(file: Path) -> None:
    text = file.read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    assert all(job["timeout-minutes"] for job in workflow["jobs"].values())
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {target for line in re.findall(r"run: .*\bmake ([a-z -]+)", text) for target in line.split()}
    assert asked <= targets
