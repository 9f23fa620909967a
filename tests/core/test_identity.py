"""Identity: names and tags that cannot collide, and a proof of ownership that nothing forged passes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.api.operation import OperationType
from stoker.core.identity import (
    OPERATION_NAME_LENGTH,
    cluster_tags,
    digest,
    operation_name,
    tag_value,
)
from support.build import CREATE, IDENTITY, INPUTS, UID

OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", fullmatch=True)
TAGS = frozenset(IDENTITY.tags(CREATE, INPUTS.hash))


def test_all_our_tags_prove_ownership() -> None:
    assert IDENTITY.owns(TAGS, "project")
    assert IDENTITY.owns(TAGS | {"somebody's=own"}, "project")


@pytest.mark.parametrize("lost", sorted(IDENTITY.ownership_tags))
def test_ownership_needs_every_one_of_its_tags(lost: str) -> None:
    assert not IDENTITY.owns(TAGS - {lost}, "project")


def test_ownership_needs_the_pinned_project() -> None:
    assert not IDENTITY.owns(TAGS, "another")


@pytest.mark.parametrize("field", ["cluster", "id", "namespace", "name"])
def test_the_stack_of_another_is_not_ours(field: str) -> None:
    other = replace(IDENTITY, **{field: "other"})
    assert not IDENTITY.owns(frozenset(other.tags(CREATE, INPUTS.hash)), "project")


def test_the_tags_of_operation_and_inputs_prove_nothing_and_are_not_needed() -> None:
    assert IDENTITY.owns(IDENTITY.ownership_tags, "project")
    assert not IDENTITY.owns(TAGS - IDENTITY.ownership_tags, "project")


def test_tags_say_which_operation_made_the_stack_from_what() -> None:
    assert tag_value(TAGS, "stoker-op") == CREATE
    assert tag_value(TAGS, "stoker-in") == INPUTS.hash
    assert tag_value(TAGS, "stoker-vm") == UID
    assert len(TAGS) == 6


def test_every_tag_fits_heat() -> None:
    """Heat takes tags of at most 80 characters without a comma."""
    longest = operation_name("x" * 253, UID, OperationType.CREATE, "")
    assert all(len(tag) <= 80 and "," not in tag for tag in IDENTITY.tags(longest, INPUTS.hash))


def test_a_tag_that_is_missing_has_no_value() -> None:
    assert tag_value(TAGS, "stoker") is None
    assert tag_value(frozenset(), "stoker-vm") is None


def test_a_tenant_s_listing_asks_for_tags_that_each_stack_carries() -> None:
    assert set(cluster_tags("cluster")) <= TAGS


def test_a_stack_is_named_after_the_id_with_a_letter_first() -> None:
    assert IDENTITY.stack_name == f"vm-{UID}"


def test_the_same_command_has_the_same_name() -> None:
    assert operation_name("web-1", UID, OperationType.CREATE, "") == CREATE


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(("web-1", "another-id", OperationType.CREATE, ""), id="another VM"),
        pytest.param(("web-1", UID, OperationType.DELETE, ""), id="another command"),
        pytest.param(("web-1", UID, OperationType.CREATE, "s1"), id="another cause"),
    ],
)
def test_another_command_has_another_name(other: tuple[str, str, OperationType, str]) -> None:
    assert operation_name(*other) != CREATE


@given(name=NAMES, cause=st.text(max_size=30), kind=st.sampled_from(OperationType))
def test_an_operation_s_name_is_one_for_kubernetes_and_for_a_tag(name: str, cause: str, kind: OperationType) -> None:
    made = operation_name(name, UID, kind, cause)
    assert len(made) <= OPERATION_NAME_LENGTH
    assert OBJECT_NAME.fullmatch(made)


def test_a_long_name_is_cut_without_a_dash_or_dot_at_the_end() -> None:
    made = operation_name("a" * 38 + ".-" + "b" * 40, UID, OperationType.CREATE, "")
    assert made.startswith("a" * 38 + "-create-")


def test_parts_of_a_digest_do_not_run_together() -> None:
    assert digest("team-a", "b") != digest("team", "a-b")
    assert digest("ab", "c") != digest("a", "bc")
