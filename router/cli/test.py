"""`router test`: the cases beside the policies, played; or what follows each fault at each target of a policy."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.cli.complete import quiet_log, tell_warnings
from router.cli.failures import PROBLEMS
from router.cli.options import caller_options, format_of, json_option, policies_at, report_options
from router.cli.out import Column, Out, written_to
from router.tools.figures import money, seconds

if TYPE_CHECKING:
    from router.testing.cases.matrix import Cell, Matrix
    from router.testing.cases.report import CaseReport

CHOICES = ("text", "json", "junit")


@click.command("test")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--policies", type=click.Path(path_type=Path), metavar="PATH", help="Where the policies are.")
@click.option(
    "--case",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only these cases, `*` for any text; may be repeated.",
)
@click.option("--coverage", is_flag=True, help="Which rules, targets and edges no case exercises.")
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    default=0.0,
    metavar="PERCENT",
    help="Fail where coverage is less.",
)
@click.option(
    "--matrix", metavar="POLICY", help="No cases: what follows each fault at each target of POLICY."
)
@caller_options
@report_options(CHOICES)
@json_option
@click.pass_obj
def command(
    out: Out,
    /,
    path: Path | None,
    policies: Path | None,
    names: Sequence[str],
    coverage: bool,
    fail_under: float,
    matrix: str | None,
    format: str | None,
    output: Path | None,
    **who: Any,
) -> int:
    """Play every case of the `*.cases.yaml` files in PATH, and tell which do not come out as they say.

    PATH is a folder or one file; the policies are those of the same folder where --policies names no others. The real
    engine runs, on a clock and a wire that do what each case says: nothing is called, and no key is needed.

    --tenant and the options after it are for --matrix alone: whose call it is.

    Exit codes: 0 fine, 1 a case failed or too little is covered, 2 wrong usage.
    """
    chosen = format_of(out, format)
    _refuse_stray(
        matrix, who, names=names, coverage=coverage, fail_under=fail_under, format=format, output=output
    )
    if matrix is not None:
        return _matrix(out, path or policies_at(policies), matrix, who)
    from router.testing.cases.report import run_cases

    with quiet_log():
        report = run_cases(
            path or policies_at(policies),
            policies=policies,
            wanted=lambda name: not names or any(fnmatchcase(name, pattern) for pattern in names),
            cover=coverage,
            fail_under=fail_under,
        )
    tell_warnings(out, len(report.warnings))
    if names and not report.results and not report.problems:
        raise click.UsageError(f"no case is named {' or '.join(f'`{name}`' for name in names)}")
    _tell(out, report, chosen, output)
    return 0 if report.passed else PROBLEMS


def _tell(out: Out, report: "CaseReport", format: str, output: Path | None) -> None:
    from router.tools.case_reports import FORMATS
    from router.tools.case_reports.text import as_text, summary

    if output is not None:
        written_to(output, FORMATS[format](report))
        out.line(summary(report))
    elif format == "text":
        out.line(as_text(report, click.style))
    else:
        out.line(FORMATS[format](report))


def _refuse_stray(matrix: str | None, who: dict[str, Any], **of_cases: Any) -> None:
    """An option that the other half of this command has would be ignored here."""
    given = who if matrix is None else of_cases
    stray = next((name for name, value in given.items() if value), None)
    if stray == "format" and of_cases["format"] != "junit":
        return
    if stray is not None:
        option = {"names": "case", "tags": "tag"}.get(stray, stray).replace("_", "-")
        raise click.UsageError(
            f"--{option} is {'for --matrix alone' if matrix is None else 'not for --matrix'}"
        )


# --- Matrix -----------------------------------------------------------------------------------------------------------


def _matrix(out: Out, policies: Path, policy: str, who: dict[str, Any]) -> int:
    from router.adapters.tiktoken_tokens import TiktokenTokens
    from router.client.assembly import load_plan
    from router.client.calls import build_request
    from router.testing.cases.matrix import matrix
    from router.tools.plain import plain

    with quiet_log():
        plan, warnings = load_plan(policies)
    tell_warnings(out, len(warnings))
    request = build_request(plan, "", "Hello.", policy=policy, params={}, **who)
    found = matrix(plan, request, TiktokenTokens())
    if out.json:
        out.document(plain(found))
    else:
        _show(out, found)
    return 0 if found.refused is None else PROBLEMS


def _show(out: Out, found: "Matrix") -> None:
    names = (("tenant", found.tenant), ("user", found.user), ("session", found.session))
    who = ", ".join(f"{name} {value}" for name, value in names if value)
    out.line(f"policy {found.policy}, for {who or 'any caller'}, on {found.begins}", bold=True)
    if found.refused is not None:
        out.line(f"  refused: {found.refused}", fg="red")
        return
    out.line("Each target fails for as long as the request lasts; those before it are passed over.", dim=True)
    for target in found.targets:
        out.heading(target)
        out.table(COLUMNS, [_row(cell) for cell in found.cells if cell.target == target])


COLUMNS = (
    Column(title="fault"),
    Column(title="then", style="bold"),
    Column(title="sends", right=True),
    Column(title="waits up to", right=True),
    Column(title="takes", right=True),
    Column(title="charged", right=True),
)


def _row(cell: "Cell") -> Sequence[str]:
    waits = seconds(cell.waits_s) if cell.waits_s else "-"
    took = seconds(cell.took_s) if cell.took_s else "-"
    return cell.fault, _outcome(cell), str(cell.sends), waits, took, money(cell.cost_nusd)


def _outcome(cell: "Cell") -> str:
    """A cut or filtered answer is its own target's."""
    cut = cell.how not in ("answered", "failed")
    return f"itself ({cell.how})" if cut and cell.outcome == cell.target else cell.outcome
