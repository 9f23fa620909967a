"""The rules as a document: `python -m stoker.core.describe` writes docs/states.md."""

from __future__ import annotations

from stoker.core.decide import ABSENT, PRESENT, Rule

PHASES = (
    ("[*]", "Requested", "applied"),
    ("Requested", "Error", "not admitted"),
    ("Requested", "Provisioning", "Heat has the stack"),
    ("Provisioning", "Active", "complete, outputs read"),
    ("Provisioning", "Error", "failed, backs off"),
    ("Error", "Provisioning", "corrected, or next attempt"),
    ("Active", "Error", "edit that cannot be applied, stack failed or missing"),
    ("Active", "Provisioning", "edited, or stack missing and made anew"),
    ("Error", "Active", "as its spec asks again"),
    ("Requested", "Deleting", "deleted"),
    ("Provisioning", "Deleting", "deleted"),
    ("Active", "Deleting", "deleted"),
    ("Error", "Deleting", "deleted"),
    ("Deleting", "[*]", "nothing is left"),
)
"""Phase, next phase, what leads there. Phases are for people; no rule reads one.

The search of the small world holds this table true (tests/core/test_search.py). One that passes at once is skipped.
"""


def document() -> str:
    """Return the Markdown page."""
    arrows = "\n".join(f"    {before} --> {after}: {why}" for before, after, why in PHASES)
    return f"""# Phases and rules

Generated from the code by `make generate`; do not edit.

```mermaid
stateDiagram-v2
{arrows}
```

The first rule that answers wins, so the order below is the specification.

## A VM that shall exist

{_table(PRESENT)}

## A VM that is being deleted

{_table(ABSENT)}
"""


def _table(rules: tuple[Rule, ...]) -> str:
    rows = [
        # A docstring of several lines is one row; Python 3.13 keeps it without its indentation, 3.11 with it.
        f"| {n} | {rule.__name__.replace('_', ' ')} | {' '.join((rule.__doc__ or '').split())} |"
        for n, rule in enumerate(rules, 1)
    ]
    return "\n".join(["| # | rule | why |", "|---|---|---|", *rows])


if __name__ == "__main__":  # pragma: no cover -- the command; `document` is tested
    print(document(), end="")  # noqa: T201 -- this is the command's output
