"""Connecting a tenant: its Secret → a project that is proven to be the pinned one; then what else is worth knowing.

A changed Secret is used at once and needs no restart; calls under way finish with the old credentials. One that
OpenStack refuses stops the tenant: an admin who takes a credential away means it. What is only out of reach stops
nothing that works.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from stoker.api.cloud import Cloud, CloudSpec
from stoker.api.errors import ErrorCode
from stoker.api.tenant import Tenant
from stoker.core.faults import Fault, Retry
from stoker.core.identity import digest
from stoker.core.tenancy import Preflight, trusts_recorded
from stoker.kube.client import KubeClient, KubeError, Secret
from stoker.openstack.base import CloudError, Credentials, CredentialsEnd, Endpoint, Project, Rights
from stoker.reconcile.tenants import Attempt, TenantRuntime

log = logging.getLogger(__name__)

Connect = Callable[[Endpoint, Credentials], Project]
Parse = Callable[[dict[str, bytes]], Credentials]

FIRST_RETRY, LONGEST_RETRY = 25.0, 300.0
"""Pause before the same credentials are tried again, seconds; doubled each time. Keystone may lock a user out after a
few wrong passwords, so twelve tries an hour are enough."""

PREFLIGHT = 900.0
"""Pause between two looks at what does not change by the minute: roles, limits, the credentials' end. Seconds."""

LARGEST_SKEW = 86_400.0
"""Largest difference between two clocks that is believed, seconds: with a larger one no token would be valid."""

UNREADABLE = (403, 404)
"""What the API server says of a Secret that is gone or kept from us. Anything else is the API server's own trouble."""


QUESTIONS: tuple[Callable[[Project], Any], ...] = (
    lambda project: project.heat.find("stoker-preflight"),
    lambda project: project.read_limits(),
    lambda project: project.credentials_end(),
)
"""What a preflight asks: may Heat be used, are limits told, when do the credentials end."""


class Connector:
    """Connects tenants. `namespace` is that of the Secrets."""

    def __init__(self, kube: KubeClient, namespace: str, connect: Connect, parse: Parse) -> None:
        self._kube, self._namespace, self._connect, self._parse = kube, namespace, connect, parse

    async def refresh(self, runtime: TenantRuntime, cloud: Cloud | None) -> None:
        """Bring the connection up to date with Secret, Tenant and Cloud."""
        async with runtime.lock:
            await self._refresh(runtime, cloud, refused=None)

    async def renew(self, runtime: TenantRuntime, cloud: Cloud | None, project: Project, refused: Fault) -> None:
        """Read the Secret now, since OpenStack refused the credentials of `project`; the same again stop the tenant."""
        async with runtime.lock:
            if runtime.project is project and not runtime.fault:
                await self._refresh(runtime, cloud, refused)

    async def _refresh(self, runtime: TenantRuntime, cloud: Cloud | None, refused: Fault | None) -> None:
        try:
            basis, secret = await self._basis(runtime.tenant, cloud)
        except CloudError as error:
            self._stop(runtime, error.fault)
            return
        except KubeError as error:
            log.warning("credentials not read", extra={"tenant": runtime.tenant.metadata.name, "error": str(error)})
            return
        attempt, basis_is_new = runtime.attempt, basis != runtime.attempt.basis
        if basis_is_new:
            attempt = runtime.attempt = Attempt(basis)
        elif refused:
            attempt.failures, attempt.fault, attempt.due = 1, refused, time.monotonic() + FIRST_RETRY
        if basis_is_new or (attempt.fault and time.monotonic() >= attempt.due):
            assert cloud is not None, "without a Cloud there is no basis"
            await self._try(runtime, cloud, secret)
        self._settle(runtime)

    async def _try(self, runtime: TenantRuntime, cloud: Cloud, secret: Secret) -> None:
        attempt = runtime.attempt
        try:
            await self._replace(runtime, cloud, secret.data)
        except CloudError as error:
            attempt.fault = error.fault
            attempt.due = time.monotonic() + min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(attempt.failures, 8))
            attempt.failures += 1
        else:
            attempt.fault, attempt.failures = None, 0
            runtime.preflight, runtime.preflight_due = None, 0.0
            runtime.connection = connection_of(runtime.tenant, cloud, secret)
            runtime.trusts = trusts_recorded(runtime.tenant.status, runtime.connection)
            log.info("tenant connected", extra={"tenant": runtime.tenant.metadata.name})

    def _settle(self, runtime: TenantRuntime) -> None:
        """Stop the tenant, or let it go on: with what works, while the new is only out of reach."""
        fault = runtime.attempt.fault
        serves = runtime.project is not None and fault is not None and fault.policy.retry is Retry.BACKOFF
        if fault and not serves:
            self._stop(runtime, fault)
        elif runtime.fault:
            runtime.fault = None
            runtime.nudge()
            runtime.wake_all(runtime.tenant.metadata.name)

    async def _basis(self, tenant: Tenant, cloud: Cloud | None) -> tuple[tuple[Any, ...], Secret]:
        """Return what a connection is made from, and the Secret of it."""
        if cloud is None:
            raise CloudError(Fault(ErrorCode.TENANT_NOT_READY, f"there is no Cloud {tenant.spec.cloud}"))
        where = f"{self._namespace}/{tenant.spec.credentials_secret}"
        try:
            secret = await self._kube.secret(self._namespace, tenant.spec.credentials_secret)
        except KubeError as error:
            if error.status not in UNREADABLE:
                raise
            what = "does not exist" if error.status == 404 else f"cannot be read ({error.reason})"
            raise CloudError(Fault(ErrorCode.CREDENTIALS_INVALID, f"the Secret {where} {what}")) from error
        return (tenant.spec.project_id, _reached(cloud), tuple(sorted(secret.data.items()))), secret

    async def _replace(self, runtime: TenantRuntime, cloud: Cloud, data: dict[str, bytes]) -> None:
        """Connect and verify; the old connection serves until the new one is proven."""
        spec = cloud.spec
        endpoint = Endpoint(
            auth_url=spec.auth_url,
            region=spec.region,
            interface=spec.interface.value,
            project=runtime.tenant.spec.project_id,
            ca_bundle=spec.ca_bundle,
            allowed_hosts=spec.allowed_hosts,
        )
        project = self._connect(endpoint, self._parse(data))
        try:
            await runtime.run("verify", project, lambda it: it.verify())
        except CloudError:
            project.close()
            raise
        old, runtime.project = runtime.project, project
        runtime.browser.renew(endpoint.project)
        if old:
            old.close()
        else:
            runtime.start()

    def _stop(self, runtime: TenantRuntime, fault: Fault) -> None:
        if fault != runtime.fault:
            runtime.fault = fault
            runtime.wake_all(runtime.tenant.metadata.name)


def connection_of(tenant: Tenant, cloud: Cloud, secret: Secret) -> str:
    """Return the fingerprint of a connection, which tells nothing of the Secret's content: not even whether it is guessed."""
    return digest(f"{tenant.spec.project_id} {_reached(cloud).model_dump_json()} {secret.version}")


def _reached(cloud: Cloud) -> CloudSpec:
    """Return what of a Cloud a connection depends on."""
    return cloud.spec.model_copy(update={"rate_limit": None})


def preflight_of(rights: Rights, heat: Any, quota: Any, end: Any) -> Preflight:
    """Return what the answers mean together; each may be the fault that came instead."""
    return Preflight(
        heat=heat if isinstance(heat, Fault) else None,
        quota=quota if isinstance(quota, Fault) else None,
        roles=rights.roles,
        by_password=rights.by_password,
        expires=end.at if isinstance(end, CredentialsEnd) else end,
    )


async def look(runtime: TenantRuntime) -> None:
    """Look at the tenant's rights, limits and the end of its credentials, if it is time."""
    if runtime.project is None or runtime.fault or time.monotonic() < runtime.preflight_due:
        return
    heat, quota, end = [await _asked(runtime, question) for question in QUESTIONS]
    if isinstance(end, CredentialsEnd) and end.server_time:
        runtime.clock_ahead = clock_ahead(end.server_time, datetime.now(UTC))
    if runtime.project is None or runtime.fault:
        return  # the look itself showed that the credentials are refused
    runtime.preflight = preflight_of(runtime.project.rights(), heat, quota, end)
    again = any(isinstance(answer, Fault) and answer.policy.retry is Retry.BACKOFF for answer in (heat, quota, end))
    runtime.preflight_due = time.monotonic() + (FIRST_RETRY if again else PREFLIGHT)


def clock_ahead(server: datetime, now: datetime) -> float:
    """Return how far Keystone's clock is ahead of ours, seconds; a Date that can be no clock's tells nothing."""
    ahead = (server - now).total_seconds()
    return ahead if abs(ahead) <= LARGEST_SKEW else 0.0


async def _asked(runtime: TenantRuntime, function: Callable[[Project], Any]) -> Any:
    """Return the answer, or the fault that came instead."""
    try:
        return await runtime.call("preflight", function)
    except CloudError as error:
        return error.fault
