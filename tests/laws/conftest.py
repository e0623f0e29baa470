"""What the tests of all laws stand on."""

import pytest

from router.adapters import redis_link, redis_wire, sqlite_file


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand calls on a busy machine may wait for seconds: that is no fault of the stores, and none of the laws."""
    for module in (redis_link, redis_wire):
        monkeypatch.setattr(module, "ANSWER_S", 60.0)
    monkeypatch.setattr(sqlite_file, "PATIENCE_S", 60.0)
