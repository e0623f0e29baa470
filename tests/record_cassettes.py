"""Records `cassettes/` anew with `router record`, against the fake provider: `python -m tests.record_cassettes`.

A minute's work of a program, so that whoever changes the fake provider, or litellm's version, changes them as well.
`takes` says what is in them; tests/test_cassettes.py replays each.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner

from router.cli.app import app
from router.testing import (
    FAKE_KEY,
    KINDS,
    Answer,
    ContentFilter,
    ContextTooLong,
    FakeProvider,
    Malformed,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Step,
    Unauthorized,
)

CASSETTES = Path(__file__).resolve().parent.parent / "cassettes"
POLICIES = CASSETTES / "policies.yml"
PORT = "8765"  # in POLICIES
NEW_YEAR_S = (
    1_767_225_600.0  # 2026-01-01: the fake provider's clock stands still, so the same bytes come every time
)

TARGETS = {
    "openai": "openai/gpt-5-nano",
    "anthropic": "anthropic/claude-haiku-4-5",
    "gemini": "gemini/gemini-2.5-flash-lite",
}
PROMPT = "Name three kinds of bread."
TEXT = "Rye, spelt and sourdough."
TOOL = {
    "type": "function",
    "function": {
        "name": "find_bakery",
        "description": "Find a bakery near a place.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "open_now": {"type": "boolean"}},
            "required": ["city"],
        },
    },
}
SHAPE = {
    "type": "object",
    "properties": {"breads": {"type": "array", "items": {"type": "string"}}},
    "required": ["breads"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One call of the policy whose first target speaks `format`; `steps` is what that target does, then it answers."""

    name: str
    format: str
    steps: Sequence[Step]
    params: Mapping[str, Any] = field(default_factory=dict)
    fails: bool = False

    @property
    def path(self) -> str:
        return f"{self.format}/{self.name}.yaml"

    @property
    def call(self) -> dict[str, Any]:
        """As `router record --script` reads it."""
        return {
            "policy": f"{self.format}-first",
            "prompt": PROMPT,
            "params": dict(self.params),
            "fails": self.fails,
        }


ANSWERS: Mapping[str, tuple[Step, Mapping[str, Any]]] = {
    "answer": (Answer(TEXT), {}),
    "tool-call": (Answer(), {"tools": [TOOL], "tool_choice": "required"}),
    "json": (
        Answer('{"breads": ["rye", "spelt"]}'),
        {"response_format": {"type": "json_schema", "json_schema": {"name": "breads", "schema": SHAPE}}},
    ),
}
FAILURES: Mapping[str, Step] = {
    "rate-limited": RateLimited(retry_after=1),
    "server-error": ServerError(),
    "overloaded": Overloaded(),
    "unauthorized": Unauthorized(),
    "quota": QuotaExceeded(),
    "not-found": NotFound(),
    "context-too-long": ContextTooLong(limit_tokens=8_192),
    "content-filter": ContentFilter(),
    "malformed": Malformed(body="json"),
}
FINAL = ("openai/content-filter", "anthropic/content-filter")
"""Failures that no policy falls back on unless it says so. Gemini says the same in a 200 without an answer."""


def takes() -> Iterator[Take]:
    for spoken in TARGETS:
        for name, (step, params) in ANSWERS.items():
            yield Take(name=name, format=spoken, steps=[step], params=params)
        for name, fault in FAILURES.items():
            yield Take(name=name, format=spoken, steps=[fault], fails=f"{spoken}/{name}" in FINAL)


def record(take: Take, root: Path) -> None:
    """Record `take` to its path below `root`, over whatever is there."""
    with FakeProvider(default=Answer(TEXT), wall_clock=lambda: NEW_YEAR_S) as provider:
        provider.script(TARGETS[take.format], take.steps, then=Answer(TEXT))
        with TemporaryDirectory() as folder:
            policies, script = Path(folder, "policies.yaml"), Path(folder, "script.jsonl")
            port = provider.url.rpartition(":")[2]
            policies.write_text(POLICIES.read_text(encoding="utf-8").replace(PORT, port), encoding="utf-8")
            script.write_text(json.dumps(take.call), encoding="utf-8")
            _router(
                "record", "--script", script, "--into", root / take.path, "--policies", policies,
                "--synthetic", "--force",
            )  # fmt: skip
    (root / take.path).chmod(0o644)  # nothing in it is private


def _router(*arguments: str | Path) -> None:
    keys = {KINDS[name].key_variable: FAKE_KEY for name in TARGETS}
    ran = CliRunner().invoke(app, [str(each) for each in arguments], env=keys, prog_name="router")
    if ran.exit_code != 0:
        raise RuntimeError(ran.output)


def main(root: Path) -> None:
    for take in takes():
        record(take, root)
        sys.stdout.write(f"{os.path.relpath(root / take.path)}\n")


if __name__ == "__main__":
    main(CASSETTES)
