"""The committed files that are printed from code, and what prints each. `python -m tests.pages` writes them all."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from router.policy.json_schema import json_schema
from router.policy.table.root import ROOT
from router.testing.cases import table as cases
from tests.pages.keys import keys_page
from tests.pages.lint import lint_page

CHECKOUT = Path(__file__).resolve().parents[2]


def schema_text() -> str:
    return json.dumps(json_schema(ROOT), indent=2, ensure_ascii=False) + "\n"


def cases_schema_text() -> str:
    schema = json_schema(cases.ROOT, identifier=cases.SCHEMA, title=cases.TITLE)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


GENERATED: Mapping[Path, Callable[[], str]] = {
    CHECKOUT / "schemas" / "router.schema.json": schema_text,
    CHECKOUT / "schemas" / "cases.schema.json": cases_schema_text,
    CHECKOUT / "docs" / "lint.md": lint_page,
    CHECKOUT / "docs" / "keys.md": keys_page,
}
