"""How long things take before a decision calls them late."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Spans that decisions use, seconds."""

    create_deadline: float = 120.0
    """How late an unanswered create may land. A loaded Heat took 59 s to accept one (measured, Heat 27.0.1)."""

    stuck_after: float = 3900.0
    """When an action in progress is called stuck: Heat's own `stack_action_timeout` (3600 s) and some grace."""

    delete_again: float = 600.0
    """When a deletion in progress is asked for again: an engine that died leaves it so for ever; a second request
    finishes it (measured, Heat 27.0.1)."""

    power_deadline: float = 600.0
    """When a start, stop or reboot that Nova accepted is given up. A guest that shuts down slowly gets minutes."""
