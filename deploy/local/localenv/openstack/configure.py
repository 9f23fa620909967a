"""Write the services' configuration files and keys; every secret is random and belongs to one environment."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import uuid
from pathlib import Path
from string import Template

from localenv.settings import HOST

from .layout import DATABASES, SOURCES, Layout

SECRETS = ("admin", "service", "heat_domain_admin", "team-a", "team-b")
"""Names of the passwords; all service users share the second one."""

FOLDERS = ("db", "etc/provider_config", "fernet", "credential", "images", "images-staging", "images-tasks", "lock",
           "nova/instances", "neutron", "cinder")  # fmt: skip


def configure(layout: Layout) -> dict[str, str]:
    """Write everything the services read when they start; return the environment's secrets by name."""
    layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in FOLDERS:
        (layout.state / folder).mkdir(parents=True, exist_ok=True)
    passwords = _secrets(layout)
    for repository in ("fernet", "credential"):
        _fernet_keys(layout.state / repository)
    _once(layout.state / "nova" / "compute_id", str(uuid.uuid4()))
    shutil.copy(layout.venv / "etc" / "nova" / "api-paste.ini", layout.etc / "api-paste.ini")
    for service, template in {
        "keystone": "keystone.conf",
        "placement": "placement.conf",
        "glance": "glance-api.conf",
        "neutron": "neutron.conf",
        "nova": "nova.conf",
        "cinder": "cinder.conf",
    }.items():
        _render(layout, template, _values(layout, service, passwords))
    _render(layout, "gpu.yaml", {}, "provider_config/gpu.yaml")
    _configure_heats(layout, passwords)
    return passwords


def read_secrets(layout: Layout) -> dict[str, str]:
    """Return the secrets of a configured environment by name."""
    kept: dict[str, str] = json.loads(layout.secrets.read_text())
    return kept


def _configure_heats(layout: Layout, passwords: dict[str, str]) -> None:
    """Write the two Heats' files from one template; they differ in database, port, region and the use of trusts."""
    values = _values(layout, "heat", passwords)
    ports = layout.settings.ports
    usual = {"HEAT_PORT": ports["HEAT"], "region": "RegionOne", "deferred_auth_method": "password"}
    trusts = {"HEAT_PORT": ports["HEAT_TRUSTS"], "region": "RegionTrusts", "deferred_auth_method": "trusts"}
    _render(layout, "heat.conf", {**values, **usual})
    _render(layout, "heat.conf", {**values, **trusts, "heat_db": values["heat_trusts_db"]}, "heat-trusts.conf")


def _values(layout: Layout, service: str, passwords: dict[str, str]) -> dict[str, object]:
    """Return what the templates' placeholders stand for in one service's file."""
    keystone = layout.settings.url("KEYSTONE", "/v3")
    auth = (
        f"auth_type = password\nauth_url = {keystone}\nusername = {service}\npassword = {passwords['service']}\n"
        "project_name = service\nuser_domain_name = Default\nproject_domain_name = Default\nregion_name = RegionOne"
    )
    return {
        **layout.settings.ports,
        **{f"{name}_db": layout.database_url(name) for name in DATABASES},
        "host": HOST,
        "state": layout.state,
        "etc": layout.etc,
        "venv": layout.venv,
        "domain_password": passwords["heat_domain_admin"],
        "encryption_key": passwords["encryption_key"],
        "auth": auth,
        "authtoken": (
            f"[keystone_authtoken]\nwww_authenticate_uri = {keystone}\nservice_token_roles_required = True\n"
            f"service_token_roles = service\ntoken_cache_time = 300\n{auth}"
        ),
    }


def _render(layout: Layout, template: str, values: dict[str, object], target: str = "") -> None:
    text = Template((SOURCES / "etc" / template).read_text()).substitute(values)
    (layout.etc / (target or template)).write_text(text)


def _secrets(layout: Layout) -> dict[str, str]:
    """Return the environment's secrets, made the first time; the encryption key is 32 characters, as Heat demands."""
    made = {name: secrets.token_urlsafe(18) for name in SECRETS} | {"encryption_key": secrets.token_hex(16)}
    _once(layout.secrets, json.dumps(made, indent=2))
    return read_secrets(layout)


def _fernet_keys(repository: Path) -> None:
    """Make the key that encrypts (the highest number) and the one that comes next (0), as `fernet_setup` does."""
    repository.chmod(0o700)
    for number in (0, 1):
        _once(repository / str(number), base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())


def _once(path: Path, text: str) -> None:
    """Write a private file, unless it exists."""
    if not path.exists():
        write_private(path, text)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, never open for others in between and never half written."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.rename(path)
