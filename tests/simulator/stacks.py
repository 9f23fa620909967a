"""The stacks of the cloud, and the indexes by which they are found.

Ten thousand of them are listed a page at a time, so nothing here looks at all stacks: a listing begins with the
smallest index that its filters name, and a page begins where the marker is, by bisection.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulator.hot import Template


def now() -> str:
    """Return the time as Heat writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class Resource:
    """One resource of a stack."""

    name: str
    type: str
    properties: dict[str, Any]
    status: str = "INIT_COMPLETE"
    reason: str = ""
    physical_id: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    updated: str = ""

    @property
    def made(self) -> bool:
        return self.status.endswith("_COMPLETE") and not self.status.startswith("INIT")


@dataclass(slots=True)
class Event:
    """One thing that happened."""

    id: str
    time: str
    name: str
    """Of the resource, or of the stack itself."""

    type: str
    status: str
    reason: str
    physical_id: str


@dataclass(slots=True)
class Stack:
    """One stack; `status` is `<action>_<state>`."""

    id: str
    number: int
    """Order of creation, from 1."""

    name: str
    project: str
    owner: str
    """Name of the user."""

    template: Template
    parameters: dict[str, Any]
    tags: tuple[str, ...]
    timeout_mins: int | None
    disable_rollback: bool
    status: str = "CREATE_IN_PROGRESS"
    reason: str = "Stack CREATE started"
    created: str = field(default_factory=now)
    updated: str | None = None
    deleted: str | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    traversal: int = 0
    """Counts the actions: the end of one that was superseded is no end."""

    busy_until: float = 0.0
    """When the resource that is being worked on is done, in the loop's seconds: a newer action waits for it."""

    @property
    def gone(self) -> bool:
        return self.status == "DELETE_COMPLETE"


class Index:
    """Numbers of stacks in order of creation; a project's, or those of a tag in it."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def add(self, number: int) -> None:
        insort(self.numbers, number)

    def remove(self, number: int) -> None:
        del self.numbers[bisect_left(self.numbers, number)]

    def after(self, number: int | None, *, descending: bool) -> Iterator[int]:
        """Yield the numbers that follow that one, or all."""
        if descending:
            end = len(self.numbers) if number is None else bisect_left(self.numbers, number)
            yield from (self.numbers[at] for at in range(end - 1, -1, -1))
        else:
            begin = 0 if number is None else bisect_right(self.numbers, number)
            yield from (self.numbers[at] for at in range(begin, len(self.numbers)))


class StackStore:
    """All stacks, living and deleted. A deleted one is still shown by id, until it is purged."""

    def __init__(self) -> None:
        self.by_id: dict[str, Stack] = {}
        self._by_number: dict[int, Stack] = {}
        self._names: dict[tuple[str, str], list[Stack]] = defaultdict(list)
        self._indexes: dict[tuple[str, str], Index] = defaultdict(Index)
        self._number = 0

    def __len__(self) -> int:
        return len(self._by_number)

    def next_number(self) -> int:
        """Return the number of the next stack."""
        self._number += 1
        return self._number

    def add(self, stack: Stack) -> None:
        """Take a new stack in."""
        self.by_id[stack.id] = self._by_number[stack.number] = stack
        self._names[stack.project, stack.name].append(stack)
        for key in self._keys(stack):
            self._indexes[key].add(stack.number)

    def retag(self, stack: Stack, tags: tuple[str, ...]) -> None:
        """Replace the tags of a living stack."""
        for tag in set(stack.tags) - set(tags):
            self._indexes[stack.project, tag].remove(stack.number)
        for tag in set(tags) - set(stack.tags):
            self._indexes[stack.project, tag].add(stack.number)
        stack.tags = tags

    def bury(self, stack: Stack) -> None:
        """Free the name and leave the listings; the stack stays by id."""
        self._names[stack.project, stack.name].remove(stack)
        del self._by_number[stack.number]
        for key in self._keys(stack):
            self._indexes[key].remove(stack.number)

    def purge(self) -> int:
        """Forget deleted stacks, as a cloud's nightly job does; return how many."""
        dead = [stack_id for stack_id, stack in self.by_id.items() if stack.number not in self._by_number]
        for stack_id in dead:
            del self.by_id[stack_id]
        return len(dead)

    def named(self, project: str, name: str) -> Stack | None:
        """Return the stack that has the name: the earliest, if a race gave it to several."""
        found = self._names.get((project, name))
        return found[0] if found else None

    def of_name(self, project: str, name: str) -> list[Stack]:
        """Return all stacks that have the name."""
        return list(self._names.get((project, name), ()))

    def count(self, project: str) -> int:
        """Return how many stacks the project has."""
        index = self._indexes.get((project, ""))
        return len(index.numbers) if index else 0

    def of_project(self, project: str) -> list[Stack]:
        """Return the project's stacks, oldest first."""
        index = self._indexes.get((project, ""), Index())
        return [self._by_number[number] for number in index.numbers]

    def walk(
        self, project: str, tags: tuple[str, ...], after: int | None = None, *, descending: bool = False
    ) -> Iterator[Stack]:
        """Yield the project's stacks that carry all the tags, in order of creation."""
        indexes = [self._indexes.get((project, tag), Index()) for tag in (tags or ("",))]
        smallest = min(indexes, key=lambda index: len(index.numbers))
        for number in smallest.after(after, descending=descending):
            stack = self._by_number[number]
            if all(tag in stack.tags for tag in tags):
                yield stack

    @staticmethod
    def _keys(stack: Stack) -> list[tuple[str, str]]:
        return [(stack.project, tag) for tag in {"", *stack.tags}]
