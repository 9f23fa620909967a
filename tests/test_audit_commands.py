"""`stoker audit`: what is wrong is said with file, line and advice, and the exit code says whether anything is."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from stoker.audit.files import file_name
from stoker.cli import main
from stoker.core.anchor import anchored
from stoker.core.audit import Anchor, Head, Kind, Record, seal
from stoker.core.tampering import ADVICE, Tampering
from support.chain import RECORD, chain
from support.kube_store import KubeStore, refusal

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs `stoker audit` and returns exit code, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["audit", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A chain of six records in two files."""
    lines = chain(6)
    folder = tmp_path / "audit"
    folder.mkdir()
    (folder / file_name(1)).write_bytes(b"".join(lines[:4]))
    (folder / file_name(5)).write_bytes(b"".join(lines[4:]))
    return folder


def saved(folder: Path, sequence: int, name: str = "c1") -> Path:
    """Return a file with the ConfigMap as kubectl prints it, which anchors that record of that chain."""
    body = json.loads(chain(sequence, name)[-1])
    data = anchored(Anchor(Head(name, sequence, body["hash"]), 3))
    file = folder.parent / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "data": data}))
    return file


def test_a_chain_as_it_was_written_is_ok(ask: Ask, folder: Path) -> None:
    assert ask("verify", folder) == (
        0,
        f"ok    {folder}: chain c1, records 1 to 6\n"
        "note  without --cluster or --anchor, a cut-off end or a wholly new chain cannot be seen\n",
        "",
    )


def test_records_after_the_anchor_are_a_valid_tail(ask: Ask, folder: Path) -> None:
    ok = f"ok    {folder}: chain c1, records 1 to 6, anchored up to"
    assert ask("verify", folder, "--anchor", saved(folder, 6)) == (0, f"{ok} 6 in epoch 3\n", "")
    tail = f"{ok} 4 in epoch 3; the 2 after it are a valid tail\n"
    assert ask("verify", folder, "--anchor", saved(folder, 4)) == (0, tail, "")


def test_the_folder_of_the_settings_is_read_when_none_is_named(
    ask: Ask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOKER_AUDIT_DIR", str(folder))
    assert ask("verify")[0] == 0
    assert len(ask("tail", "-n", 3)[1].splitlines()) == 3


def edit(folder: Path) -> None:
    file = folder / file_name(1)
    file.write_bytes(file.read_bytes().replace(b"alice", b"mallo", 1))


def remove(folder: Path) -> None:
    (folder / file_name(1)).unlink()


def reorder(folder: Path) -> None:
    file = folder / file_name(1)
    first, second, *rest = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([second, first, *rest]))


def truncate(folder: Path) -> None:
    (folder / file_name(5)).unlink()


def rewrite(folder: Path) -> None:
    lines, head = [], Head("c1")
    for _ in range(6):
        line, head = seal(replace(RECORD, requested_by="mallory"), head)
        lines.append(line)
    (folder / file_name(1)).write_bytes(b"".join(lines[:4]))
    (folder / file_name(5)).write_bytes(b"".join(lines[4:]))


@pytest.mark.parametrize(
    ("tamper", "name", "where"),
    [
        (edit, Tampering.EDITED, f"{file_name(1)}:1"),
        (remove, Tampering.REMOVED, f"{file_name(5)}:1"),
        (reorder, Tampering.REORDERED, f"{file_name(1)}:1"),
        (truncate, Tampering.TRUNCATED, "the end"),
        (rewrite, Tampering.REPLACED, f"{file_name(5)}:2"),
    ],
)
def test_each_tampering_ends_with_1_its_name_its_line_and_what_to_do(
    ask: Ask, folder: Path, tamper: Callable[[Path], None], name: Tampering, where: str
) -> None:
    anchor = saved(folder, 6)
    tamper(folder)
    code, said, err = ask("verify", folder, "--anchor", anchor)
    assert (code, err) == (1, "")
    assert said.startswith("FAIL  ")
    assert f"{where}: {name}: " in said
    assert ADVICE[name] in said


def test_a_wholly_new_chain_is_told_from_the_one_that_was_anchored(ask: Ask, folder: Path) -> None:
    code, said, _ = ask("verify", folder, "--anchor", saved(folder, 6, "c0"))
    assert code == 1
    assert "the chain c1 is not anchored" in said
    assert "the chain c0, anchored up to record 6, is not here" in said


def test_the_chain_of_a_lost_volume_is_accounted_for_by_its_copy(ask: Ask, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / file_name(1)).write_bytes(b"".join(chain(3, "c0")))
    anchors = (
        yaml.safe_load(saved(folder, 6).read_text())["data"]
        | yaml.safe_load(saved(folder, 3, "c0").read_text())["data"]
    )
    both = tmp_path / "both.json"
    both.write_text(json.dumps({"data": anchors}))
    assert ask("verify", folder, "--anchor", both)[0] == 1
    code, said, _ = ask("verify", folder, other, "--anchor", both)
    assert code == 0
    assert "record 3, CreateStack for team-a/web-1, has no outcome" in said


async def test_the_anchors_of_the_replica_that_wrote_are_read_from_the_cluster(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    async with KubeStore() as store:
        user = {"name": "me", "user": {"token": "t"}}
        cluster = {"name": "here", "cluster": {"server": store.url}}
        context = {"name": "it", "context": {"cluster": "here", "user": "me"}}
        config.write_text(
            yaml.safe_dump(
                {"users": [user], "clusters": [cluster], "contexts": [context], "current-context": "it"}
                | {"apiVersion": "v1", "kind": "Config"}
            )
        )

        async def verify() -> tuple[int | None, str]:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "stoker", "audit", "verify", str(folder), "--cluster",
                env={**os.environ, "KUBECONFIG": str(config), "STOKER_NAMESPACE": "system"},
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            out, _ = await process.communicate()
            return process.returncode, out.decode()

        code, said = await verify()
        assert (code, "the chain c1 is not anchored" in said) == (1, True), said
        stored = yaml.safe_load(saved(folder, 6).read_text()) | {"metadata": {"name": "x"}}
        store.store("/api/v1/namespaces/system/configmaps/stoker-audit-replica-1", stored)
        assert await verify() == (0, f"ok    {folder}: chain c1, records 1 to 6, anchored up to 6 in epoch 3\n")
        store.answer = refusal(403, "Forbidden")
        code, said = await verify()
        assert (code, "the ConfigMap system/stoker-audit-replica-1: 403 Forbidden" in said) == (2, True), said


def test_files_by_themselves_are_a_part_of_a_chain(ask: Ask, folder: Path) -> None:
    code, said, _ = ask("verify", folder / file_name(5), "--anchor", saved(folder, 4))
    assert code == 0
    assert "records 5 to 6; the anchor, record 4, is older than these files" in said
    code, said, _ = ask("verify", folder / file_name(1), folder / file_name(5))
    assert (code, "records 1 to 6" in said) == (0, True)


def test_an_empty_folder_is_no_finding_unless_something_was_anchored(ask: Ask, folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert ask("verify", empty)[:2][0] == 0
    assert ask("verify", empty, "--anchor", saved(folder, 6))[0] == 1
    (empty / file_name(1)).touch()
    assert "no record yet" in ask("verify", empty)[1]


def test_what_cannot_be_read_ends_with_2(ask: Ask, folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: [")
    lists = tmp_path / "lists.json"
    lists.write_text("[]")
    for arguments, message in (
        (("verify",), "nothing to read"),
        (("verify", tmp_path / "none"), "No such file"),
        (("verify", folder, "--anchor", tmp_path / "none"), "No such file"),
        (("verify", folder, "--anchor", bad), "bad.yaml"),
        (("verify", folder, "--anchor", lists), "lists.json: not a ConfigMap"),
        (("export", folder, "--since", "yesterday"), "'yesterday' is no time"),
    ):
        code, out, err = ask(*arguments)
        assert (code, out) == (2, ""), arguments
        assert message in err


def test_a_tail_is_for_people(ask: Ask, tmp_path: Path) -> None:
    note, head = seal(Record(Kind.NOTE, "Start", RECORD.time, RECORD.holder, 1, detail="a new chain begins"), Head("c"))
    intent, head = seal(RECORD, head)
    done, _ = seal(replace(RECORD, kind=Kind.OUTCOME, intent=2, outcome="Refused", error="Forbidden"), head)
    file = tmp_path / "file"
    file.write_bytes(note + intent + done)
    assert ask("tail", file)[1].splitlines() == [
        "       1 2026-01-01T12:00:00.000Z Note    Start       a new chain begins (replica-1_0a0b0c0d)",
        "       2 2026-01-01T12:00:00.000Z Intent  CreateStack team-a/web-1 reason=Creating requested_by=alice",
        "       3 2026-01-01T12:00:00.000Z Outcome CreateStack team-a/web-1 outcome=Refused error=Forbidden "
        "reason=Creating requested_by=alice",
    ]
    assert ask("tail", "-n", 1, file)[1].startswith("       3 ")


def test_broken_lines_are_left_out_and_said(ask: Ask, folder: Path) -> None:
    edit(folder)
    code, out, err = ask("tail", folder)
    assert (code, len(out.splitlines())) == (1, 5)
    assert err == f"stoker: {folder / file_name(1)}:1: broken, left out; see `stoker audit verify`\n"
    assert ask("export", folder)[0] == 1


def test_an_export_gives_the_lines_as_they_are(ask: Ask, folder: Path) -> None:
    code, out, _ = ask("export", folder)
    assert (code, out.encode()) == (0, b"".join(chain(6)))


def test_an_export_is_of_a_span(ask: Ask, tmp_path: Path) -> None:
    head, lines = Head("c"), []
    for hour in range(4):
        line, head = seal(replace(RECORD, time=f"2026-01-01T{hour:02}:00:00.000Z"), head)
        lines.append(line)
    file = tmp_path / "file"
    file.write_bytes(b"".join(lines))
    assert ask("export", file, "--since", "2026-01-01T01:00:00Z")[1].encode() == b"".join(lines[1:])
    span = ("--since", "2026-01-01T02:00:00+01:00", "--until", "2026-01-01T03:00:00")
    assert ask("export", file, *span)[1].encode() == b"".join(lines[1:3])


def test_a_table_runs_no_formula_of_a_requester(ask: Ask, tmp_path: Path) -> None:
    line, _ = seal(replace(RECORD, requested_by="=cmd()"), Head("c"))
    file = tmp_path / "file"
    file.write_bytes(line)
    code, out, _ = ask("export", file, "--format", "csv")
    [row] = csv.DictReader(io.StringIO(out))
    assert (code, row["requested_by"], row["sequence"], row["vm"]) == (0, "'=cmd()", "1", "web-1")
