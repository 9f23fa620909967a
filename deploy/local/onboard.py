#!/usr/bin/env python3
"""Onboard the local teams: CRDs, templates, the Cloud, and for each team its Secret and Tenant.

What a platform admin does once with kubectl, done with kubectl; run it again at any time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from localenv.kubernetes import SERVED
from localenv.process import say
from localenv.settings import REPOSITORY, LocalSettings
from stoker.api.base import API_VERSION
from stoker.core.templates import template_object

NAMESPACE = "stoker-system"
TEAMS = ("team-a", "team-b")


def kubectl(settings: LocalSettings, *arguments: str, text: str | None = None, user: str = "kubeconfig") -> str:
    """Run kubectl as the admin, or with another of the environment's kubeconfigs, and return what it printed.

    Raises SystemExit with kubectl's own words when it fails.
    """
    program = settings.state / "bin" / "kubectl"
    command = [str(program), "--kubeconfig", str(settings.state / user), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def projects(settings: LocalSettings) -> dict[str, Any]:
    """Return what the seed made: team → ids and credentials."""
    result: dict[str, Any] = json.loads((settings.state / "openstack" / "projects.json").read_text())
    return result


def cloud(settings: LocalSettings, name: str = "local", region: str = "RegionOne") -> dict[str, Any]:
    """Return the Cloud of the local OpenStack: every service has its own port, hence the allowed hosts."""
    hosts = [
        settings.url(service).removeprefix("http://")
        for service in ("HEAT", "HEAT_TRUSTS", "NOVA", "NEUTRON", "GLANCE", "CINDER")
    ]
    spec = {"authURL": settings.url("KEYSTONE", "/v3"), "region": region, "allowedHosts": hosts}
    return {"apiVersion": API_VERSION, "kind": "Cloud", "metadata": {"name": name}, "spec": spec}


def tenant(
    name: str, project_id: str, credential: dict[str, str], namespaces: list[str], cloud_name: str = "local"
) -> list[dict[str, Any]]:
    """Return a tenant's Secret and Tenant objects."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{name}-openstack", "namespace": NAMESPACE},
        "stringData": credential,
    }
    profile = {"name": "default", "network": "private", "externalNetwork": "public"}
    spec = {
        "cloud": cloud_name,
        "projectID": project_id,
        "namespaces": namespaces,
        "credentialsSecret": f"{name}-openstack",
        "networkProfiles": [profile],
    }
    return [secret, {"apiVersion": API_VERSION, "kind": "Tenant", "metadata": {"name": name}, "spec": spec}]


def application_credential(project: dict[str, Any]) -> dict[str, str]:
    """Return the Secret's keys for a project's restricted application credential."""
    credential = project["application_credential"]
    return {"application_credential_id": credential["id"], "application_credential_secret": credential["secret"]}


def templates() -> list[dict[str, Any]]:
    """Return the VirtualMachineTemplate objects of heat_templates/."""
    files = sorted((REPOSITORY / "heat_templates").glob("*@v*.yaml"))
    return [template_object(file.name, file.read_text()) for file in files]


def apply(settings: LocalSettings, objects: list[dict[str, Any]]) -> None:
    """Apply objects as the admin."""
    kubectl(settings, "apply", "--server-side", "--force-conflicts", "-f", "-", text=yaml.safe_dump_all(objects))


def kinds(settings: LocalSettings, files: Iterable[Path]) -> None:
    """Apply CRDs, and wait until their kinds are served."""
    named = [f"--filename={file}" for file in files]
    kubectl(settings, "apply", "--server-side", "--force-conflicts", *named)
    for sign in SERVED:
        kubectl(settings, "wait", f"--for={sign}", "--timeout=60s", *named)


def install(settings: LocalSettings) -> None:
    """Bring the CRDs and the templates."""
    kinds(settings, sorted((REPOSITORY / "crds").glob("*.yaml")))
    # A released version never changes; here it may not be released yet, so whoever edits it is not stopped.
    kubectl(settings, "delete", "osvmt", "--all", "--ignore-not-found")
    apply(settings, templates())


def main() -> int:
    """Onboard both teams."""
    settings = LocalSettings.load()
    install(settings)
    teams = projects(settings)
    objects = [cloud(settings)]
    for team in TEAMS:
        objects += tenant(team, teams[team]["project_id"], application_credential(teams[team]), [team])
    apply(settings, objects)
    say(f"onboarded {', '.join(TEAMS)}: CRDs, templates, Cloud, Secrets, Tenants")
    return 0


if __name__ == "__main__":
    sys.exit(main())
