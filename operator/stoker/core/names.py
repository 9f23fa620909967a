"""Names: which of them an allow-list has, and which known ones are nearest to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache

SHOWN = 3
"""Names offered in a message, at most."""


EVERYTHING = ("*",)
"""What a Tenant without an allow-list allows."""


def allowed(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether an allow-list has the name. In an entry, `*` is any text; all else is meant as it stands."""
    return any(fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]")) for pattern in patterns)


def template_allowed(reference: str, patterns: Iterable[str]) -> bool:
    """Tell whether an allow-list has the template `family@vN`: an entry without a version has all of them."""
    return allowed(reference, patterns) or allowed(reference.partition("@")[0], patterns)


def offer(name: str, known: Iterable[str]) -> str:
    """Return the known names that are nearest to a name, as the end of a sentence."""
    return _offer(name, tuple(sorted(set(known))))


@lru_cache(maxsize=1024)
def _offer(name: str, known: tuple[str, ...]) -> str:
    if near := get_close_matches(name, known, SHOWN):
        return f"; the nearest: {', '.join(near)}"
    more = ", …" if len(known) > SHOWN else ""
    return f"; there is {', '.join(known[:SHOWN])}{more}" if known else "; there is none"
