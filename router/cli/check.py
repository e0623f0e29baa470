"""`router check`: every problem of every file, in one run."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.cli.failures import PROBLEMS, problems
from router.cli.options import json_option, policies_at
from router.cli.out import Out
from router.tools.figures import count
from router.tools.plain import plain

if TYPE_CHECKING:
    from router.policy.load import Loaded


@click.command("check")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--policies", type=click.Path(path_type=Path), metavar="PATH", help="The same as the argument.")
@click.option("--strict", is_flag=True, help="Warnings are problems too.")
@json_option
@click.pass_obj
def command(out: Out, path: Path | None, policies: Path | None, strict: bool) -> int:
    """Check every policy file, and tell every problem in one run.

    PATH is a folder or one file. Nothing is called, and no key is needed.
    """
    from router.adapters.price_file import PriceFile
    from router.policy.load import load

    loaded = load(policies_at(path or policies), PriceFile.load(), today=datetime.now(tz=UTC).date())
    found = loaded.problems  # sorted by place
    counts = Counter(problem.severity for problem in found)
    fails = loaded.plan is None or bool(strict and counts["warning"])
    if out.json:
        out.document(_document(loaded, counts, ok=not fails))
    else:
        problems(out, found)
        if found:
            out.line()
        if fails and Path(policies_at(path or policies)).is_file():
            out.remark("only this file was read; give the folder to check its names against the other files")
        out.line(_summary(loaded, counts, strict=strict), bold=True, fg="red" if fails else "green")
    return PROBLEMS if fails else 0


def _summary(loaded: "Loaded", counts: Counter[str], *, strict: bool) -> str:
    named = {document.file for document in loaded.documents} | {each.place.file for each in loaded.problems}
    plan, files = loaded.plan, f"in {count(len(named), 'file')}"
    told = ", ".join(count(counts[each], each) for each in ("error", "warning", "note") if counts[each])
    if plan is None:
        return f"{told} {files}"
    if strict and counts["warning"]:
        return f"{told} (with --strict a warning is a problem)"
    sizes = (
        count(len(plan.policies), "policy", "policies"),
        count(len(plan.targets), "target"),
        count(len(plan.tenants), "tenant"),
    )
    return f"fine: {', '.join(sizes)} {files}{f'; {told}' if told else ''}"


def _document(loaded: "Loaded", counts: Counter[str], *, ok: bool) -> dict[str, Any]:
    plan = loaded.plan
    return {
        "ok": ok,
        "files": [document.file for document in loaded.documents],
        "errors": counts["error"],
        "warnings": counts["warning"],
        "notes": counts["note"],
        "problems": plain(loaded.problems),
        "plan": plan
        and {
            "digest": plan.digest,
            "prices_digest": plan.prices_digest,
            "policies": sorted(plan.policies),
            "targets": sorted(plan.targets),
            "tenants": sorted(plan.tenants),
        },
    }
