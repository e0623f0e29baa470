"""The cases that ship: they pass, exercise nearly everything, and notice when a policy changes."""

import shutil
from pathlib import Path

import pytest

from router.resources import resource
from router.testing import run_cases


def test_they_pass_and_cover_the_shipped_policies() -> None:
    report = run_cases(resource("policies"), fail_under=90)
    assert report.problems == ()
    assert [result.case.name for result in report.failed] == []
    assert report.coverage is not None
    assert report.coverage.percent >= 90
    assert report.passed
    assert len(report.files) == 3


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("cheap-fast.yaml", "      - anthropic/claude-haiku-4-5\n", ""),
        ("cheap-fast.yaml", "attempts: 2", "attempts: 3"),
        ("cheap-fast.yaml", "max: 2s", "max: 8s"),
        ("cheap-fast.yaml", "attempt: 8s", "attempt: 9s"),
        ("cheap-fast.yaml", "ttl: 1h", "ttl: 2h"),
        ("cheap-fast.yaml", "scope: tenant", "scope: shared"),
        ("cheap-fast.yaml", "input_tokens: 50k", "input_tokens: 200k"),
        ("smart.yaml", "over: 60k", "over: 50k"),
        ("smart.yaml", 'to: "06:00"', 'to: "07:00"'),
        ("smart.yaml", "content_filter, over_budget", "over_budget"),
        ("smart.yaml", "timeout: {attempt: 25s}", "timeout: {attempt: 20s}"),
        ("tenants.yaml", "budget: {per_day: $50}", "budget: {per_day: $90}"),
        ("tenants.yaml", "requests_per_minute: 600", "requests_per_minute: 900"),
        ("tenants.yaml", "concurrent_requests: 20}", "concurrent_requests: 30}"),
        ("tenants.yaml", "time_zone: Europe/Berlin", "time_zone: America/New_York"),
        ("providers.yaml", "budget: {per_month: $2000}", "budget: {per_month: $9000}"),
        ("last-resort.yaml", "retry: off", "retry: {attempts: 2}"),
    ],
)
def test_they_notice_an_edit(file: str, before: str, after: str, tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(resource("policies"), folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert text.count(before) >= 1
    (folder / file).write_text(text.replace(before, after), encoding="utf-8")
    limits = "requests_per_minute" in before  # its case makes hundreds of calls
    assert not run_cases(folder, wanted=lambda name: limits or not name.startswith("six hundred")).passed
