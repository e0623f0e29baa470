"""pytest fixtures: `pytest_plugins = ["router.testing.fixtures"]` in a conftest makes them available."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from router.testing.fake_provider import FakeProvider


@pytest.fixture
def fake_provider() -> Iterator[FakeProvider]:
    """A fake provider of the test's own, stopped after it."""
    with FakeProvider() as provider:
        yield provider
