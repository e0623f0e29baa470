"""For programs: every case, expectation and item of coverage, as one JSON document."""

import json
from typing import Any

from router.testing.cases.coverage import KINDS, Coverage, Item
from router.testing.cases.report import CaseReport, Miss, Result
from router.testing.cases.story import story
from router.tools.plain import plain


def as_json(report: CaseReport) -> str:
    return json.dumps(document(report), indent=2, ensure_ascii=False)


def document(report: CaseReport) -> dict[str, Any]:
    """Keys in the order in which they are read; `coverage` is null where nobody asked."""
    return {
        "ok": report.passed,
        "files": list(report.files),
        "passed": len(report.results) - len(report.failed),
        "failed": len(report.failed),
        "calls": sum(result.calls for result in report.results),
        "problems": plain(report.problems),
        "cases": [_case(result) for result in report.results],
        "coverage": report.coverage and _coverage(report.coverage, report.fail_under),
    }


def _case(result: Result) -> dict[str, Any]:
    return {
        "name": result.case.name,
        "place": plain(result.case.place),
        "passed": result.passed,
        "calls": result.calls,
        "misses": [_miss(miss) for miss in result.misses],
    }


def _miss(miss: Miss) -> dict[str, Any]:
    return {
        "expectation": miss.expectation.name,
        "place": plain(miss.expectation.place),
        "step": miss.played.step,
        "call": miss.played.number,
        "expected": miss.expectation.wanted,
        "got": miss.got,
        "happened": list(story(miss.played.seen)),
    }


def _coverage(coverage: Coverage, fail_under: float) -> dict[str, Any]:
    return {
        "percent": coverage.percent,
        "fail_under": fail_under,
        **{f"{kind}s": dict(zip(("exercised", "all"), coverage.of(kind), strict=True)) for kind in KINDS},
        "missing": [_item(item) for item in coverage.missing],
    }


def _item(item: Item) -> dict[str, Any]:
    kind, policy, branch, what = item.key
    return {"kind": kind, "policy": policy, "branch": branch, "what": what, "place": plain(item.place)}
