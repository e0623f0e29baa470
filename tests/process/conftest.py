"""One fake provider, what is slow to load loaded before anything is timed,
and policies on disk that point at the provider."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router import Router
from router.testing import FakeProvider
from tests.process.scene import KEYS, WHO, Scene, write_policies


@pytest.fixture(scope="session")
def running() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def provider(running: FakeProvider) -> FakeProvider:
    running.reset()
    return running


@pytest.fixture
def scene(tmp_path: Path, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Policies in a folder of their own, keys in the environment, and nothing else set."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return Scene(policies=write_policies(tmp_path, provider), provider=provider)


@pytest.fixture(scope="session")
def warm(running: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> None:
    """litellm and the encodings take a while to load: once, before the first deadline is measured."""
    policies = write_policies(tmp_path_factory.mktemp("warm"), running)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        with Router.open(policies, state="memory", cache="memory") as router:
            router.complete("hello", timeout=60.0, **WHO)
