"""Rate limits: token buckets with the caller's clock, and the turn of one call through several of them.

A call waits, it is never refused. What waits for one bucket has not yet taken anything of the next: a tenant's long
queue takes no place in its cloud's, nor a user's in the tenant's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stoker.api.ratelimit import RateLimit, TenantRateLimit

USERS = 1000
"""Users of a tenant with a bucket of their own at a time; those beyond share one. A user at rest needs none."""


@dataclass(slots=True)
class Bucket:
    """`rate` calls a second, and `burst` at once: never more than burst + rate * t within any t seconds."""

    rate: float
    burst: int
    full_at: float = float("-inf")
    """When it will be full again, if nothing more is taken (the generic cell rate algorithm)."""

    def take(self, now: float) -> float:
        """Take a place and return when it comes: now, or later. Places come in the order in which they were taken."""
        at = max(now, self.full_at - (self.burst - 1) / self.rate)
        self.full_at = max(self.full_at, at) + 1 / self.rate
        return at

    def is_full(self, now: float) -> bool:
        """Tell whether it is as good as new."""
        return self.full_at <= now

    def adjust(self, limit: RateLimit) -> None:
        """Change the rate; what was taken stays taken."""
        self.rate, self.burst = limit.calls_per_second, limit.burst


@dataclass(slots=True)
class Turn:
    """One call's way through its buckets, the narrowest first."""

    left: list[tuple[str, Bucket]]
    """Scope and bucket of those still to pass."""

    at: float | None = None
    """When the place in the first of them comes."""

    def wait(self, now: float) -> float:
        """Return the seconds until to ask again; 0 when every bucket is passed."""
        while self.left:
            if self.at is None:
                self.at = self.left[0][1].take(now)
            if now < self.at:
                return self.at - now
            self.left.pop(0)
            self.at = None
        return 0.0

    @property
    def scope(self) -> str:
        """Whose limit it waits for: user, tenant or cloud."""
        return self.left[0][0] if self.left else ""


@dataclass(slots=True)
class TenantLimits:
    """A tenant's bucket and those of its users."""

    tenant: Bucket
    user: RateLimit
    users: dict[str, Bucket] = field(default_factory=dict)
    others: Bucket | None = None
    """Shared by users beyond `USERS`."""

    @classmethod
    def of(cls, limit: TenantRateLimit) -> TenantLimits:
        user = per_user(limit)
        return cls(Bucket(limit.calls_per_second, limit.burst), user)

    def adjust(self, limit: TenantRateLimit) -> None:
        """Take over changed limits."""
        self.tenant.adjust(limit)
        self.user = per_user(limit)
        for bucket in [*self.users.values(), *([self.others] if self.others else [])]:
            bucket.adjust(self.user)

    def turn(self, user: str, cloud: Bucket, now: float) -> Turn:
        """Return the turn of a call for a user; "" stands for all whose name is not known."""
        return Turn([("user", self._bucket(user, now)), ("tenant", self.tenant), ("cloud", cloud)])

    def _bucket(self, user: str, now: float) -> Bucket:
        if user not in self.users and len(self.users) >= USERS:
            self.users = {name: bucket for name, bucket in self.users.items() if not bucket.is_full(now)}
        if user in self.users or len(self.users) < USERS:
            return self.users.setdefault(user, self._new())
        self.others = self.others or self._new()
        return self.others

    def _new(self) -> Bucket:
        return Bucket(self.user.calls_per_second, self.user.burst)


def per_user(limit: TenantRateLimit) -> RateLimit:
    """Return the limit of each user: what is said, else half of the tenant's, so that one leaves room for others."""
    return RateLimit(
        calls_per_second=limit.user_calls_per_second or max(1, limit.calls_per_second // 2),
        burst=limit.user_burst or max(1, limit.burst // 2),
    )
