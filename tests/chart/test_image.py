"""The image's recipe fits the chart and the Makefile; where there is a container engine, it is built."""

from __future__ import annotations

import json
import re

from localenv.settings import REPOSITORY
from support.chart import Helm, of_kind

RECIPE = (REPOSITORY / "deploy/Dockerfile").read_text()


def instruction(name: str) -> str:
    """Return the last of a name's arguments, those of the final stage."""
    return re.findall(rf"^{name} (.+)$", RECIPE, re.MULTILINE)[-1]


def test_the_image_runs_as_the_chart_s_user_and_takes_its_arguments(helm: Helm) -> None:
    (operator,) = of_kind(helm.render(), "StatefulSet")
    pod = operator["spec"]["template"]["spec"]
    assert instruction("USER") == f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert json.loads(instruction("ENTRYPOINT"))[-1].endswith("/stoker")
    assert json.loads(instruction("CMD")) == pod["containers"][0]["args"]


def test_packages_are_those_of_the_lock_by_hash_resolved_by_the_makefile_s_uv() -> None:
    (version,) = re.findall(r"^UV_VERSION := (\S+)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert f"ARG UV_VERSION={version}" in RECIPE
    assert "--require-hashes" in RECIPE
    assert "--frozen" in RECIPE


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    let_in = set(re.findall(r"^!(\S+)$", (REPOSITORY / "deploy/Dockerfile.dockerignore").read_text(), re.MULTILINE))
    copied = {
        source
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", RECIPE, re.MULTILINE)
        for source in sources.split()
    }
    assert copied == let_in
