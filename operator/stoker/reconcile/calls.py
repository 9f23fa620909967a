"""Blocking calls: what an error that nobody foresaw means, and a cancellation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from stoker import metrics
from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault
from stoker.openstack.base import CloudError, Project

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def foreseen(name: str, function: Callable[[Project], Result], project: Project) -> Result:
    """Call; an error that nobody foresaw is a fault as well, else it would end whoever calls for ever."""
    try:
        return function(project)
    except CloudError:
        raise
    except Exception as error:
        metrics.ERRORS.inc()
        log.exception("a call failed in an unexpected way", extra={"call": name})
        message = f"{name}: {type(error).__name__}"
        raise CloudError(Fault(ErrorCode.UNKNOWN, message, definite=False)) from error


def is_stopping() -> bool:
    """Tell whether somebody cancels the task that asks."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
