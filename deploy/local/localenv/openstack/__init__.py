"""The OpenStack half of the local environment: Keystone, Placement, Glance, Neutron, Nova, Cinder and Heat.

Reading order: `environment` (what the commands do), `layout` (files and services), `install`, `configure`, `schema`,
`services`, `seed_identity` and `seed_cloud`, `credentials`, `snapshots`, `trusts`. What runs inside OpenStack's own
virtual environment is in `deploy/local/openstack`, which is also where versions and configuration templates are.
"""

from __future__ import annotations

from .environment import down, reset, snapshot, status, up
from .trusts import start_trusts, stop_trusts

__all__ = ["down", "reset", "snapshot", "start_trusts", "status", "stop_trusts", "up"]
