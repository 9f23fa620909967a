"""The ConfigMap that holds a replica's anchors: one key for each of its chains, so that no chain's end is forgotten."""

from __future__ import annotations

import json
import re
from typing import Any

from stoker.core.audit import Anchor, Head

LONGEST_REPLICA = 200
"""Longest part of a replica's name in the ConfigMap's, characters: with the prefix it must stay under 253."""


def anchor_name(replica: str) -> str:
    """Return the name of a replica's ConfigMap."""
    return f"stoker-audit-{re.sub('[^a-z0-9-]', '-', replica.lower())[:LONGEST_REPLICA].strip('-') or 'unnamed'}"


def replica_of(holder: str) -> str:
    """Return the replica that a process belonged to: the name of a holder is the replica's and a random part."""
    return holder.rpartition("_")[0] or holder


def anchors_of(config_map: Any) -> dict[str, Anchor]:
    """Return the anchors in a ConfigMap, by chain.

    Raises ValueError when it is none, or holds something else.
    """
    data = config_map.get("data") if isinstance(config_map, dict) else None
    if not isinstance(data, dict):
        raise ValueError("not a ConfigMap with the audit's anchors")
    return {str(chain): _anchor(str(chain), text) for chain, text in data.items()}


def anchored(anchor: Anchor) -> dict[str, str]:
    """Return the key and the value that hold an anchor."""
    value = {"sequence": anchor.head.sequence, "hash": anchor.head.hash, "epoch": anchor.epoch}
    return {anchor.head.chain: json.dumps(value, sort_keys=True)}


def _anchor(chain: str, text: Any) -> Anchor:
    try:
        value = json.loads(text)
        return Anchor(Head(chain, int(value["sequence"]), str(value["hash"])), int(value["epoch"]))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"the anchor of the chain {chain} is not understood") from error
