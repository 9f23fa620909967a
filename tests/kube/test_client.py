"""The Kubernetes client: merge patches that say exactly the difference, and errors without foreign text."""

from __future__ import annotations

import copy
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from stoker.kube.client import (
    LONGEST_RETRY_AFTER,
    MERGE_PATCH,
    Access,
    KubeClient,
    KubeError,
    _error,
    merge_patch,
    open_session,
    path,
)
from support.kube_store import KubeStore, refusal

LEAVES = st.one_of(st.booleans(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
OBJECTS = st.dictionaries(
    st.sampled_from("abcd"),
    st.recursive(LEAVES, lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3), max_leaves=6),
    max_size=4,
)


def applied(target: Any, patch: Any) -> Any:
    """Apply a merge patch, as RFC 7386 defines it (section 2)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = applied(result.get(key), value)
    return result


@given(OBJECTS, OBJECTS)
def test_the_patch_makes_new_of_old(old: dict[str, Any], new: dict[str, Any]):
    before = copy.deepcopy((old, new))
    assert applied(old, merge_patch(old, new)) == new
    assert (old, new) == before


@given(OBJECTS)
def test_equal_objects_need_no_patch(value: dict[str, Any]):
    assert merge_patch(value, copy.deepcopy(value)) == {}


@given(OBJECTS, OBJECTS)
def test_applied_twice_it_does_the_same(old: dict[str, Any], new: dict[str, Any]):
    patch = merge_patch(old, new)
    assert applied(applied(old, patch), patch) == new


def test_lists_are_replaced_and_absent_fields_are_null():
    assert merge_patch({"a": [1, 2], "b": {"c": 1, "d": 2}, "e": 1}, {"a": [1], "b": {"c": 1}}) == {
        "a": [1],
        "b": {"d": None},
        "e": None,
    }


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("tenants",), "tenants"),
        (("tenants", None, "blue"), "tenants/blue"),
        (("virtualmachines", "ns"), "namespaces/ns/virtualmachines"),
        (("virtualmachines", "ns", "web", "status"), "namespaces/ns/virtualmachines/web/status"),
    ],
)
def test_paths(parts: tuple[str | None, ...], expected: str):
    assert path(*parts) == f"/apis/stoker.dev/v1alpha1/{expected}"


@pytest.mark.parametrize(
    "body",
    ["<html>hunter2</html>", ["hunter2"], {"kind": "Secret", "message": "hunter2"}, {"message": "hunter2"}, None],
)
def test_the_text_of_what_is_no_status_is_dropped(body: Any):
    error = _error(500, json.dumps(body).encode())
    assert (error.status, error.reason) == (500, "Unexpected")
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"reason": "Conflict"}, "Conflict"),
        ({}, "Unknown"),
        ({"reason": "Forbidden", "details": None}, "Forbidden"),
        ({"reason": "Forbidden", "details": {"causes": None}}, "Forbidden"),
        ({"reason": "Forbidden", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}, "NamespaceTerminating"),
    ],
)
def test_the_reason_of_a_status(more: dict[str, Any], reason: str):
    error = _error(403, json.dumps({"kind": "Status", "message": "m" * 9000, **more}).encode())
    assert (error.status, error.reason) == (403, reason)
    assert len(str(error)) < 600


@pytest.fixture
async def store() -> AsyncIterator[KubeStore]:
    async with KubeStore() as store:
        yield store


@pytest.fixture
async def kube(store: KubeStore) -> AsyncIterator[KubeClient]:
    async with open_session(Access(store.url, token="t-1")) as session:
        yield KubeClient(session, store.url, user_agent="stoker/test")


async def test_who_we_are_is_in_every_request(store: KubeStore, kube: KubeClient):
    store.store("/x", {"metadata": {}})
    await kube.get("/x")
    assert store.headers[0]["Authorization"] == "Bearer t-1"
    assert store.headers[0]["User-Agent"] == "stoker/test"


async def test_a_merge_says_that_it_is_one(store: KubeStore, kube: KubeClient):
    store.store("/x", {"metadata": {}})
    await kube.merge("/x", {"status": {}})
    assert store.requests == [("PATCH", "/x")]
    assert store.headers[0]["Content-Type"] == MERGE_PATCH


async def test_the_token_file_is_read(store: KubeStore, tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("t-2\n")
    async with open_session(Access(store.url, token_file=file)) as session:
        kube = KubeClient(session, store.url)
        store.store("/x", {"metadata": {}})
        await kube.get("/x")
    assert store.headers[0]["Authorization"] == "Bearer t-2"


def test_access_does_not_show_its_token():
    assert "t-1" not in f"{Access('https://x', token='t-1')!r}{Access('https://x', token='t-1')}"


async def test_a_status_is_an_error_with_its_reason(store: KubeStore, kube: KubeClient):
    store.answer = refusal(409, "AlreadyExists", "there is one")
    with pytest.raises(KubeError, match="409 AlreadyExists: there is one"):
        await kube.post("/x", {"metadata": {"name": "y"}})


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=502, text="<html>hunter2</html>", content_type="text/html"),
        lambda: web.Response(status=200, text='{"metadata": hunter2', content_type="application/json"),
        lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/hunter2"}),
    ],
)
async def test_what_is_no_answer_of_an_api_server_is_an_error_without_its_text(
    answer: Any, store: KubeStore, kube: KubeClient
):
    store.answer = answer()
    with pytest.raises(KubeError) as caught:
        await kube.get("/x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "retry_after", "pause", "passes"),
    [
        (429, "1", 1.0, True),
        (429, "", 0.0, True),
        (503, "7", 7.0, True),
        (503, "99999", LONGEST_RETRY_AFTER, True),
        (503, "Fri, 01 Jan 2100 00:00:00 GMT", 0.0, True),
        (403, "", 0.0, False),
        (409, "", 0.0, False),
    ],
)
async def test_a_server_that_has_too_much_to_do_says_for_how_long(
    store: KubeStore, kube: KubeClient, status: int, retry_after: str, pause: float, passes: bool
):
    """In plain text, as an API server does at its limit of requests in flight."""
    store.answer = web.Response(status=status, text="Too many requests", headers={"Retry-After": retry_after})
    with pytest.raises(KubeError) as caught:
        await kube.get("/x")
    assert (caught.value.status, caught.value.retry_after, caught.value.passes) == (status, pause, passes)


async def test_a_redirect_does_not_get_the_token(store: KubeStore, kube: KubeClient):
    async with KubeStore() as other:
        other.store("/x", {"metadata": {}})
        store.answer = web.Response(status=307, headers={"Location": f"{other.url}x"})
        with pytest.raises(KubeError):
            await kube.get("/x")
        assert other.requests == []


async def test_kopf_that_shares_the_session_sends_the_token_nowhere_else(store: KubeStore):
    async with KubeStore() as other, open_session(Access(store.url, token="t-1")) as session:
        other.store("/x", {"metadata": {}})
        store.answer = web.Response(status=307, headers={"Location": f"{other.url}x"})
        async with session.get(f"{store.url}x") as response:
            assert response.status == 200
        assert "Authorization" in store.headers[0]
        assert "Authorization" not in other.headers[0]


async def test_an_unreachable_server_is_status_0():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with open_session(Access(url)) as session:
            with pytest.raises(KubeError) as caught:
                await KubeClient(session, url).get("/x")
    assert (caught.value.status, caught.value.passes) == (0, True)


async def test_an_empty_answer_is_an_empty_object(store: KubeStore, kube: KubeClient):
    store.answer = web.Response(status=200)
    assert await kube.delete("/x") == {}


async def test_a_list_has_all_pages(store: KubeStore, kube: KubeClient):
    store.store("/x", {"items": [{"n": 1}], "metadata": {"continue": "a b"}})
    pages = kube.list("/x", labelSelector="a=b")
    store.answer = web.json_response({"items": [{"n": 0}], "metadata": {"continue": "next/1"}})
    store.objects["/x"]["metadata"].pop("continue")
    items, version = await pages
    assert (items, version) == ([{"n": 0}, {"n": 1}], "1")
    queries = [query.partition("?")[2] for _, query in store.requests]
    assert queries == ["limit=500&continue=&labelSelector=a%3Db", "limit=500&continue=next/1&labelSelector=a%3Db"]


async def test_a_secret_is_decoded(store: KubeStore, kube: KubeClient):
    secret = "/api/v1/namespaces/ns/secrets/s"
    store.store(secret, {"metadata": {"uid": "u"}, "data": {"key": "aHVudGVyMg=="}})
    found = await kube.secret("ns", "s")
    assert (found.data, found.version) == ({"key": b"hunter2"}, "u/1")
    assert "hunter2" not in repr(found)
    store.store(secret, {"metadata": {"uid": "u"}})
    assert (await kube.secret("ns", "s")).data == {}
