"""Redis itself, beside Valkey: the contract tests run on it wherever its server is on PATH."""

import pytest

from router.adapters.clocks import ManualClock
from router.adapters.redis_cache import RedisCache
from router.ports import CacheEntry
from tests.adapters.states import STATES, do
from tests.adapters.valkey import REDIS_SERVER, ValkeyServer


def test_the_contracts_are_tried_on_a_redis_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The one visible skip of a machine without Redis; its contract tests are then not there at all."""
    if REDIS_SERVER is None:
        pytest.skip("no `redis-server` on PATH: the contracts were tried on Valkey alone")
    assert "redis-server" in STATES
    with ValkeyServer(tmp_path_factory.mktemp("redis"), program=REDIS_SERVER) as server:
        cache, kept = RedisCache(server.url, ManualClock()), CacheEntry(body=b"{}", stored_at_s=1.0)
        do(cache.put("ab" * 8, kept, ttl_s=60))
        assert do(cache.get("ab" * 8)) == kept
        do(cache.aclose())
