"""SARIF 2.1.0: the shape that its schema and code scanning ask for, written down here by hand."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from jsonschema import Draft7Validator

from router.policy.codes import CODES
from router.tools.reports.sarif import as_sarif
from tests.tools.reports.cases import AWKWARD, CLASH, EVERY, NOTE, TYPO, WHOLE_FILE, report


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def listed(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


COUNT = {"type": "integer", "minimum": 1}
URI = {"type": "string", "pattern": "^[A-Za-z0-9._~:/%!$&'()*+,;=@-]+$"}
TEXT = closed(["text"], text={"type": "string", "minLength": 1})
ARTIFACT = closed(["uri"], uri=URI, uriBaseId={"type": "string"})
PHYSICAL = closed(
    ["artifactLocation"],
    artifactLocation=ARTIFACT,
    region=closed(["startLine"], startLine=COUNT, startColumn=COUNT),
)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
RULE = closed(
    ["id", "shortDescription", "fullDescription", "help"],
    id={"type": "string"},
    shortDescription=TEXT,
    fullDescription=TEXT,
    help=TEXT,
    defaultConfiguration=closed([], level=LEVEL),
)
RESULT = closed(
    ["message", "ruleId", "locations"],
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=TEXT,
    locations=listed(closed(["physicalLocation"], physicalLocation=PHYSICAL), minItems=1),
    relatedLocations=listed(
        closed(
            ["physicalLocation", "message"],
            id={"type": "integer", "minimum": 0},
            physicalLocation=PHYSICAL,
            message=TEXT,
        )
    ),
)
RUN = closed(
    ["tool", "results"],
    tool=closed(
        ["driver"],
        driver=closed(
            ["name"],
            name={"type": "string"},
            version={"type": "string"},
            rules=listed(RULE, uniqueItems=True),
        ),
    ),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    invocations=listed(closed(["executionSuccessful"], executionSuccessful={"type": "boolean"})),
    artifacts=listed(closed(["location"], location=ARTIFACT), uniqueItems=True),
    results=listed(RESULT),
)
SARIF = closed(
    ["version", "runs"], **{"$schema": URI}, version={"const": "2.1.0"}, runs=listed(RUN, minItems=1)
)


def run_of(*arguments: Any, **about: str) -> dict[str, Any]:
    document = json.loads(as_sarif(report(*arguments, **about)))
    Draft7Validator(SARIF).validate(document)
    (run,) = document["runs"]
    return run


@pytest.mark.parametrize("problems", [(), (TYPO,), EVERY], ids=["none", "one", "every"])
def test_it_has_the_shape_of_sarif(problems):
    assert len(run_of(*problems)["results"]) == len(problems)


def test_a_result_points_at_its_rule_and_the_rule_explains():
    run = run_of(*EVERY)
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        rule = rules[result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert CODES[rule["id"]].why in rule["help"]["text"]
    assert [rule["id"] for rule in rules] == [code for code in CODES if code in {each.code for each in EVERY}]


def test_the_place_counts_code_points_from_one():
    run = run_of(TYPO)
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["results"][0]["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "policies/b.yaml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 6, "startColumn": 5},
            }
        }
    ]
    assert (
        run["results"][0]["message"]["text"] == "unknown key `retyr` in a policy\nhelp: did you mean `retry`?"
    )


def test_a_whole_file_has_no_region():
    (location,) = run_of(WHOLE_FILE)["results"][0]["locations"]
    assert "region" not in location["physicalLocation"]


def test_the_other_place_is_a_related_location():
    (other,) = run_of(CLASH)["results"][0]["relatedLocations"]
    assert other["physicalLocation"]["artifactLocation"]["uri"] == "policies/a.yaml"
    assert other["physicalLocation"]["region"] == {"startLine": 4, "startColumn": 3}


def test_only_what_a_reader_would_replace_is_escaped():
    text = run_of(CLASH)["results"][0]["message"]["text"]
    assert text.endswith("keep one, or write `{env: NAME}` or `{{0}}`")


def test_a_name_is_escaped_as_a_uri():
    (location,) = run_of(AWKWARD)["results"][0]["locations"]
    assert unquote(location["physicalLocation"]["artifactLocation"]["uri"]) == AWKWARD.place.file


def test_a_file_outside_the_repository_is_named_by_its_whole_path():
    (location,) = run_of(TYPO, cwd="/else where", root="/repo")["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"] == {"uri": "file:///else%20where/policies/b.yaml"}


def test_levels_are_severities():
    assert [each["level"] for each in run_of(*EVERY)["results"]] == [each.severity for each in EVERY]
    assert run_of(NOTE)["results"][0]["level"] == "note"


def test_the_version_is_told_where_it_is_known():
    assert run_of(TYPO, version="1.2.3")["tool"]["driver"]["version"] == "1.2.3"
    assert "version" not in run_of(TYPO)["tool"]["driver"]
