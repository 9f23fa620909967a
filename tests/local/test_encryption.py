"""Secrets at rest in the local cluster: what etcd itself holds, read past the API server."""

from __future__ import annotations

import base64
import json
import secrets
import stat
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import onboard
from localenv.access import Access
from localenv.encryption import configuration, is_set_up
from localenv.settings import PORTS, LocalSettings

NAME = "at-rest"


def in_etcd(local: LocalSettings, key: str) -> bytes:
    """Return the value that etcd has under a key, by its JSON gateway."""
    body = json.dumps({"key": base64.b64encode(key.encode()).decode()}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(local.url("ETCD", "/v3/kv/range"), body, timeout=30) as answer:
        found = json.loads(answer.read()).get("kvs", [])
    return base64.b64decode(found[0]["value"]) if found else b""


@pytest.fixture
def marker(onboarded: LocalSettings) -> Iterator[str]:
    """A text in a Secret and, the same, in a ConfigMap."""
    marker = secrets.token_hex(32)
    common = {"apiVersion": "v1", "metadata": {"name": NAME, "namespace": onboard.NAMESPACE}}
    objects = [{**common, "kind": "Secret", "stringData": {"password": marker}}]
    objects += [{**common, "kind": "ConfigMap", "data": {"password": marker}}]
    onboard.apply(onboarded, objects)
    yield marker
    onboard.kubectl(onboarded, "delete", "secret,configmap", NAME, "-n", onboard.NAMESPACE)


@pytest.mark.kubernetes
def test_etcd_holds_no_byte_of_a_secret_in_the_clear(onboarded: LocalSettings, marker: str) -> None:
    stored = in_etcd(onboarded, f"/registry/secrets/{onboard.NAMESPACE}/{NAME}")
    assert stored.startswith(b"k8s:enc:secretbox:v1:local:")
    parts = [marker[at : at + 8] for at in range(len(marker) - 7)]
    for text in (*parts, base64.b64encode(marker.encode()).decode()[:16], "password"):
        assert text.encode() not in stored
    read = onboard.kubectl(onboarded, "get", "secret", NAME, "-n", onboard.NAMESPACE, "-o", "json")
    assert base64.b64decode(json.loads(read)["data"]["password"]).decode() == marker


@pytest.mark.kubernetes
def test_the_same_look_finds_what_is_in_the_clear(onboarded: LocalSettings, marker: str) -> None:
    """Else the test above would show nothing."""
    assert marker.encode() in in_etcd(onboarded, f"/registry/configmaps/{onboard.NAMESPACE}/{NAME}")


@pytest.mark.kubernetes
def test_credentials_of_the_teams_are_encrypted_too(onboarded: LocalSettings) -> None:
    for team in onboard.TEAMS:
        key = f"/registry/secrets/{onboard.NAMESPACE}/{team}-openstack"
        assert in_etcd(onboarded, key).startswith(b"k8s:enc:secretbox:v1:local:")


def test_the_key_is_the_environments_own_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    def keys(name: str) -> str:
        access = Access(LocalSettings(state=tmp_path / name, cache=tmp_path, ports=dict(PORTS)))
        assert not is_set_up(access)
        file = configuration(access)
        assert is_set_up(access)
        text = file.read_text()
        assert configuration(access).read_text() == text, "made once"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        found: str = json.loads(text)["resources"][0]["providers"][0]["secretbox"]["keys"][0]["secret"]
        assert len(base64.b64decode(found)) == 32
        return found

    assert keys("one") != keys("two")
