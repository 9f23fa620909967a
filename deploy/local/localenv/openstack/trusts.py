"""The second Heat, with trusts: what an operator with an application credential meets on many real clouds.

It is region `RegionTrusts` of the catalog, has a database of its own, and shares everything else. It runs on demand
only, because it costs as much memory as the first one.
"""

from __future__ import annotations

from localenv.process import say
from localenv.settings import LocalSettings

from . import services
from .configure import configure
from .layout import TRUSTS, Layout
from .rest import Client
from .seed_identity import TRUSTS_REGION


def start_trusts(settings: LocalSettings) -> None:
    """Start the Heat with trusts and switch on its region.

    Raises SystemExit when the environment is not up.
    """
    layout = Layout(settings)
    if not layout.seeded.exists() or not services.answers(layout, "keystone"):
        raise SystemExit("OpenStack does not run; run `up` first")
    say("OpenStack: starting heat-trusts")
    services.start(layout, TRUSTS, configure(layout))
    services.wait(layout, TRUSTS)
    _switch_region(settings, enabled=True)


def stop_trusts(settings: LocalSettings) -> None:
    """Switch off the region and stop its Heat; its stacks stay in the database."""
    layout = Layout(settings)
    if services.answers(layout, "keystone"):
        _switch_region(settings, enabled=False)
    services.stop(layout, TRUSTS)


def _switch_region(settings: LocalSettings, *, enabled: bool) -> None:
    admin = Client.admin(settings)
    for endpoint in admin.call("GET", "KEYSTONE", f"/v3/endpoints?region_id={TRUSTS_REGION}")["endpoints"]:
        admin.call("PATCH", "KEYSTONE", f"/v3/endpoints/{endpoint['id']}", {"endpoint": {"enabled": enabled}})
