"""The import over real configs of public repositories: each is imported or refused with a place, every key is told."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.adapters.price_file import PriceFile
from router.errors import Problem
from router.policy.lenient import Written
from router.policy.load import load
from router.tools.litellm_import.judge import verdict_of
from router.tools.litellm_import.outcomes import Outcome, pattern
from router.tools.litellm_import.report import document, text
from router.tools.litellm_import.run import Imported, import_config
from router.values import Place
from tests.tools.litellm_import.parts import book
from tests.tools.litellm_import.real_configs import (
    FOLDER,
    REFUSED,
    THERE,
    configs,
    number,
    oddities,
    statuses,
)

if not THERE:
    pytest.skip("no real LiteLLM configs beside the checkout", allow_module_level=True)

CONFIGS = configs()


@cache
def imported(path: Path) -> Imported:
    return import_config(path, book())


@cache
def problems(path: Path, folder: Path) -> tuple[Problem, ...]:
    for name, content in imported(path).files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return load(folder, PriceFile.load()).problems


def test_there_are_58() -> None:
    assert len(CONFIGS) == 58


@pytest.mark.parametrize("path", CONFIGS, ids=number)
def test_it_is_imported_or_refused_with_a_place(path: Path, tmp_path: Path) -> None:
    found = imported(path)
    if number(path) in REFUSED:
        line, message = REFUSED[number(path)]
        assert found.problem is not None
        assert (found.problem.place.line, found.files) == (line, {})
        assert message in found.problem.message
    else:
        assert found.problem is None
        assert [str(each) for each in problems(path, tmp_path) if each.severity != "note"] == []


def test_an_include_that_is_not_there_is_refused_where_it_stands() -> None:
    found = import_config(FOLDER / "30-madpin-onestack.yaml", book())
    assert found.problem is not None
    assert found.problem.place.line == 6
    assert "`models/credentials.yml`" in found.problem.message


def leaves(node: yaml.Node, key: yaml.Node | None, seen: set[int]) -> set[tuple[int, int]]:
    """(line, column) of every key or item that holds no further ones: by PyYAML's nodes, not by the import's reader."""
    if id(node) in seen and key is None:
        return set()
    seen.add(id(node))
    at = (key or node).start_mark
    if isinstance(node, yaml.MappingNode) and node.value:
        pairs = [(name, value) for name, value in node.value if name.value != "<<"]
        return {place for name, value in pairs for place in leaves(value, name, seen)}
    if isinstance(node, yaml.SequenceNode) and node.value:
        return {place for item in node.value for place in leaves(item, None, seen)}
    return {(at.line + 1, at.column + 1)}


@pytest.mark.parametrize("path", [each for each in CONFIGS if number(each) != "34"], ids=number)
def test_every_key_is_in_the_report_exactly_once(path: Path) -> None:
    told = document(imported(path))
    keys = [
        (key["file"], key["line"], key["column"], key["key"])
        for each in told["findings"]
        for key in each["keys"]
    ]
    paths = [(place, steps) for finding in imported(path).findings for steps, place in finding.keys]
    assert len(paths) == len(set(paths))
    included = sorted({file for file, *_ in keys})
    assert path.as_posix() in included
    for file in included:
        node = yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        assert node is not None
        assert {(line, column) for name, line, column, _ in keys if name == file} == leaves(node, None, set())


@pytest.mark.parametrize("path", [each for each in CONFIGS if number(each) != "34"], ids=number)
def test_every_key_has_a_line_in_the_text(path: Path) -> None:
    found = imported(path)
    lines = _lines_of([line.text for line in text(found)])
    for finding in found.findings:
        file = Path(finding.place.file).relative_to(path.parent).as_posix()
        assert (pattern(finding.path), file, finding.place.line) in lines


def _lines_of(report: list[str]) -> set[tuple[str, str, int]]:
    """(key, file, line) of everything that a report tells below its classes."""
    found = set()
    for line in report:
        row = re.match(r"  (\S.*?)(?: \([^()]*\))?: ([^ :]+:[0-9].*)$", line)
        for part in row[2].split("; ") if row else ():
            file, _, numbers = part.partition(":")
            found |= {(row[1], file, int(each)) for each in numbers.split(", ")} if row else set()
    return found


SILENT = {"silent", "warned", "top-level", "passed-on", "misplaced", "dangling"}


@pytest.mark.parametrize(
    "row",
    [row for row in oddities() if row["line"]],
    ids=lambda row: f"{Path(row['file']).name[:2]}:{row['line']}",
)
def test_what_is_known_to_be_silent_is_told_at_its_line(row: dict[str, Any]) -> None:
    line = int(row["line"])
    found = imported(Path(row["path"])).findings
    there = [each for each in found if line in (each.place.line, *(place.line for _, place in each.keys))]
    match row["kind"]:
        case "dup-key":  # the line is that of the block that holds
            said = [each.verdict.message for each in found if f":{line}:" in each.verdict.message]
            assert any("the same key stands again" in message for message in said)
        case "bad-provider":
            said = [each.verdict.message for each in found if each.outcome is Outcome.NOT_SUPPORTED]
            assert any("litellm finds no provider for" in message for message in said)
        case "bad-shape" | "ambiguous":
            below = [each for each in found if line <= each.place.line <= line + 8]
            assert {each.outcome for each in below} & {Outcome.NO_EFFECT, Outcome.NOT_SUPPORTED}
        case "error":
            assert any("it does not start with it" in each.verdict.message for each in there)
        case kind:
            assert kind in SILENT
            assert Outcome.NO_EFFECT in {each.outcome for each in there}


@pytest.mark.parametrize(
    "row", [row for row in oddities() if row["kind"] == "unexpanded"], ids=lambda row: row["file"][5:7]
)
def test_values_that_litellm_does_not_expand_are_told(row: dict[str, Any]) -> None:
    found = imported(Path(row["path"]))
    if found.problem is None:
        assert any(
            "litellm expands only `os.environ/NAME`" in each.verdict.message for each in found.findings
        )
    else:
        assert found.problem.place.line


DROPPED = {"R": False, "R*": False, "S": True, "W": True}
OF_A_MAP = ("litellm_settings", "router_settings", "general_settings")


def judged_keys() -> list[tuple[tuple[str | int, ...], bool]]:
    """(path, whether litellm drops it) of sections, of their keys, and of the keys of deployments."""
    found = []
    for key, status in statuses():
        path = tuple(0 if step == "[]" else step for step in key.replace("[]", ".[]").split("."))
        of_a_map = len(path) == 2 and path[0] in OF_A_MAP
        of_a_deployment = path[:2] == ("model_list", 0) and 3 <= len(path) <= 4
        if (
            status in DROPPED
            and (len(path) == 1 or of_a_map or of_a_deployment)
            and path[-1] not in (0, "<*>")
        ):
            found.append((path, DROPPED[status]))
    return found


MISPLACED = ("model_list", 0, "litellm_params", "model_info")  # accepted there, and nothing in it is used


@pytest.mark.parametrize(("path", "dropped"), judged_keys(), ids=lambda value: str(value))
def test_the_table_knows_what_litellm_reads(path: tuple[str | int, ...], dropped: bool) -> None:
    place = Place(file="c.yaml", line=1, column=1)
    verdict = verdict_of(Written(path=path, place=place, value="x", text="x"))
    assert (verdict.outcome is Outcome.NO_EFFECT) is (dropped or path == MISPLACED), verdict


def test_no_secret_is_written() -> None:
    """A literal key of any config is in no file and no report."""
    for path in CONFIGS:
        written = "".join(imported(path).files.values()) + "\n".join(
            line.text for line in text(imported(path))
        )
        raw = path.read_text(encoding="utf-8")
        for literal in re.findall(r"api_key: *[\"']?([^\s\"'#]+)", raw):
            if not literal.startswith(("os.environ/", "$")) and len(literal) > 10:
                assert literal not in written
