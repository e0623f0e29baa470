"""Which kinds are served lean, as it was found: the table that tests hold the wires to, and the names in the code."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from textwrap import fill

TABLE = Path(__file__).with_name("table.tsv")
MODULE = Path(__file__).parents[2] / "router" / "policy" / "lean_kinds.py"
PAGE = Path(__file__).parents[2] / "docs" / "wires.md"
AGAIN = "`python -m tests.wires KIND` looks again, and writes table.tsv, router/policy/lean_kinds.py and docs/wires.md"

_COLUMNS = ("kind", "wire", "witness", "difference")
_CODE = '''"""The kinds that `wire: auto` sends lean. Printed by `python -m tests.wires`; not to be edited."""

LEAN_KINDS: frozenset[str] = frozenset({inside})
'''


@dataclass(frozen=True, kw_only=True)
class Row:
    """`witness`: the first case in which the wires differ, and one line of how; "" where they are equal in all."""

    kind: str
    witness: str = ""
    difference: str = ""

    @property
    def wire(self) -> str:
        return "litellm" if self.witness else "lean"


def read_table() -> Mapping[str, Row]:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        found = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {
            line["kind"]: Row(kind=line["kind"], witness=line["witness"], difference=line["difference"])
            for line in found
        }


def table_text(rows: Mapping[str, Row]) -> str:
    text = StringIO()
    print(*_COLUMNS, sep="\t", file=text)
    for _, row in sorted(rows.items()):
        print(row.kind, row.wire, row.witness, row.difference.replace("\t", " "), sep="\t", file=text)
    return text.getvalue()


def code_text(rows: Mapping[str, Row]) -> str:
    """As the formatter of this project would lay it out."""
    lean = sorted(row.kind for row in rows.values() if row.wire == "lean")
    if not lean:
        return _CODE.format(inside="")
    return _CODE.format(inside="\n    {\n" + "".join(f'        "{kind}",\n' for kind in lean) + "    }\n")


def page_text(rows: Mapping[str, Row]) -> str:
    """The page as it is, with the kinds of today between its marks."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(
        "<!-- lean: `python -m tests.wires` -->\n"
    )
    _, end, after = rest.partition("<!-- /lean -->")
    assert begin, "docs/wires.md has lost its marks"
    assert end, "docs/wires.md has lost its marks"
    lean = ", ".join(f"`{row.kind}`" for _, row in sorted(rows.items()) if row.wire == "lean")
    return f"{before}{begin}{fill(lean, 120)}\n{end}{after}"


def write(rows: Mapping[str, Row]) -> None:
    for file, text in ((TABLE, table_text(rows)), (MODULE, code_text(rows)), (PAGE, page_text(rows))):
        file.write_text(text, encoding="utf-8")
