"""`plan`: what an edit would do to a VM's stack, as a tree and as data. Pure; told by `core.foresight`."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from rich.tree import Tree

from stoker.core.foresight import Foreseen
from stoker.osvm.screen import clean

WAYS = (("added", "+", "green"), ("updated", "~", "yellow"), ("replaced", "-/+", "bold red"), ("deleted", "-", "red"))
"""Field of a plan, sign, style."""


def draw(name: str, seen: Foreseen, *, new: bool) -> Tree:
    """Return the tree of one VM's plan."""
    tree = Tree(Text.assemble((clean(name), "bold"), f": {_verdict(seen, new=new)}"), guide_style="dim")
    for way, sign, style in WAYS:
        for resource in getattr(seen.plan, way):
            branch = tree.add(Text(f"{sign} {clean(resource)} ({way})", style=style))
            for change in seen.why.get(resource, ()):
                branch.add(Text(clean(change)))
    if seen.plan.unchanged:
        tree.add(Text(f"= {', '.join(map(clean, seen.plan.unchanged))} (unchanged)", style="dim"))
    if seen.refusal:
        refused = tree.add(Text.assemble(("refused: ", "bold red"), (str(seen.refusal.code), "red")))
        refused.add(Text(clean(seen.refusal.sentence)))
    for note in seen.notes:
        tree.add(Text.assemble(("note: ", "cyan"), clean(note)))
    return tree


def data(name: str, seen: Foreseen, *, new: bool) -> dict[str, Any]:
    """Return one VM's plan for other programs."""
    plan = seen.plan
    return {
        "name": name,
        "new": new,
        "told": seen.told,
        "changes": {way: list(getattr(plan, way)) for way, _, _ in WAYS},
        "unchanged": list(plan.unchanged),
        "why": {resource: list(changes) for resource, changes in seen.why.items()},
        "losses": list(plan.losses),
        "refused": {"code": seen.refusal.code.value, "message": seen.refusal.sentence} if seen.refusal else None,
        "notes": list(seen.notes),
    }


def _verdict(seen: Foreseen, *, new: bool) -> str:
    if seen.refusal:
        return "would be refused"
    if not seen.told:
        return "cannot be told here"
    if seen.empty:
        return "nothing of the stack would change"
    return "would be made" if new else "would be updated"
