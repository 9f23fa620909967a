"""Download finished programs from the official sites: the envtest archive and the Kubernetes release site.

Every byte is checked against a SHA-512 sum. A site that cannot be reached is normal (an offline machine, a closed
network): it is said in one line and the caller goes on to its next source. A wrong sum is never normal and stops.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

from .process import say

PROBE_SECONDS = 4.0
"""How long a site may take to answer at all. Short, because offline machines wait for it on their first start."""

STALL_SECONDS = 30.0
"""Longest pause inside a running download."""

REPORT_SECONDS = 15.0
"""Pause between two lines of progress."""

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Sites:
    """Where finished programs are published."""

    archive: str
    """Address of the envtest archive, with a place for `arch`."""

    archive_sha512: Mapping[str, str]
    """Architecture → sum of its archive; an architecture without a sum is not downloaded."""

    release: str
    """Address of one released program, with places for `version`, `arch` and `name`; its sum lies next to it under
    the same name plus `.sha512`."""


OFFICIAL = Sites(
    # The newest archive of the pinned minor version: envtest skips patch releases. The programs of the release site
    # may be a patch version newer; the skew policy of Kubernetes counts minor versions.
    archive="https://github.com/kubernetes-sigs/controller-tools/releases/download/"
    "envtest-v1.36.2/envtest-v1.36.2-linux-{arch}.tar.gz",
    # From `envtest-releases.yaml` of kubernetes-sigs/controller-tools.
    archive_sha512={
        "amd64": "ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dc"
        "f30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08",
        "arm64": "2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae2818"
        "1afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac",
    },
    release="https://dl.k8s.io/{version}/bin/linux/{arch}/{name}",
)

ARCHIVED = ("etcd", "kube-apiserver", "kubectl")
RELEASED = ("kube-apiserver", "kube-controller-manager", "kubectl")


def download(names: Sequence[str], folder: Path, version: str, arch: str, sites: Sites = OFFICIAL) -> None:
    """Put those of the named programs that the official sites have into the folder.

    Raises SystemExit when a downloaded file does not have its published sum.
    """
    archive = sites.archive.format(arch=arch)
    released = {name: sites.release.format(version=version, arch=arch, name=name) for name in names if name in RELEASED}
    reachable = answering([archive, *released.values()])
    if not reachable:
        say("the official download sites cannot be reached from here")
    archived = [name for name in names if name in ARCHIVED]
    if archive in reachable and archived and arch in sites.archive_sha512:
        with tolerant():
            fetch(archive, folder / "envtest.tar.gz", sites.archive_sha512[arch])
            unpack(folder / "envtest.tar.gz", archived, folder)
    for name, url in released.items():
        if url in reachable and not (folder / name).exists():
            with tolerant():
                fetch(url, folder / name, _published_sum(url))


def answering(urls: Sequence[str]) -> set[str]:
    """Return those addresses that answer within `PROBE_SECONDS`, all asked at once.

    In threads, because a time-out bounds neither the look-up of the host name nor a chain of redirects.
    """
    answered: list[str] = []

    def probe(url: str) -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PROBE_SECONDS):
                answered.append(url)
        except (OSError, HTTPException):
            pass  # it does not answer, which is what is asked

    threads = [threading.Thread(target=probe, args=(url,), daemon=True) for url in urls]
    deadline = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return set(answered)


def unpack(archive: Path, names: Sequence[str], folder: Path) -> None:
    """Write the named programs of a tar archive into the folder, wherever in the archive they lie."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            content = tar.extractfile(member) if name in names else None
            if content:
                with (folder / name).open("wb") as target:
                    shutil.copyfileobj(content, target)


def verify(path: Path, sha512: str) -> None:
    """Check a file's sum; remove the file and raise SystemExit when it differs."""
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha512").hexdigest()
    if actual != sha512:
        path.unlink()
        raise SystemExit(f"{path.name}: SHA-512 is {actual}, expected {sha512}; not using this download")


def fetch(url: str, target: Path, sha512: str) -> None:
    """Download one file, saying every 15 seconds how far it is, and verify it.

    The target appears only when it is whole and right. Raises OSError when the download breaks off.
    """
    say(f"downloading {url}")
    part, reported = target.with_name(target.name + ".part"), time.monotonic()
    with urllib.request.urlopen(url, timeout=STALL_SECONDS) as answer, part.open("wb") as file:
        while chunk := answer.read(CHUNK_BYTES):
            file.write(chunk)
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                say(f"downloading {target.name}: {file.tell() >> 20} MiB")
        # `read` returns nothing both at the end and at a lost connection; what is left of the announced length tells.
        if answer.length:
            raise URLError(f"{answer.length} bytes are missing")
    verify(part, sha512)
    part.replace(target)


@contextmanager
def tolerant() -> Iterator[None]:
    """Turn a download that breaks off into one line: the next source takes over."""
    try:
        yield
    except (OSError, HTTPException) as error:
        say(f"the download broke off ({error}); going on without it")


def _published_sum(url: str) -> str:
    with urllib.request.urlopen(url + ".sha512", timeout=STALL_SECONDS) as answer:
        content: bytes = answer.read(4096)
    # Either the sum alone, or the sum and the file's name.
    return (content.decode("ascii", "replace").split() or [""])[0]
