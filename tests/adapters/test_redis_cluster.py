"""A cluster: its state and its answers lie on one node each, which the others name, and which may come back."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from router.adapters.clocks import AsyncClock, ManualClock, SystemClock
from router.adapters.redis_cache import RedisCache
from router.adapters.redis_link import RedisLink, node_of
from router.adapters.redis_state import RedisState
from router.errors import StoreError
from router.ports import CacheEntry, Granted
from tests.adapters.states import balance, budget, charge, do, granted, hold, row, settlement
from tests.adapters.valkey import ValkeyServer, free_port

TEAM = budget("tenant:acme", 3000)
HALF = 8192
PATIENCE_S = 20.0


class Cluster:
    """Two nodes with half of the slots each."""

    def __init__(self, nodes: list[ValkeyServer]) -> None:
        import redis

        self.nodes = nodes
        self.clients = [redis.Redis(port=node.port, decode_responses=True) for node in nodes]
        for client, (first, last) in zip(self.clients, [(0, HALF - 1), (HALF, 2 * HALF - 1)], strict=True):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        self.clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[1].port, nodes[1].bus)
        self.settled()

    def settled(self) -> None:
        ends_s = time.monotonic() + PATIENCE_S
        while any(
            each.cluster("INFO")["cluster_state"] != "ok"
            or each.cluster("INFO")["cluster_known_nodes"] != "2"
            for each in self.clients
        ):
            assert time.monotonic() < ends_s
            time.sleep(0.05)

    def name_on(self, node: int, begins: str) -> str:
        """A name whose slot lies on that node."""
        names = (f"{begins}-{number}" for number in range(1000))
        return next(name for name in names if (self.slot(name) >= HALF) == bool(node))

    def slot(self, name: str) -> int:
        return int(self.clients[0].cluster("KEYSLOT", f"{{{name}}}"))

    def move(self, name: str, to: int) -> None:
        """The slot of `name`, without its keys: as after a failover to a node that knew nothing of them."""
        ids = [client.execute_command("CLUSTER", "MYID") for client in self.clients]
        for key in self.clients[1 - to].keys(f"{{{name}}}*"):
            self.clients[1 - to].delete(key)
        for client in (self.clients[to], self.clients[1 - to]):
            client.execute_command("CLUSTER", "SETSLOT", self.slot(name), "NODE", ids[to])


@contextmanager
def cluster_in(folder: Path, **how: Any) -> Iterator[Cluster]:
    with ExitStack() as opened:
        nodes = [
            opened.enter_context(ValkeyServer(folder / f"n{number}", cluster=True, port=free_port(), **how))
            for number in range(2)
        ]
        cluster = Cluster(nodes)
        for client in cluster.clients:
            opened.enter_context(closing(client))
        yield cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_in(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.mark.parametrize("node", [0, 1])
def test_a_state_is_found_on_whichever_node_has_it(cluster: Cluster, node: int) -> None:
    state = RedisState(
        cluster.nodes[0].url, ManualClock(), name=cluster.name_on(node, "state"), server_time=False
    )
    assert granted(state, hold("a", charge(TEAM, 1000)))
    do(state.ledger.settle("a", settlement(700)))
    assert granted(state, hold("b", charge(TEAM, 2300)))
    assert not granted(state, hold("c", charge(TEAM, 1)))
    assert balance(state, TEAM) == (700, 2300)
    assert row(state, "a").state == "settled"
    do(state.aclose())
    assert granted(state, hold("d", charge(TEAM, 0)))
    do(state.aclose())


def test_threads_and_tasks_find_it_together(cluster: Cluster) -> None:
    name = cluster.name_on(1, "many")
    state = RedisState(cluster.nodes[0].url, SystemClock(), name=name)
    with ThreadPoolExecutor(16) as pool:
        holds = [hold(f"t{number}", charge(TEAM, 10), now_s=time.time()) for number in range(100)]
        assert sum(pool.map(lambda each: granted(state, each), holds)) == 100
    do(state.aclose())

    async def tasks() -> int:
        other = RedisState(cluster.nodes[0].url, AsyncClock(), name=name)
        asked = [
            other.ledger.reserve(hold(f"a{number}", charge(TEAM, 10), now_s=time.time()))
            for number in range(300)
        ]
        found = await asyncio.gather(*asked)
        await other.aclose()
        return sum(isinstance(each, Granted) for each in found)

    assert asyncio.run(tasks()) == 200


@pytest.mark.parametrize("node", [0, 1])
def test_answers_are_found_on_whichever_node_has_them(cluster: Cluster, node: int) -> None:
    cache = RedisCache(cluster.nodes[0].url, ManualClock(), name=cluster.name_on(node, "answers"))
    for number in range(20):
        key, entry = f"{number:032x}", CacheEntry(body=b"{}", stored_at_s=1.0)
        do(cache.put(key, entry, ttl_s=60))
        assert do(cache.get(key)) == entry
    do(cache.aclose())


def test_a_slot_that_went_elsewhere_without_its_rows_is_closed(cluster: Cluster) -> None:
    name = cluster.name_on(1, "gone")
    state = RedisState(cluster.nodes[0].url, ManualClock(), name=name, server_time=False)
    assert granted(state, hold("a", charge(TEAM, 3000)))
    cluster.move(name, 0)
    with pytest.raises(StoreError, match="has lost rows"):
        do(state.ledger.reserve(hold("b", charge(TEAM, 1))))
    do(state.aclose())


def test_a_node_that_was_away_is_found_again(tmp_path: Path) -> None:
    with cluster_in(tmp_path, durable=True) as cluster:
        name = cluster.name_on(1, "away")
        state = RedisState(cluster.nodes[0].url, ManualClock(), name=name, server_time=False)
        assert granted(state, hold("a", charge(TEAM, 1000)))
        cluster.nodes[1].kill()
        with pytest.raises(StoreError, match="does not answer"):
            do(state.ledger.reserve(hold("b", charge(TEAM, 1))))
        cluster.nodes[1].start()
        cluster.settled()
        assert granted(state, hold("c", charge(TEAM, 1000)))
        assert balance(state, TEAM) == (0, 2000)
        do(state.aclose())


class MovedError(Exception):
    """As redis-py's."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"0 {host}:{port}")
        self.host, self.port = host, port


@pytest.mark.parametrize(
    ("given", "host", "address"),
    [
        (
            "rediss://ann:pw@a.internal:6379?ssl_cert_reqs=none",
            "10.0.0.2",
            "rediss://ann:pw@10.0.0.2:7000?ssl_cert_reqs=none",
        ),
        ("redis://a.internal:6379", "", "redis://a.internal:7000"),
        ("redis://a.internal", "::1", "redis://[::1]:7000"),
        ("valkey://a.internal", "b", "redis://b:7000"),
    ],
)
def test_a_node_is_asked_with_the_credentials_and_options_that_were_given(
    given: str, host: str, address: str
) -> None:
    link = RedisLink(given, ManualClock(), key="{t}", text=True)
    do(link._move(node_of(MovedError(host, 7000))))
    assert link._address() == address
    do(link._move(None))
    assert link._address() == link._url


def test_a_cluster_without_a_place_for_the_keys_says_so() -> None:
    class ClusterDownError(Exception):
        pass

    error = RedisLink("redis://a", ManualClock(), key="{t}", text=True).unreachable(
        "ledger", ClusterDownError()
    )
    assert "has no node for this state now" in error.message
    assert "later calls ask again" in error.help
