"""Hand out the credentials: `clouds.yaml` for clients, `projects.json` for scripts, `bin/openstack` for people."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from .configure import write_private
from .layout import Layout
from .seed_cloud import Project
from .seed_identity import TRUSTS_REGION


def write_credentials(layout: Layout, passwords: dict[str, str], projects: list[Project]) -> None:
    """Write the files of a freshly seeded environment; only the owner may read them."""
    write_private(layout.projects, json.dumps({project.name: asdict(project) for project in projects}, indent=2))
    clouds = {"admin": _password_cloud(layout, "admin", passwords["admin"])}
    for project in projects:
        clouds[project.name] = _password_cloud(layout, project.name, project.password)
        clouds[f"{project.name}-appcred"] = _application_credential_cloud(layout, project)
    # JSON is YAML, and the standard library cannot write another kind.
    text = json.dumps({"clouds": clouds}, indent=2)
    write_private(layout.clouds, f"# Written by deploy/local/env.py; holds secrets of this environment.\n{text}\n")


def write_openstack_command(layout: Layout) -> None:
    """Put an `openstack` into the environment's `bin` that knows its clouds."""
    path = layout.settings.state / "bin" / "openstack"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "#!/bin/sh\n"
        f'export OS_CLIENT_CONFIG_FILE="${{OS_CLIENT_CONFIG_FILE:-{layout.clouds}}}"\n'
        f'exec "{layout.venv}/bin/openstack" "$@"\n'
    )
    path.chmod(0o755)


def _cloud(layout: Layout, **auth: str) -> dict[str, Any]:
    where = {"auth_url": layout.settings.url("KEYSTONE", "/v3")}
    # The first region is the one a client gets that names none.
    return {"regions": ["RegionOne", TRUSTS_REGION], "identity_api_version": 3, "auth": where | auth}


def _password_cloud(layout: Layout, name: str, password: str) -> dict[str, Any]:
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    return _cloud(layout, username=name, password=password, project_name=name, **domains)


def _application_credential_cloud(layout: Layout, project: Project) -> dict[str, Any]:
    credential = project.application_credential
    auth = {"application_credential_id": credential["id"], "application_credential_secret": credential["secret"]}
    return _cloud(layout, **auth) | {"auth_type": "v3applicationcredential"}
