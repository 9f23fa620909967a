"""TLS is verified against the Cloud's own CA, and against nothing that the environment adds."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stoker.api.errors import ErrorCode
from support.canned import CannedCloud, dripping
from support.canned_project import STACKS, create, fault_of


def certificate(path: Path, host: str) -> tuple[ssl.SSLContext, str]:
    """Return a server's context with a new self-signed certificate for that address, and the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (path / "server.pem").write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path / "server.pem")
    return context, pem.decode()


@pytest.mark.parametrize(
    ("host", "known", "accepted"), [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("127.0.0.2", True, False)]
)
def test_tls_is_verified_against_the_clouds_own_ca(
    opened, tmp_path: Path, host: str, known: bool, accepted: bool
) -> None:
    context, pem = certificate(tmp_path, host)
    with CannedCloud(tls=context) as canned:
        project = opened(canned, ca_bundle=pem if known else None)
        if accepted:
            project.verify()
            return
        fault = fault_of(project.verify)
        assert (fault.code, fault.definite) == (ErrorCode.CLOUD_UNAVAILABLE, True)
        assert "certificate" in fault.message
        assert canned.sent == []


def test_the_environment_cannot_add_a_ca(opened, tmp_path: Path, monkeypatch) -> None:
    context, pem = certificate(tmp_path, "127.0.0.1")
    (tmp_path / "ca.pem").write_text(pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with CannedCloud(tls=context) as canned:
        fault_of(opened(canned).verify)


def test_a_drip_over_tls_is_cut(opened, tmp_path: Path) -> None:
    context, pem = certificate(tmp_path, "127.0.0.1")
    with CannedCloud(tls=context) as canned:
        project = opened(canned, ca_bundle=pem, timeout=1.0)
        project.verify()
        canned.on("POST", STACKS, dripping(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"))
        assert fault_of(lambda: create(project)).code is ErrorCode.TIMEOUT


@pytest.mark.parametrize("text", ["no PEM", "", "ü", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"])
def test_a_bundle_that_is_none_is_said(canned, opened, text: str) -> None:
    assert fault_of(lambda: opened(canned, ca_bundle=text)).code is ErrorCode.TENANT_NOT_READY
