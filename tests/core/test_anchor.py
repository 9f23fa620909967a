"""The anchors' ConfigMap: a name for every replica, and nothing believed that is not understood."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.core.anchor import anchor_name, anchored, anchors_of, replica_of
from stoker.core.audit import Anchor, Head

ANCHOR = Anchor(Head("c1", 17, "ab"), 3)


def test_anchors_come_back_as_they_were_stored() -> None:
    other = Anchor(Head("c2", 1, "cd"), 4)
    assert anchors_of({"data": {**anchored(ANCHOR), **anchored(other)}}) == {"c1": ANCHOR, "c2": other}


@pytest.mark.parametrize("stored", [None, [], {}, {"data": None}, "text"])
def test_what_is_no_config_map_of_anchors_is_refused(stored: object) -> None:
    with pytest.raises(ValueError, match="not a ConfigMap with the audit's anchors"):
        anchors_of(stored)


@pytest.mark.parametrize("text", ["", "{}", "[]", None, '{"sequence": "x", "hash": "", "epoch": 0}'])
def test_an_anchor_that_is_not_understood_is_named(text: object) -> None:
    with pytest.raises(ValueError, match="the anchor of the chain c1 is not understood"):
        anchors_of({"data": {"c1": text}})


@given(st.text())
def test_every_replica_has_a_name_that_kubernetes_takes(replica: str) -> None:
    name = anchor_name(replica)
    assert re.fullmatch(r"stoker-audit-[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)
    assert len(name) <= 253


@pytest.mark.parametrize(("holder", "replica"), [("pod_1_0a0b", "pod_1"), ("pod-1_0a0b", "pod-1"), ("odd", "odd")])
def test_a_process_belongs_to_the_replica_before_its_random_part(holder: str, replica: str) -> None:
    assert replica_of(holder) == replica
