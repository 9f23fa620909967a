"""The real Argo CD and the real Flux, once for all tests: `make gitops`. No other run collects this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import onboard
from localenv.settings import LocalSettings
from support.argocd import ArgoCD
from support.controllers import Repository
from support.flux import Flux


@pytest.fixture(scope="session")
def local() -> LocalSettings:
    """The local environment's Kubernetes; `make gitops` brings it up, and no OpenStack."""
    settings = LocalSettings.load()
    file = settings.state / "kubeconfig-operator"
    assert file.exists(), f"{file} is missing: run `make gitops`"
    return settings


@pytest.fixture(scope="session")
def onboarded(local: LocalSettings) -> LocalSettings:
    """The environment with CRDs and templates."""
    onboard.install(local)
    return local


@pytest.fixture(scope="session")
def argocd(onboarded: LocalSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """Argo CD, with the settings of our guide."""
    running = ArgoCD(onboarded, tmp_path_factory.mktemp("argocd"))
    running.install()
    with running.programs:
        running.start()
        yield running


@pytest.fixture(scope="session")
def flux(onboarded: LocalSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flux]:
    """Flux, as it is installed."""
    with Flux(onboarded, tmp_path_factory.mktemp("flux")) as running:
        running.install()
        running.start()
        yield running


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A Git repository of the test's own."""
    return Repository(tmp_path / "git")
