"""Playing many cases does what is needed for each, and nothing of it twice. No clock is asked: work is counted."""

from collections import Counter
from pathlib import Path

import pytest

from router.adapters import known_texts
from router.adapters.price_file import PriceFile
from router.testing import run_cases

POLICIES = """
version: 1
providers: {openai: {}, anthropic: {}}
policies:
  fast:
    targets: [openai/gpt-5-nano, anthropic/claude-haiku-4-5]
    ceiling: {input_tokens: 50k, output_tokens: 100}
"""
CASES = 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cases = "".join(
        f"  - {{name: case {n}, request: {{input_tokens: 9k}}, expect: {{served_by: openai/gpt-5-nano}}}}\n"
        for n in range(CASES)
    )
    (tmp_path / "a.yaml").write_text(POLICIES, encoding="utf-8")
    (tmp_path / "a.cases.yaml").write_text(
        f"version: 1\ndefaults: {{request: {{policy: fast}}}}\ncases:\n{cases}", encoding="utf-8"
    )
    return tmp_path


def test_what_does_not_change_is_done_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: Counter[str] = Counter()
    encode, read = known_texts._encoded, PriceFile.load

    def counted(text: str, name: str) -> int:
        done["encoded"] += 1
        return encode(text, name)

    def loaded(*arguments: object, **named: object) -> PriceFile:
        done["read the prices"] += 1
        return read(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(known_texts, "_encoded", counted)
    monkeypatch.setattr(PriceFile, "load", loaded)
    report = run_cases(folder)
    assert len(report.results) == CASES
    assert report.passed
    assert done["read the prices"] == 1
    assert done["encoded"] < 10  # the one prompt: once for its size, once for each encoding that counts it


def test_a_case_keeps_nothing_of_the_cases_before(folder: Path) -> None:
    """Memory does not grow with the number of cases: a world goes with its case."""
    before = _states()
    assert run_cases(folder).passed
    assert _states() - before < 5


def _states() -> int:
    """How many worlds are alive, whoever made them."""
    import gc

    from router.adapters.memory_state import MemoryState

    gc.collect()
    return sum(isinstance(each, MemoryState) for each in gc.get_objects())
