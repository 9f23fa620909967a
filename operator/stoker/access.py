"""Who this process is for the API server: a pod's service account, or a kubeconfig, found as kopf finds them."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from tempfile import NamedTemporaryFile

import kopf

from stoker.kube.client import Access

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def find_access() -> Access:
    """Return how to reach the API server: the pod's service account, else the kubeconfig.

    Raises ValueError saying what was looked for when there is neither.
    """
    if (SERVICE_ACCOUNT / "token").exists():
        info = kopf.login_with_service_account(settings=kopf.OperatorSettings())
        token_file: Path | None = SERVICE_ACCOUNT / "token"
    else:
        info = kopf.login_with_kubeconfig(settings=kopf.OperatorSettings())
        token_file = None
    if info is None:
        raise ValueError("no access to Kubernetes: neither a service account nor a kubeconfig (KUBECONFIG) was found")
    ca_data = Path(str(info.ca_path)).read_text() if info.ca_path else _text(info.ca_data)
    certificate = (
        _files(info.certificate_path, info.certificate_data),
        _files(info.private_key_path, info.private_key_data),
    )
    return Access(
        server=info.server,
        ca_data=ca_data,
        token=info.token,
        token_file=token_file,
        certificate=certificate if certificate[0] and certificate[1] else None,  # type: ignore[arg-type]
        namespace=info.default_namespace,
    )


def _text(data: object) -> str | None:
    if data is None:
        return None
    text = data.decode() if isinstance(data, bytes) else str(data)
    if "-----BEGIN" in text:
        return text
    return b64decode(text).decode()


def _files(where: object, data: object) -> Path | None:
    """Return a file with the PEM text: OpenSSL loads certificates from files only."""
    if where:
        return Path(str(where))
    if (text := _text(data)) is None:
        return None
    with NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
        file.write(text)
    return Path(file.name)
