"""docs/import.md shows what its own example becomes."""

import re
from pathlib import Path

from router.tools.litellm_import.report import text
from tests.tools.litellm_import.parts import make, run

PAGE = Path(__file__).parents[3] / "docs" / "import.md"


def block(words: str) -> str:
    (found,) = re.findall(
        rf"^```{words}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    return str(found)


def test_the_files_are_what_is_written(tmp_path: Path) -> None:
    made = make(block("yaml config"), tmp_path)
    assert {name: block(f"yaml {name}") for name in made.imported.files} == dict(made.imported.files)


def test_the_report_begins_as_shown(tmp_path: Path) -> None:
    imported = run(block("yaml config"), tmp_path)
    whole = "".join(f"{line.text}\n" for line in text(imported)).replace(f"{tmp_path}/", "")
    shown = block("text report")
    assert whole.startswith(shown)
    assert whole[len(shown) :].startswith("\ncalls name another policy")
