"""The command: data on standard output, talk on standard error, and an exit code that means something."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stoker import __version__
from stoker.cli import main

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "deploy/examples").glob("vm-*.yaml"))
HEAT_TEMPLATES = ROOT / "heat_templates"


def render(file: Path, *more: str) -> int:
    return main(["render", str(file), "--templates", str(HEAT_TEMPLATES), *more])


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize("arguments", [[], ["explode"], ["render"], ["crds", "--nonsense"]])
def test_a_wrong_call_ends_with_2_and_says_why(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    captured = capsys.readouterr()
    assert caught.value.code == 2
    assert captured.out == ""
    assert "usage: stoker" in captured.err


def test_a_wrong_setting_ends_with_2_and_names_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("STOKER_WORKERS", "many")
    assert main(["crds"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "stoker: STOKER_WORKERS: 'many' is not a whole number\n"


def test_crds_in_the_repository_are_those_of_the_code(tmp_path: Path):
    assert main(["crds", "--output", str(tmp_path / "new/folder")]) == 0
    written = {file.name: file.read_text() for file in (tmp_path / "new/folder").iterdir()}
    assert written == {file.name: file.read_text() for file in (ROOT / "crds").glob("*.yaml")}, "run `make crds`"


def test_crds_on_standard_output_are_one_stream(capsys: pytest.CaptureFixture[str]):
    assert main(["crds"]) == 0
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    assert {document["kind"] for document in documents} == {"CustomResourceDefinition"}
    assert len(documents) == len(list((ROOT / "crds").glob("*.yaml")))


def test_templates_are_printed_as_objects(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(ROOT)
    assert main(["templates"]) == 0
    by_default = capsys.readouterr().out
    documents = list(yaml.safe_load_all(by_default))
    assert {document["kind"] for document in documents} == {"VirtualMachineTemplate"}
    files = sorted(HEAT_TEMPLATES.glob("*@v*.yaml"))
    assert len(documents) == len(files)
    assert main(["templates", *map(str, files)]) == 0
    assert capsys.readouterr().out == by_default


def test_no_templates_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    assert main(["templates"]) == 2
    assert "no template files" in capsys.readouterr().err


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_example_renders(file: Path, capsys: pytest.CaptureFixture[str]):
    assert render(file, "--network", "blue", "--external-network", "red") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    facts, hot = yaml.safe_load_all(captured.out)
    manifest = next(item for item in yaml.safe_load_all(file.read_text()) if item["kind"] == "VirtualMachine")
    assert facts["parameters"]["image"] == manifest["spec"]["image"]
    assert (facts["parameters"]["network"], facts["parameters"]["external_network"]) == ("blue", "red")
    assert set(facts["parameters"]) >= set(hot["parameters"])
    assert render(file, "--network", "blue", "--external-network", "red") == 0
    assert capsys.readouterr().out == captured.out, "the same manifest gives the same document"


def test_there_are_examples():
    assert EXAMPLES


def test_a_secret_is_named_and_never_read(capsys: pytest.CaptureFixture[str]):
    assert render(ROOT / "deploy/examples/vm-userdata-secret.yaml") == 0
    assert "<from the Secret>" in capsys.readouterr().out


VM = """\
apiVersion: stoker.dev/v1alpha1
kind: VirtualMachine
metadata: {name: web}
spec: {template: linux-vm@v999, image: cirros, flavor: m1.tiny}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected one VirtualMachine, found 0"),
        ("kind: ConfigMap", "expected one VirtualMachine, found 0"),
        (f"{VM}---\n{VM}", "expected one VirtualMachine, found 2"),
        (VM.replace("cirros", "5"), "spec.image"),
        (VM.replace("flavor", "flavour"), "spec.flavour"),
        (VM, "linux-vm@v999"),
        ("kind: [VirtualMachine", "not YAML"),
        ("{1: 2}: \x00", "not YAML"),
    ],
)
def test_a_bad_manifest_ends_with_2_and_says_what_is_wrong(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "vm.yaml"
    file.write_text(text)
    assert render(file) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"stoker: {file}: ")
    assert expected in captured.err


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert render(tmp_path / "none.yaml") == 2
    assert "none.yaml" in capsys.readouterr().err
