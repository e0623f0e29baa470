"""The processes that are measured, and the upstream they call: each started, spoken to and ended here."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Self

from bench.scene import KEY, KEY_VARIABLE, URLS_VARIABLE
from bench.timing import Block

ROOT = Path(__file__).resolve().parent.parent
END_S = 10.0

QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else its import asks the network for a price file
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOG": "ERROR",
}


class Ended(RuntimeError):
    """A process of this run ended before its work did. The message holds the end of what it said."""


class Speaking:
    """A process that is told and answers in lines of JSON. `core`: the one it stays on, where the system can."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: dict[str, str],
        *,
        python: str = sys.executable,
        core: int | None = None,
    ) -> None:
        self._said: IO[bytes] = TemporaryFile()  # noqa: SIM115 - closed in `end`
        self._process = subprocess.Popen(
            [python, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._process.pid, {core})  # what it starts later stays there too

    def hear(self) -> Any:
        """The next answer. Raises Ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._said.seek(0)
            raise Ended(
                f"`{self._process.args}` ended:\n{self._said.read()[-2000:].decode(errors='replace')}"
            )
        return json.loads(line)

    def say(self, question: Any) -> None:
        """Without waiting for the answer, so that others can be told meanwhile."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: `hear` says why
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()

    def tell(self, question: Any) -> Any:
        """Raises Ended."""
        self.say(question)
        return self.hear()

    def end(self) -> None:
        """Ask, then insist."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()
        self._said.close()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def terminate(self) -> None:
        self._process.terminate()
        self.end()


class Worker(Speaking):
    """Makes blocks of calls along the paths of its role; see `bench.worker`."""

    def __init__(self, role: str, environment: dict[str, str], **more: Any) -> None:
        super().__init__(["-m", "bench.worker", role], environment, **more)

    def ready(self) -> Self:
        self.paths: list[str] = self.hear()["paths"]
        return self

    def block(self, path: str, calls: int) -> Block:
        return Block(**self.tell({"path": path, "calls": calls}))


@contextmanager
def upstream() -> Iterator[dict[str, str]]:
    """The environment in which every kind of provider is the project's fake one, in a process of its own."""
    provider = Speaking(["-m", "router.testing", "--instant"], clean())
    try:
        yield {**clean(), **QUIET, URLS_VARIABLE: json.dumps(provider.hear()), KEY_VARIABLE: KEY}
    finally:
        provider.terminate()


@contextmanager
def workers(roles: Sequence[str], environment: dict[str, str]) -> Iterator[dict[str, Worker]]:
    """One worker a role, all ready. They start beside each other: each imports litellm, which takes seconds."""
    started = {role: Worker(role, environment) for role in roles}
    try:
        yield {role: worker.ready() for role, worker in started.items()}
    finally:
        for worker in started.values():
            worker.end()


def answer_of(arguments: Sequence[str], environment: dict[str, str]) -> Any:
    """What a short process says in one line of JSON."""
    process = Speaking(arguments, environment)
    try:
        return process.hear()
    finally:
        process.end()


def clean() -> dict[str, str]:
    """The environment without settings of a router or keys of a provider."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ROUTER_", "LITELLM_")) and not name.endswith("_API_KEY")
    }
    return {**kept, "PYTHONPATH": str(ROOT)}
