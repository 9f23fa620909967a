#!/usr/bin/env python3
"""Print the Cloud, the Secret and the Tenant for what the OpenStack simulator said when it started."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from stoker.api.base import API_VERSION


def objects(known: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects for the simulator's line of JSON; the project's user gives the Tenant and its namespace their name."""
    project = known["projects"][0]
    team = project["username"]
    keys = ("application_credential_id", "application_credential_secret")
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "Cloud",
            "metadata": {"name": "simulated"},
            "spec": {
                "authURL": known["auth_url"],
                "region": "RegionOne",
                "allowedHosts": [urlsplit(known["auth_url"]).netloc],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"{team}-openstack", "namespace": "stoker-system"},
            "stringData": {key: project[key] for key in keys},
        },
        {
            "apiVersion": API_VERSION,
            "kind": "Tenant",
            "metadata": {"name": team},
            "spec": {
                "cloud": "simulated",
                "projectID": project["project_id"],
                "namespaces": [team],
                "credentialsSecret": f"{team}-openstack",
                "networkProfiles": [{"name": "default", "network": "private", "externalNetwork": "public"}],
            },
        },
    ]


if __name__ == "__main__":
    yaml.safe_dump_all(objects(json.loads(Path(sys.argv[1]).read_text())), sys.stdout)
