"""One Redis or Valkey server as a store: connections, scripts, its clock, and whether it still has its rows.

Every atomic operation is one Lua script. All keys of a state carry its name in braces, so they lie in one slot of a
cluster. Works with Redis 6.2 and Valkey 7.2 or later.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Callable
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from router.adapters.accounts import LAPSES_AN_OPENING
from router.adapters.forks import watch_forks
from router.adapters.private_folder import make_private
from router.adapters.redis_link import RedisLink, to_the_end
from router.adapters.redis_wire import is_of_wire
from router.errors import StoreError
from router.ports import Clock

VERSION = "1"
CLOCK_EVERY_S = 60.0
MARK_EVERY_S = 1.0
TRIES = 4  # after a lost answer, and after losses that somebody accepted meanwhile
_SCRIPTS = Path(__file__).parent / "lua"


@cache
def _script(name: str) -> tuple[str, str]:
    """The text of a script and its SHA-1, by which a server that knows it runs it."""
    common = (_SCRIPTS / "common.lua").read_text(encoding="utf-8")
    own = (_SCRIPTS / f"{name}.lua").read_text(encoding="utf-8")
    text = own if name in ("hello", "accept") else f"{common}\n{own}"
    return text, hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - the server's own name for a script


class RedisStore:
    """What the ledger, the limiter and the health of one state share.

    `mark` is a file that remembers how far this host has seen the state come; without it only this process remembers.
    `server_time`: times that are compared between machines are told in the server's clock; False for a manual clock.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        name: str = "router",
        mark: Path | None = None,
        server_time: bool = True,
    ) -> None:
        self._link = RedisLink(url, clock, key=f"{{{name}}}", text=True)
        watch_forks(self._link)
        self._clock = clock
        self._name = f"{{{name}}}"
        self._mark = mark
        self._server_time = server_time
        self._epoch, self._seq = self._remembered()
        self._greeter: int | None = None  # the process that has met the state; its children meet it anew
        self._offset_s = 0.0
        self._clock_at_s = self._marked_at_s = float("-inf")

    @property
    def suspends(self) -> bool:
        return self._clock.suspends

    @property
    def place(self) -> str:
        """The address without its credentials."""
        return self._link.place

    def server_s(self, now_s: float) -> float:
        """A wall-clock time of this machine in the server's clock."""
        return now_s + self._offset_s

    def own_s(self, server_s: float) -> float:
        return server_s - self._offset_s

    async def run(
        self, port: str, script: str, arguments: Callable[[bool], list[str]], *, wait_s: float = inf
    ) -> list[Any]:
        """The answer of a script. `arguments` are made anew for each try and told whether an answer may have been lost.

        Raises StoreError where the server can't be reached in time, or has lost rows that it had.
        Where others have just waited for it in vain, it does so at once. On an event loop it does so after `wait_s`,
        and what was asked is done all the same, unheard. A thread asks no second time then.
        """
        work = self._run(port, script, arguments, wait_s)
        if not self.suspends:
            return await work
        try:
            return await to_the_end(work, None if wait_s == inf else wait_s)
        except TimeoutError:
            raise self._link.too_slow(port, wait_s) from None

    async def _run(
        self, port: str, script: str, arguments: Callable[[bool], list[str]], wait_s: float
    ) -> list[Any]:
        again, began_s = False, await self._link.begin(port)
        for _ in range(TRIES):
            try:
                await self._greet()
                epoch = self._epoch or ""
                answer = await self._evaluate(script, [epoch, str(self._seq), *arguments(again)])
                self._link.answered()
                if answer[0] != "lost":
                    return self._kept(answer)
                self._greeter = None  # somebody may have accepted the loss
                await self._greet()
                if self._epoch == epoch:
                    raise self._lost(port)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - of a library loaded late: whatever it raises becomes ours
                has_time = self._clock.mono_s() < began_s + wait_s
                if again or not is_of_wire(error) or not has_time:
                    raise self._link.gone(port, error, began_s) from None
                again = True
                self._greeter = None
        raise self._lost(port)

    async def accept_loss(self, *, who: str, why: str) -> None:
        """Go on with a store that lost rows: what they held is forgotten, and it is recorded who decided so."""
        known, fresh = self._epoch or "", uuid.uuid4().hex
        note = json.dumps(
            {"who": who, "why": why, "at_s": self._clock.now_s(), "epoch": known, "seq": self._seq}
        )
        try:
            await self._evaluate("hello", [fresh, VERSION, known])
            epoch, seq = await self._evaluate("accept", [known, note, uuid.uuid4().hex])
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise self._link.unreachable("ledger", error) from None
        self._epoch, self._seq, self._greeter = epoch, int(seq), os.getpid()
        self._remember(force=True)

    async def losses(self) -> list[dict[str, Any]]:
        """Every loss that was accepted: who, why, at_s, and the epoch and sequence number that were given up."""
        try:
            found = await self._link.ask(lambda client: client.lrange(f"{self._name}:losses", 0, -1))
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise self._link.unreachable("ledger", error) from None
        return [json.loads(each) for each in found]

    async def aclose(self) -> None:
        """Close the connections; a later call opens them again."""
        self._remember(force=True)
        self._greeter = None
        await self._link.drop()

    # --- Talking ------------------------------------------------------------------------------------------------------

    async def _greet(self) -> None:
        """See what a connection has to know before it is used; whoever is the first to use it resolves leases."""
        is_first = False
        if self._greeter != os.getpid():
            await self._meet()
            is_first, self._greeter = self._greeter != os.getpid(), os.getpid()
        if self._server_time and self._clock.mono_s() - self._clock_at_s > CLOCK_EVERY_S:
            await self._ask_time()
        if is_first:
            await self._resolve_lapsed()

    async def _meet(self) -> None:
        """Make the state where there is none, and see whether it is the one that was known."""
        known = self._epoch or ""
        epoch, seq, version, accepted = await self._evaluate("hello", [uuid.uuid4().hex, VERSION, known])
        if version != VERSION:
            raise StoreError(
                f"the state at {self._link.place} has layout {version}, and this router knows {VERSION}",
                port="ledger",
                help="upgrade this router, or name another state",
            )
        await self._refuse_eviction()
        if (self._epoch or "") == known and (accepted or not known):  # else another call has met it meanwhile
            self._epoch, self._seq = epoch, int(seq)

    async def _resolve_lapsed(self) -> None:
        """Processes that died leave leases to whoever opens the state next. No call fails with it: a state that lost
        rows, or a server that takes no writes, is told of by the script that needs it."""
        now_s = self.server_s(self._clock.now_s())
        values = [self._epoch or "", str(self._seq), repr(now_s), str(LAPSES_AN_OPENING)]
        try:
            await self._evaluate("reconcile", values)
        except Exception as error:
            if is_of_wire(error):
                raise

    async def _refuse_eviction(self) -> None:
        """A server that drops any key when its memory is full would drop balances, one by one and without a trace."""
        try:
            found = await self._link.ask(lambda client: client.info("memory"))
        except Exception as error:
            if type(error).__name__ in ("NoPermissionError", "ResponseError"):
                return  # it tells nobody; docs/budgets.md says what it must be set to
            raise
        policy = str(found.get("maxmemory_policy", ""))
        if policy.startswith("allkeys") and int(found.get("maxmemory", 0)):
            raise StoreError(
                f"the server at {self._link.place} drops any row when its memory is full: `maxmemory-policy` is "
                f"`{policy}`",
                port="ledger",
                help="set it to `noeviction`, or keep the state on a server of its own and only answers on this one",
            )

    async def _ask_time(self) -> None:
        before_s = self._clock.now_s()
        seconds, micros = await self._link.ask(lambda client: client.time())
        after_s = self._clock.now_s()
        self._offset_s = int(seconds) + int(micros) / 1e6 - (before_s + after_s) / 2
        self._clock_at_s = self._clock.mono_s()

    async def _evaluate(self, script: str, values: list[str]) -> list[Any]:
        text, digest = _script(script)
        try:
            found = await self._link.ask(lambda client: client.evalsha(digest, 1, self._name, *values))
        except Exception as error:
            if type(error).__name__ != "NoScriptError":
                raise
            found = await self._link.ask(lambda client: client.eval(text, 1, self._name, *values))
        answer: list[Any] = found
        return answer

    # --- What it must still have --------------------------------------------------------------------------------------

    def _kept(self, answer: list[Any]) -> list[Any]:
        if answer[0] in ("granted", "refused"):
            self._seq = max(self._seq, int(answer[1]))
            self._remember()
        return answer

    def _lost(self, port: str) -> StoreError:
        return StoreError(
            f"the state at {self._link.place} has lost rows: it is not the one, or not as far, as it was",
            port=port,
            help="budgets that it forgot must not be handed out anew: restore it, or accept the loss with "
            "`router audit --accept-loss`",
        )

    def _remembered(self) -> tuple[str | None, int]:
        if self._mark is None:
            return None, 0
        try:
            known = json.loads(self._mark.read_text(encoding="utf-8"))
            return str(known["epoch"]), int(known["seq"])
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
        ):  # no mark yet, or one that was cut short: nothing is known
            return None, 0

    def _remember(self, *, force: bool = False) -> None:
        now_s = self._clock.mono_s()
        if (
            self._mark is None
            or self._epoch is None
            or not (force or now_s - self._marked_at_s >= MARK_EVERY_S)
        ):
            return
        self._marked_at_s = now_s
        epoch, seq = self._remembered()
        if epoch == self._epoch and seq >= self._seq:  # another process of this host has seen more
            return
        text = json.dumps({"epoch": self._epoch, "seq": self._seq})
        fresh = self._mark.with_name(f"{self._mark.name}.{os.getpid()}")
        try:
            make_private(self._mark.parent)
            fresh.touch(mode=0o600)
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._mark)
        except OSError:  # it only sharpens the memory of later processes; this one remembers by itself
            return
