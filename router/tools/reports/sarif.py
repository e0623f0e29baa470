"""For code scanning and editors: SARIF 2.1.0.

Columns count code points, as everywhere in router. Files are named from the root of the repository, which SARIF's
readers know as %SRCROOT%.
"""

import json
import os
import re
from typing import Any
from urllib.parse import quote_from_bytes

from router.errors import Problem
from router.policy.codes import CODES, Code
from router.tools.reports.report import Report
from router.values import Place

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PLACEHOLDER = re.compile(r"\{(\d+)\}")


def as_sarif(report: Report) -> str:
    return json.dumps(document(report), indent=2)


def document(report: Report) -> dict[str, Any]:
    """Rules are the codes that were found, in the order of `docs/lint.md`."""
    found = {problem.code for problem in report.problems}
    codes = [code for code in CODES if code in found]
    driver: dict[str, Any] = {"name": "router", "rules": [_rule(code, CODES[code]) for code in codes]}
    if report.version:
        driver["version"] = report.version
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True}],
        "artifacts": [{"location": _artifact(report, file)} for file in report.named],
        "results": [_result(report, problem, codes.index(problem.code)) for problem in report.problems],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str, code: Code) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": _text(f"{code.what[:1].upper()}{code.what[1:]}."),
        "fullDescription": _text(code.why),
        "help": _text(f"{code.why} `docs/lint.md` shows a bad and a good example."),
        "defaultConfiguration": {"level": code.severities[0]},
    }


def _result(report: Report, problem: Problem, rule: int) -> dict[str, Any]:
    text = f"{problem.told}\nhelp: {problem.help}" if problem.help else problem.told
    result = {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": problem.severity,
        "message": _text(text),
        "locations": [{"physicalLocation": _physical(report, problem.place)}],
    }
    if problem.also is not None:
        other = {
            "id": 1,
            "physicalLocation": _physical(report, problem.also),
            "message": _text("the other place"),
        }
        result["relatedLocations"] = [other]
    return result


def _physical(report: Report, place: Place) -> dict[str, Any]:
    """A place without a line is about the whole file, and has no region."""
    location = {"artifactLocation": _artifact(report, place.file)}
    region = {"startLine": place.line, "startColumn": place.column}
    return {**location, "region": region} if place.line else location


def _artifact(report: Report, file: str) -> dict[str, str]:
    """A file that lies elsewhere is named by its whole path; one of no file system by its name."""
    named = report.within(file)
    uri = quote_from_bytes(os.fsencode(named), safe="/~")
    return {"uri": f"file://{uri}"} if named.startswith("/") else {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _text(text: str) -> dict[str, str]:
    """What a reader would put an argument in place of, like `{0}`, is doubled. The standard doubles every brace; but
    code scanning shows the text as it stands, and advice like `{env: NAME}` is copied from there."""
    return {"text": _PLACEHOLDER.sub(r"{{\1}}", text)}
