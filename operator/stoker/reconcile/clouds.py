"""A Cloud at run time: what its tenants share, which is its circuit breaker and its rate limit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from stoker import metrics
from stoker.api.cloud import BreakerState, BreakerStatus
from stoker.api.errors import ErrorCode
from stoker.api.ratelimit import CLOUD_LIMIT
from stoker.core.breaker import Breaker
from stoker.core.faults import Fault
from stoker.core.limits import Bucket
from stoker.core.pace import InFlight
from stoker.openstack.base import CloudError

log = logging.getLogger(__name__)


@dataclass(slots=True)
class CloudRuntime:
    """One cloud while this process leads. Everything happens in one event loop."""

    name: str = ""
    changed: Callable[[], None] = lambda: None
    """Called when the breaker opened or closed."""

    breaker: Breaker = field(default_factory=Breaker)
    bucket: Bucket = field(default_factory=lambda: Bucket(CLOUD_LIMIT.calls_per_second, CLOUD_LIMIT.burst))
    limit: InFlight = field(default_factory=InFlight)
    """How many calls for VMs each of its tenants may have in flight."""

    tenants: dict[str, Callable[[], None]] = field(default_factory=dict)
    """Its connected tenants, and how to make each look at once."""

    since: datetime | None = None
    """When the breaker last opened or closed."""

    fault: Fault | None = None
    """What opened it."""

    @property
    def suspended(self) -> Fault | None:
        """Why nobody calls the cloud now, or None."""
        if self.breaker.state is BreakerState.CLOSED:
            return None
        last = f": {self.fault.message}" if self.fault else ""
        message = f"the Cloud {self.name} is not called for a while, since calls failed in a row{last}"
        return Fault(ErrorCode.CLOUD_UNAVAILABLE, message)

    @property
    def wait(self) -> float:
        """Seconds until it is worth asking again."""
        return self.breaker.wait(time.monotonic())

    def enter(self) -> bool:
        """Begin a call; True when it is the trial. Raises CloudError while the cloud is not called."""
        fault = self.suspended
        if not self.breaker.admits(time.monotonic()):
            raise CloudError(fault or Fault(ErrorCode.CLOUD_UNAVAILABLE, f"the Cloud {self.name} is not called"))
        return fault is not None

    def answered(self) -> None:
        """End a call that was answered, with whatever."""
        was = self.breaker.state
        self.breaker.answered()
        if was is not BreakerState.CLOSED:
            self.since = datetime.now(UTC)
            log.warning("the cloud answers again", extra={"cloud": self.name})
            self._tell()
            for look in self.tenants.values():
                look()

    def failed(self, tenant: str, fault: Fault, *, trial: bool) -> None:
        """End a call that was not answered as wanted."""
        if not fault.outage:
            self.answered()
            return
        was = self.breaker.state
        self.breaker.failed(tenant, time.monotonic(), trial=trial, tenants=len(self.tenants))
        if was is BreakerState.CLOSED and self.breaker.state is BreakerState.OPEN:
            self.since, self.fault = datetime.now(UTC), fault
            log.warning("calls to the cloud are suspended", extra={"cloud": self.name, "error": fault.sentence})
            self._tell()

    def unsure(self) -> None:
        """End a call that tells nothing: it was not sent, or is cut short by a stop."""
        self.breaker.unsure(time.monotonic())

    def status(self) -> BreakerStatus | None:
        """Return what the Cloud's status says; None as long as the breaker never opened."""
        if self.since is None:
            return None
        closed = self.breaker.state is BreakerState.CLOSED
        message = None if closed or self.fault is None else self.fault.message
        return BreakerStatus(state=self.breaker.state, since=self.since, message=message)

    def _tell(self) -> None:
        metrics.observe_breaker(self.name, is_open=self.breaker.state is not BreakerState.CLOSED)
        self.changed()
