"""Case files that are wrong: each says exactly what, where, and what to do; and none of its cases is played."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.testing.cases.parts import DEFAULTS, read

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.cases.yaml"))
GOOD = f"""{DEFAULTS}cases:
  - name: one
    clock: "2026-01-05 12:00"
    spent: [{{of: tenant, name: acme, window: per_month, amount: $4}}]
    faults: {{openai/small: [timeout, {{does: rate_limited, retry_after: 7s}}]}}
    steps:
      - {{after: 10m, times: 2, expect: {{served_by: openai/small, waits: [{{at_most: 1s}}], cost: $0.1}}}}
      - {{request: {{input_tokens: 20}}, expect: {{attempts: [{{openai/small: answered}}], events: [CacheHit]}}}}
"""


def test_there_are_many() -> None:
    assert len(BROKEN) >= 25
    assert read(GOOD).problems == ()


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name)
def test_a_broken_file_says_exactly_this(path: Path) -> None:
    found = read(path.read_text(encoding="utf-8"), file=path.name)
    told = "".join(f"{problem}\n" for problem in found.problems)
    assert told == path.with_name(path.name.replace(".cases.yaml", ".txt")).read_text(encoding="utf-8")
    assert told
    assert found.cases == ()


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name)
def test_every_problem_stands_in_the_file(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for problem in read(path.read_text(encoding="utf-8"), file=path.name).problems:
        assert 1 <= problem.place.line <= len(lines)
        assert 1 <= problem.place.column <= len(lines[problem.place.line - 1]) + 1


@given(st.data())
def test_a_file_with_noise_is_read_or_refused(data: st.DataObject) -> None:
    """Never a crash: cases, or problems with places."""
    at = data.draw(st.integers(0, len(GOOD)))
    cut = data.draw(st.integers(0, 12))
    noise = data.draw(st.text(alphabet="abz09 :{}[],-$%\"'\n#&*!~/.", max_size=6))
    text = GOOD[:at] + noise + GOOD[at + cut :]
    found = read(text)
    assert bool(found.cases) != bool(found.problems)
    lines = text.splitlines() or [""]
    assert all(1 <= problem.place.line <= len(lines) + 1 for problem in found.problems)


@given(
    st.sampled_from(
        ["request", "clock", "spent", "faults", "steps", "after", "times", "expect", "cost", "of"]
    )
)
def test_a_misspelt_key_is_never_passed_over(key: str) -> None:
    found = read(GOOD.replace(f"{key}:", f"{key}x:", 1))
    assert "unknown-key" in {problem.code for problem in found.problems}
