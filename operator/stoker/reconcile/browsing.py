"""The catalog service: reads what each tenant's cloud offers, at connect and rarely after that."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING

from stoker.core.catalog import Catalog, Part
from stoker.openstack.base import CloudError

if TYPE_CHECKING:
    from stoker.reconcile.tenants import TenantRuntime

log = logging.getLogger(__name__)

REST = 900.0
"""Pause between two reads of the whole catalog, seconds."""


async def browse_for_ever(runtime: TenantRuntime) -> None:
    """Keep a tenant's catalog, for ever."""
    while True:
        catalog = runtime.catalog or Catalog(time.monotonic())
        for part in Part:
            catalog = await _read(runtime, catalog, part)
        runtime.catalog = catalog
        await asyncio.sleep(REST * random.uniform(0.9, 1.1))  # noqa: S311


async def _read(runtime: TenantRuntime, catalog: Catalog, part: Part) -> Catalog:
    """Read a part; one that cannot be read is not known, and stops nothing."""
    began = time.monotonic()
    try:
        content = await runtime.call(f"catalog-{part.value}", lambda project: project.browse(part))
    except CloudError as error:
        log.warning(
            "a part of the catalog is not known",
            extra={"tenant": runtime.tenant.metadata.name, "part": part.value, "error": error.fault.sentence},
        )
        return catalog.without(part)
    return catalog.with_part(part, content, began)
