"""Which stacks a listing has, and in which order: Heat's filters, with their oddities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from simulator.errors import RefusedError
from simulator.heat_body import whole_number
from simulator.stacks import Stack, StackStore

SORT_KEYS: dict[str, Callable[[Stack], str]] = {
    "stack_name": lambda stack: stack.name,
    "stack_status": lambda stack: stack.status,
    "updated_time": lambda stack: stack.updated or "",
}
"""The keys besides creation_time, which is the order of the index."""


def listed(store: StackStore, project: str, query: Mapping[str, str]) -> list[Stack]:
    """Return one page, or everything when no limit is given. What Heat does not know in a query it ignores."""
    if query.get("global_tenant", "").lower() == "true":
        raise RefusedError(403, "Forbidden", "You are not authorized to use stacks:global_index.")
    tags = _split(query, "tags")
    if tags and ("status" in query or "action" in query):
        raise RefusedError(500, "InvalidRequestError")  # a query that Heat's own database layer refuses (27.0.1)
    limit = whole_number("limit", query.get("limit"))
    sort_key, descending = _order(query)
    marker = store.by_id.get(query.get("marker", ""))  # one that was purged is ignored: the list begins anew
    after = marker.number if marker else None
    found: Iterator[Stack]
    if "name" in query or "id" in query or query.get("show_deleted", "").lower() == "true":
        found = _few(store, project, query, tags, after, descending=descending)
    else:
        found = store.walk(project, tags, None if sort_key else after, descending=descending)
    kept: Iterator[Stack] = (stack for stack in found if _passes(stack, query))
    if sort_key is not None:
        ordered = sorted(kept, key=sort_key, reverse=descending)
        kept = iter(ordered[ordered.index(marker) + 1 if marker in ordered else 0 :])
    return list(islice(kept, limit))


def _few(
    store: StackStore,
    project: str,
    query: Mapping[str, str],
    tags: tuple[str, ...],
    after: int | None,
    *,
    descending: bool,
) -> Iterator[Stack]:
    """Yield the stacks of a name or an id; with show_deleted also those that are gone."""
    if query.get("show_deleted", "").lower() == "true":
        stacks = [stack for stack in store.by_id.values() if stack.project == project]
    elif "id" in query:
        one = store.by_id.get(query["id"])
        stacks = [one] if one and one.project == project and one in store.of_name(project, one.name) else []
    else:
        stacks = store.of_name(project, query["name"])
    for stack in reversed(stacks) if descending else stacks:
        beyond = after is None or (stack.number < after if descending else stack.number > after)
        if beyond and set(tags) <= set(stack.tags):
            yield stack


def _passes(stack: Stack, query: Mapping[str, str]) -> bool:
    """Only filters with an underscore are known: `not-tags` is ignored, and the whole list comes."""
    action, _, state = stack.status.partition("_")
    some, none, not_any = (_split(query, key) for key in ("tags_any", "not_tags", "not_tags_any"))
    carried = set(stack.tags)
    return (
        query.get("name", stack.name) == stack.name
        and query.get("id", stack.id) == stack.id
        and query.get("status", state) in (state, stack.status)
        and query.get("action", action) == action
        and (not some or bool(carried & set(some)))
        and (not none or not set(none) <= carried)
        and not carried & set(not_any)
    )


def _order(query: Mapping[str, str]) -> tuple[Callable[[Stack], str] | None, bool]:
    """Return the key, None for the time of creation, and whether it descends: newest first unless a key is known."""
    wanted = query.get("sort_keys", "")
    known = wanted == "creation_time" or wanted in SORT_KEYS
    return SORT_KEYS.get(wanted), query.get("sort_dir", "asc" if known else "desc") == "desc"


def _split(query: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(query[key].split(",")) if query.get(key) else ()
