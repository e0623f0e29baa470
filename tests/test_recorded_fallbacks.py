"""Policies over real recorded exchanges: a real failure of one provider, then a real answer of another."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from router import Router, TargetsExhausted
from router import events as ev
from router.adapters.cassette_transport import CassetteTransport
from router.adapters.clocks import ManualClock
from router.client.inline import run_inline
from router.values import Kind
from tests.recorded_calls import read_table
from tests.recorded_reader import Answer, read

pytestmark = pytest.mark.recordings

ANSWERS = {
    "groq/llama-3.3-70b-versatile": "groq/chat_plain__llama-3.3-70b-versatile__req-llm.yaml",
    "anthropic/claude-haiku-4-5": "anthropic/chat_plain__claude-haiku-4-5__ruby-llm.yaml",
    "openai/gpt-4o-mini": "openai/chat_plain__gpt-4o-mini__crewai.yaml",
}

LLAMA = {
    "price": {"input_per_million": "$0.59", "output_per_million": "$0.79"},
    "context": "128k",
    "max_output": "32k",
}
DECLARED = {"groq/llama-3.3-70b-versatile": {"models": {"llama-3.3-70b-versatile": LLAMA}}}
"""The price file no longer knows every model that was recorded."""

CASES = [
    ("openai/gpt-5-nano", "openai/error_429_rate_limit__gpt-5-nano__ruby-llm.yaml", "groq"),
    ("openai/gpt-4.1-nano", "openai/error_429_rate_limit__gpt-4.1-nano__ruby-llm.yaml", "anthropic"),
    (
        "anthropic/claude-haiku-4-5",
        "anthropic/error_429_rate_limit__claude-haiku-4-5-20251001__ruby-llm.yaml",
        "openai",
    ),
    (
        "mistral/mistral-small-latest",
        "mistral/error_429_rate_limit__mistral-small-latest__ruby-llm.yaml",
        "groq",
    ),
    (
        "anthropic/claude-haiku-4-5",
        "anthropic/error_529_overloaded__claude-3-5-haiku-20241022__ruby-llm.yaml",
        "groq",
    ),
    (
        "mistral/mistral-small-latest",
        "mistral/error_500_unavailable__mistral-small-latest__ruby-llm.yaml",
        "openai",
    ),
    (
        "mistral/mistral-small-latest",
        "mistral/error_401_invalid_key__mistral-small-latest__ruby-llm.yaml",
        "anthropic",
    ),
]
KINDS = {"429": Kind.RATE_LIMITED, "529": Kind.OVERLOADED, "500": Kind.SERVER_ERROR, "401": Kind.AUTH}


def policies(*targets: str) -> dict[str, Any]:
    return {
        "version": 1,
        "providers": {target.split("/")[0]: DECLARED.get(target, {}) for target in targets},
        "policies": {
            "main": {
                "targets": list(targets),
                "retry": {"attempts": 1},
                "ceiling": {"input_tokens": "20k", "output_tokens": "1k"},
                "budget": {"per_day": "$5"},
            }
        },
        "tenants": {"acme": {"policies": "all", "budget": {"per_day": "$1"}}},
    }


def replaying(recordings: Path, folder: Path, *files: str) -> CassetteTransport:
    for number, name in enumerate(files):
        shutil.copy(recordings / name, folder / f"{number}.yaml")
    return CassetteTransport.replay(folder, suspends=False)


def recorded_text(file: Path) -> str:
    """By the tests' own reader, from the recorded bytes."""
    (exchange,) = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["interactions"]
    body, url = exchange["response"]["body"]["string"], exchange["request"]["uri"]
    found = read(urlsplit(url).path, 200, body if isinstance(body, bytes) else body.encode(), {})
    assert isinstance(found, Answer)
    return found.choices[0].text


@pytest.mark.parametrize(
    ("first", "failure", "second"), CASES, ids=[case[1].split("/")[1][:30] for case in CASES]
)
def test_a_recorded_failure_is_followed_by_a_recorded_answer_of_another_provider(
    recordings: Path, tmp_path: Path, first: str, failure: str, second: str
) -> None:
    target = next(name for name in ANSWERS if name.startswith(f"{second}/"))
    transport = replaying(recordings, tmp_path, failure, ANSWERS[target])
    expected = recorded_text(recordings / ANSWERS[target])
    clock = ManualClock()
    with Router.open(policies(first, target), transport=transport, clock=clock, state="memory") as router:
        reply = router.complete("Hello", policy="main", tenant="acme")
        rows = run_inline(router.ports.ledger.rows())
    failed = next(event for event in reply.trace if isinstance(event, ev.AttemptFailed))
    assert (failed.target, failed.kind) == (first, KINDS[failure.split("error_")[1][:3]])
    assert any(isinstance(event, ev.FellBack) for event in reply.trace)
    assert reply.target == target
    assert reply.text == expected
    assert [(row.target, row.state) for row in rows] == [(first, "settled"), (target, "settled")]
    assert rows[0].cost_nusd == 0
    assert rows[1].cost_nusd == reply.cost_nusd
    assert reply.cost_nusd
    assert reply.usage.output_tokens > 0


def test_every_recorded_failure_of_a_provider_is_kept_when_no_other_is_left(
    recordings: Path, tmp_path: Path
) -> None:
    files = [CASES[0][1], CASES[2][1], CASES[3][1]]
    targets = [CASES[0][0], CASES[2][0], CASES[3][0]]
    transport = replaying(recordings, tmp_path, *files)
    router = Router.open(policies(*targets), transport=transport, clock=ManualClock(), state="memory")
    with router, pytest.raises(TargetsExhausted) as caught:
        router.complete("Hello", policy="main", tenant="acme")
    assert [(each.target, each.kind, each.status) for each in caught.value.attempts] == [
        (target, Kind.RATE_LIMITED, 429) for target in targets
    ]


def test_a_recorded_retry_after_is_waited_for_where_the_policy_allows(
    recordings: Path, tmp_path: Path
) -> None:
    """Anthropic asked to wait 41 seconds; then its own recorded answer comes, on the same target."""
    waiting = policies("anthropic/claude-haiku-4-5")
    waiting["policies"]["main"] |= {"retry": {"attempts": 2, "max": "1m"}, "timeout": {"total": "2m"}}
    transport = replaying(recordings, tmp_path, CASES[2][1], ANSWERS["anthropic/claude-haiku-4-5"])
    clock = ManualClock()
    with Router.open(waiting, transport=transport, clock=clock, state="memory") as router:
        reply = router.complete("Hello", policy="main", tenant="acme")
    assert clock.mono_s() == pytest.approx(41.0)
    assert reply.target == "anthropic/claude-haiku-4-5"


def test_what_is_replayed_here_passes_in_the_table() -> None:
    table = read_table()
    files = {*ANSWERS.values(), *(case[1] for case in CASES)}
    assert {name: table[(name, "0")][-1] for name in files} == dict.fromkeys(files, "pass")
