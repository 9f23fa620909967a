"""A namespace of people for each test; no operator works in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from localenv.settings import LocalSettings
from support.users import Desk


@pytest.fixture
def desk(local: LocalSettings) -> Iterator[Desk]:
    """Return a namespace in which alice and bob may edit."""
    desk = Desk(local, f"desk-{uuid.uuid4().hex[:8]}")
    desk.open()
    yield desk
    desk.close()
