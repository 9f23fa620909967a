"""Objects that no person would write: the real API server refuses each at the door, with what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from localenv.settings import LocalSettings
from stoker.api.base import API_VERSION
from support.apiserver import DryRun

pytestmark = pytest.mark.kubernetes


@pytest.fixture(scope="module")
def server(onboarded: LocalSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DryRun]:
    server = DryRun(onboarded, tmp_path_factory.mktemp("hostile"))
    yield server
    server.close()


def vm(more: str) -> str:
    """Return a VM's text with that for a part of its spec."""
    head = f'{{"apiVersion": "{API_VERSION}", "kind": "VirtualMachine", "metadata": {{"name": "a"}}, "spec": {{'
    return head + f'"template": "a@v1", "image": "a", "flavor": "a", {more}}}}}'


VOLUMES = json.dumps([{"name": f"v{number}", "sizeGiB": 1} for number in range(10_000)])
RULES = json.dumps([{"protocol": "tcp", "ports": "1", "cidr": "0.0.0.0/0"}] * 100_000)


@pytest.mark.parametrize(
    ("part", "status", "said"),
    [
        pytest.param(f'"userData": "{"x" * 4_000_000}"', 413, "too large", id="4 MB"),
        pytest.param(f'"userData": "{"x" * 1_400_000}"', 422, "49149", id="1.4 MB of user data"),
        pytest.param('"userData": "' + "\U0001f525" * 12_288 + '"', 422, "49", id="user data too long in bytes alone"),
        pytest.param(f'"ingress": {RULES}', 413, "too large", id="a hundred thousand rules"),
        pytest.param(f'"volumes": {VOLUMES}', 422, "at most 8 items", id="ten thousand volumes"),
        pytest.param(f'"image": {"[" * 20_000}{"]" * 20_000}', 400, "depth", id="nested 20,000 deep"),
        pytest.param('"gpuCount": 9223372036854775808', 422, "gpuCount", id="an integer beyond 64 bits"),
        pytest.param('"gpuCount": NaN', 400, "invalid character", id="not a number"),
        pytest.param('"gpuCount": 1e400', 400, "", id="a number beyond all"),
        pytest.param('"image": "b"', 400, "duplicate field", id="a key twice"),
        pytest.param('"image\\u0000": "b"', 400, "unknown field", id="a key with a NUL"),
        pytest.param('"keyName": "a\\u0000b"', 422, "keyName", id="a name with a NUL"),
    ],
)  # fmt: skip
def test_an_odd_object_is_refused_with_what_is_wrong(server: DryRun, part: str, status: int, said: str) -> None:
    found, answer = server.send("virtualmachines", vm(part))
    assert (found, said in answer) == (status, True), f"{found} {answer[:600]}"


def test_user_data_of_as_many_bytes_as_nova_takes_is_taken(server: DryRun) -> None:
    assert server.send("virtualmachines", vm(f'"userData": "{"x" * 49_149}"'))[0] == 201
    assert server.send("virtualmachines", vm(f'"userData": "{"x" * 49_150}"'))[0] == 422
