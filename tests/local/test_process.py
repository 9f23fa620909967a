"""Processes are started once, stopped by identity, and waited for with their log as the explanation."""

import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localenv.process import Process, locked, require_free, run, wait_for
from localenv.settings import HOST, PORTS, LocalSettings

SLEEP = ("sleep", "300")


@pytest.fixture
def settings(tmp_path: Path) -> LocalSettings:
    return LocalSettings(state=tmp_path / "state", cache=tmp_path / "cache", ports=dict(PORTS))


@pytest.fixture
def process(settings: LocalSettings) -> Iterator[Process]:
    process = Process("sleeper", settings)
    yield process
    process.stop()


def test_a_running_process_tells_what_it_was_started_with(process: Process) -> None:
    assert not process.was_started_with("300")
    process.start(SLEEP)
    assert process.was_started_with("300")
    assert not process.was_started_with("30")


def test_a_started_process_is_known_until_it_is_stopped(process: Process) -> None:
    process.start(SLEEP)
    pid = process.pid()
    process.stop()

    assert pid is not None
    assert process.pid() is None
    assert not process.pid_file.exists()


def test_a_second_start_leaves_the_running_process_alone(process: Process) -> None:
    process.start(SLEEP)
    first = process.pid()
    process.start(SLEEP)

    assert process.pid() == first


def test_a_pid_that_another_process_took_over_is_never_signalled(process: Process) -> None:
    with subprocess.Popen(SLEEP) as stranger:
        process.pid_file.parent.mkdir(parents=True)
        process.pid_file.write_text(json.dumps({"pid": stranger.pid, "started": "1"}))

        process.stop()

        assert process.pid() is None
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("content", ["", "not json", "{}", '{"pid": 1}', '{"pid": 1, "started": null}'])
def test_a_damaged_pid_file_means_not_running(process: Process, content: str) -> None:
    process.pid_file.parent.mkdir(parents=True)
    process.pid_file.write_text(content)

    assert process.pid() is None


def test_a_process_that_ignores_the_request_is_killed(process: Process, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    process.start(["sh", "-c", f"trap '' TERM; touch {deaf}; while :; do sleep 0.1; done"])
    process.wait_ready(deaf.exists, timeout=30)

    process.stop(grace=0.2)

    assert process.pid() is None


def test_a_process_that_dies_is_reported_with_the_end_of_its_log(process: Process) -> None:
    process.start(["sh", "-c", "echo the disk is full; exit 3"])

    with pytest.raises(SystemExit, match=r"sleeper died(.|\n)*the disk is full"):
        process.wait_ready(lambda: False, timeout=30)


def test_a_process_that_hangs_is_reported_as_not_ready(process: Process) -> None:
    process.start(SLEEP)

    with pytest.raises(SystemExit, match="sleeper did not become ready"):
        process.wait_ready(lambda: False, timeout=0)


def test_a_taken_port_is_reported_with_the_variable_that_moves_it(settings: LocalSettings) -> None:
    with socket.create_server((HOST, 0)) as server:
        settings.ports["ETCD"] = port = server.getsockname()[1]

        with pytest.raises(SystemExit, match=f"port {port} is in use .* STOKER_PORT_ETCD"):
            require_free(settings, "ETCD")

    require_free(settings, "ETCD")


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    said = io.StringIO()  # pytest's own capture, read while another thread writes, may drop what is written meanwhile
    monkeypatch.setattr(sys, "stderr", said)

    def second() -> None:
        with locked(tmp_path / "lock", "waiting for the first"):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(tmp_path / "lock", "never said"):
        thread.start()
        assert wait_for(lambda: "waiting for the first" in said.getvalue(), timeout=30)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]
    assert "never said" not in said.getvalue()


def test_a_failing_command_is_reported_with_its_output() -> None:
    with pytest.raises(SystemExit, match=r"exit code 4: sh -c(.|\n)*no space"):
        run(["sh", "-c", "echo no space; exit 4"])


def test_a_command_returns_what_it_printed() -> None:
    assert run(["sh", "-c", "echo $COLOR; pwd"], env={"COLOR": "red"}, cwd=Path("/")) == f"red{os.linesep}/{os.linesep}"
