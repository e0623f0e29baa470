"""Where the real configs are. They are no part of the project, so they may be absent."""

import csv
from collections.abc import Iterator
from pathlib import Path

from tests.recordings import CHECKOUT

FOLDER = CHECKOUT.parent / "shared" / "litellm-configs"
THERE = (FOLDER / "INDEX.tsv").is_file()


REFUSED = {  # number -> (line, what is said)
    "04": (12, "none of its deployments"),  # its one model is chosen by a variable
    "07": (7, "none of its deployments"),  # a wildcard alone
    "16": (1, "no `model_list`"),  # deployments live in the database
    "18": (2, "none of its deployments"),
    "19": (5, "none of its deployments"),
    "26": (90, "none of its deployments"),
    "34": (8, "not YAML"),
    "37": (15, "none of its deployments"),
    "56": (11, "none of its deployments"),
}
"""Those that nothing can be made of: their numbers."""


def number(path: Path) -> str:
    return path.relative_to(FOLDER).parts[0][:2]


def configs() -> list[Path]:
    """Every config as its author would import it: the one with includes in the folder where these are."""
    files = sorted(FOLDER.glob("[0-9][0-9]-*.yaml"))
    return [_with_its_includes(file) for file in files]


def _with_its_includes(file: Path) -> Path:
    beside = file.with_suffix(".d") / "config.yml"
    return beside if beside.is_file() else file


def oddities() -> Iterator[dict[str, str]]:
    """Rows of ODDITIES.tsv, `path` added: what somebody found to be without effect, line by line."""
    with (FOLDER / "ODDITIES.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            path = _with_its_includes(FOLDER / Path(row["file"]).name)
            yield {**row, "path": str(path), "effect": row["effect_in_litellm_1.109.1"]}


def statuses() -> Iterator[tuple[str, str]]:
    """(key, status) of KEYS.md: R and R* are read, S and W dropped, F and P are free form."""
    for line in (FOLDER / "KEYS.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        if len(cells) >= 5 and cells[3].startswith("`"):
            yield cells[3].strip("`"), cells[4]
