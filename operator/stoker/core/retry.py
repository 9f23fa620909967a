"""When to try again: exponential back-off with jitter, as a pure function.

Jitter comes from a hash of the VM's id and the attempt, not from chance: it spreads VMs all the same, and a decision
stays a function of its snapshot.
"""

from __future__ import annotations

import hashlib

from stoker.core.faults import Fault, Retry

FIRST = {Retry.BACKOFF: 5.0, Retry.SLOW: 60.0, Retry.NEVER: 60.0}
"""Pause after the first failure, seconds."""

LONGEST = {Retry.BACKOFF: 300.0, Retry.SLOW: 3600.0, Retry.NEVER: 3600.0}
"""Longest pause, seconds. One hour: what is retried slowly is mended by people."""

FAILED_STACKS = 5
"""Creates of one operation that may end in CREATE_FAILED before it fails for good: each leaves dead servers in Nova."""


def delay(fault: Fault, attempts: int, seed: str) -> float:
    """Return the pause before the next attempt, seconds: doubled each time, ±20 %, never under `fault.retry_after`.

    `attempts` counts those made, from 1; `seed` is the VM's id.
    """
    retry = fault.policy.retry
    plain = min(LONGEST[retry], FIRST[retry] * 2.0 ** min(attempts - 1, 16))
    spread = int.from_bytes(hashlib.sha256(f"{seed}/{attempts}".encode()).digest()[:4], "big") / 2**32
    return max(plain * (0.8 + 0.4 * spread), fault.retry_after or 0.0)
