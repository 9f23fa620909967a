"""`RateLimit`: how often OpenStack may be called for a Cloud, a Tenant or one of its users."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stoker.api.base import Integer, Model


class RateLimit(Model):
    """A token bucket."""

    calls_per_second: Annotated[Integer, Field(ge=1, le=10_000, description="Calls a second, in the long run.")]
    burst: Annotated[Integer, Field(ge=1, le=100_000, description="Calls that may go at once after a pause.")]


class TenantRateLimit(RateLimit):
    """A tenant's, and each of its users'."""

    user_calls_per_second: Annotated[
        Integer | None,
        Field(
            ge=1, le=10_000, description="The same for each user who asks for VMs; half of the tenant's when absent."
        ),
    ] = None
    user_burst: Annotated[
        Integer | None, Field(ge=1, le=100_000, description="The same for each user; half of the tenant's when absent.")
    ] = None


CLOUD_LIMIT = RateLimit(calls_per_second=400, burst=800)
"""Of all tenants of a Cloud that says nothing else."""

TENANT_LIMIT = TenantRateLimit(calls_per_second=200, burst=400)
"""Of a Tenant that says nothing else: a thousand VMs at once take half a minute, as long as an instant Heat lets them."""
