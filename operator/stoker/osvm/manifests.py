"""Manifests that a user names: the VirtualMachines in a file or on standard input, checked before anything is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from stoker.api.base import API_VERSION, what_is_wrong
from stoker.api.virtualmachine import VirtualMachine


def read(file: str, namespace: str) -> list[dict[str, Any]]:
    """Return the VirtualMachine objects of a file, "-" for standard input; each gets the namespace if it names none.

    Raises ValueError naming the file, the object and each wrong field; OSError when the file cannot be read.
    """
    text = sys.stdin.read() if file == "-" else Path(file).read_text()
    try:
        documents = [document for document in yaml.safe_load_all(text) if isinstance(document, dict)]
    except yaml.YAMLError as error:
        raise ValueError(f"{file}: not YAML: {str(error).splitlines()[0]}") from None
    listed = [item for document in documents for item in (document.get("items") or [document])]
    found = [_vm(file, item, namespace) for item in listed if item.get("kind") == "VirtualMachine"]
    if not found:
        raise ValueError(f"{file}: no VirtualMachine in it")
    return found


def _vm(file: str, item: dict[str, Any], namespace: str) -> dict[str, Any]:
    metadata = item.get("metadata") or {}
    name = metadata.get("name", "without a name")
    if item.get("apiVersion") != API_VERSION:
        raise ValueError(f"{file}: {name}: apiVersion must be {API_VERSION}")
    try:
        VirtualMachine.model_validate(item)
    except ValidationError as error:
        raise ValueError(f"{file}: {name}: {what_is_wrong(error)}") from None
    return {**item, "metadata": {**metadata, "namespace": metadata.get("namespace") or namespace}}
