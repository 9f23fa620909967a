"""Secrets at rest: the API server's encryption configuration, with a key that is random for each environment.

Without one, etcd holds every Secret in the clear, in its files and in each backup of them.
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

from .access import Access, write_private

KEY_BYTES = 32
"""Length of a secretbox key (XSalsa20 and Poly1305)."""


def is_set_up(access: Access) -> bool:
    """Return whether this environment has had its configuration from an earlier `up`."""
    return _file(access).exists()


def configuration(access: Access) -> Path:
    """Return the file with the configuration, made on the first call; its mode is 0600, for it holds the key.

    What was written before there was one is still read: the last provider takes data as they are.
    """
    file = _file(access)
    if not file.exists():
        key = {"name": "local", "secret": base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}
        providers = [{"secretbox": {"keys": [key]}}, {"identity": {}}]
        document = {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": [{"resources": ["secrets"], "providers": providers}],
        }
        write_private(file, json.dumps(document, indent=2) + "\n")
    return file


def _file(access: Access) -> Path:
    return access.folder / "encryption.json"
