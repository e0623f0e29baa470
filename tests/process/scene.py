"""A real router over real parts: policies on disk, SQLite beside them, real litellm, HTTP on this machine."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.adapters.clocks import SystemClock
from router.adapters.sqlite_state import SqliteState
from router.client.inline import run_inline
from router.plan import Limit
from router.ports import Row
from router.testing import FakeProvider, ReceivedRequest

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "programs"
KEYS = {"OPENAI_API_KEY": "sk-made-up-openai", "ANTHROPIC_API_KEY": "sk-made-up-anthropic"}
FIRST, SECOND = "openai/gpt-5-nano", "anthropic/claude-haiku-4-5"
WHO: Mapping[str, Any] = {"policy": "main", "tenant": "acme"}

POLICIES = """\
version: 1
providers:
  openai: {{base_url: "{openai}"}}
  anthropic: {{base_url: "{anthropic}"}}
policies:
  main:
    targets: [openai/gpt-5-nano, anthropic/claude-haiku-4-5]
    retry: off
    ceiling: {{input_tokens: 10k, output_tokens: 100}}
    timeout: {{total: 30s, attempt: 10s}}
    budget: {{per_day: $50}}
  quick:
    targets: [openai/gpt-5-nano, anthropic/claude-haiku-4-5]
    retry: off
    ceiling: {{input_tokens: 10k, output_tokens: 100}}
    timeout: {{total: 30s, attempt: 200ms}}
  kept:
    targets: [openai/gpt-5-nano, anthropic/claude-haiku-4-5]
    retry: off
    ceiling: {{input_tokens: 10k, output_tokens: 100}}
    cache: {{ttl: 1h, sampled: true}}
  patient:
    targets: [openai/gpt-5-nano]
    retry: {{attempts: 2, base: 300ms, max: 500ms}}
    ceiling: {{input_tokens: 10k, output_tokens: 100}}
tenants:
  acme:
    policies: all
    budget: {{per_month: $5000}}
    limits: {{concurrent_requests: 32, requests_per_minute: 100k}}
"""


def write_policies(folder: Path, provider: FakeProvider, text: str = POLICIES) -> Path:
    policies = folder / "policies"
    policies.mkdir()
    urls = {kind: provider.base_url(kind) for kind in ("openai", "anthropic")}
    (policies / "main.yaml").write_text(text.format(**urls), encoding="utf-8")
    return policies


@dataclass(frozen=True, kw_only=True)
class Scene:
    """`policies` is what a router opens; state and cache are where every router of them keeps theirs."""

    policies: Path
    provider: FakeProvider

    @property
    def state(self) -> Path:
        return self.policies.parent / ".router" / "state.db"

    @property
    def cache(self) -> Path:
        return self.policies.parent / ".router" / "cache"

    def rows(self, realm: str = "") -> Sequence[Row]:
        """What the ledger keeps of real calls, or of those of another realm."""
        state = SqliteState(self.state.parent / realm / "state.db", SystemClock())
        try:
            return run_inline(state.ledger.rows())
        finally:
            run_inline(state.aclose())

    def permits(self, limits: Sequence[Limit]) -> int:
        """How many requests hold one of the concurrency `limits` now."""
        state, held = (
            SqliteState(self.state, SystemClock()),
            [limit for limit in limits if limit.unit == "concurrent_requests"],
        )
        assert held, "a scene without a concurrency limit shows nothing"
        try:
            return sum(run_inline(state.limiter.used(held, now_s=time.time())).values())
        finally:
            run_inline(state.aclose())

    def counters(self) -> dict[str, tuple[int, int]]:
        """What the file itself counts: (settled, reserved) in nano-USD, by counter."""
        with closing(sqlite3.connect(self.state)) as connection:
            query = "SELECT key, settled, reserved FROM counters JOIN names USING (name)"
            return {key: (settled, reserved) for key, settled, reserved in connection.execute(query)}


def closed(requests: Sequence[ReceivedRequest]) -> bool:
    """Every request that was received has had its socket closed by the client."""
    return bool(requests) and all(request.closed_by_client for request in requests)


def environment(**changes: str) -> dict[str, str]:
    """A child's environment: this one, the made-up keys, and the checkout to import from."""
    return {**os.environ, **KEYS, "PYTHONPATH": str(CHECKOUT), **changes}


def begin(program: str, *arguments: object, **variables: str) -> "subprocess.Popen[str]":
    """A program of `programs/` in an interpreter of its own, in which every warning is an error."""
    quiet = (
        "-W",
        "error",
        "-W",
        "ignore:This process:DeprecationWarning",
    )  # a fork beside threads is the point
    return subprocess.Popen(
        [sys.executable, *quiet, str(PROGRAMS / program), *map(str, arguments)],
        cwd=CHECKOUT,
        env=environment(**variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(
    process: "subprocess.Popen[str]", told: str | None = None, *, timeout_s: float = 90.0
) -> tuple[int, str, str]:
    """Exit status, standard output and error, after it was `told` something on standard input. A program that hangs
    tells where before it is ended (see `watch`)."""
    try:
        out, err = process.communicate(told, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with what it forked
        out, err = process.communicate()
        raise AssertionError(f"`{process.args}` hung\n{out}\n{err}") from None
    return process.returncode, out.strip(), err.strip()


def output(program: str, *arguments: object, **variables: str) -> str:
    """What a program says that ends well and in silence."""
    status, out, err = ended(begin(program, *arguments, **variables))
    assert (status, err) == (0, ""), f"exit status {status}\n{out}\n{err}"
    return out
