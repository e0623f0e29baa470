"""A config as text, imported and checked: what the tests of the import look at."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from router.plan import Plan
from router.tools.litellm_import.models import Book
from router.tools.litellm_import.outcomes import Finding, Outcome, pattern
from router.tools.litellm_import.run import Imported, import_config
from router.tools.litellm_import.written import write_policies


@cache
def book() -> Book:
    return Book.load()


@dataclass(frozen=True, kw_only=True)
class Made:
    """`plan` is what the written folder compiles to; a folder that does not pass its check fails the test."""

    imported: Imported
    folder: Path
    plan: Plan

    def text(self, name: str) -> str:
        return self.imported.files[name]

    def told(self, key: str) -> list[tuple[Outcome, str]]:
        """(outcome, message) of every finding on this key."""
        return [(each.outcome, each.verdict.message) for each in findings_on(self.imported, key)]

    def one(self, key: str) -> tuple[Outcome, str]:
        (found,) = self.told(key)
        return found

    def targets(self, policy: str) -> list[str]:
        """Of a policy, in order; `-> name` for another policy."""
        return [
            getattr(entry, "target", None) or f"-> {entry.policy}"  # type: ignore[union-attr]
            for entry in self.plan.policies[policy].entries
        ]


def findings_on(imported: Imported, key: str) -> Iterator[Finding]:
    return (each for each in imported.findings if pattern(each.path) == key)


def run(text: str, folder: Path, **others: str) -> Imported:
    """Import a config of this text; `others` are files beside it, `_` in a name standing for `.`."""
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    for name, content in others.items():
        (folder / name.replace("_", ".")).write_text(content, encoding="utf-8")
    return import_config(folder / "config.yaml", book())


def make(text: str, folder: Path, **others: str) -> Made:
    imported = run(text, folder, **others)
    assert imported.problem is None, imported.problem
    written = write_policies(imported, folder / "policies", book())
    assert written.plan is not None, written.problems
    return Made(imported=imported, folder=folder / "policies", plan=written.plan)
