"""The real helm, for the tests of the chart."""

from __future__ import annotations

import pytest

from localenv import helm as program
from localenv.settings import LocalSettings
from support.chart import Helm


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Return helm without a cluster; the first run on a machine builds it (`make helm`)."""
    return Helm(program.find(LocalSettings.load()))
