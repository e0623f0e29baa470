"""Measures estimates and bounds against what providers reported. `python -m tests.token_measure` writes both tables.

One row per recorded chat exchange goes to tests/token_bounds.tsv; what docs/tokens.md shows is drawn from those rows.
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.adapters.token_families import FAMILIES, UNMEASURED, Family, token_class
from tests.recordings import CHECKOUT, recordings_folder
from tests.token_exchanges import Exchange, exchanges

TABLE = CHECKOUT / "tests" / "token_bounds.tsv"
PAGE = CHECKOUT / "docs" / "tokens.md"
CONTEXT_TOKENS = 1_000_000
"""Stands for any model's context window, so that the rows don't depend on a version of the price file."""

ABRIDGED = "the recording is abridged"
NO_MODEL = "the call names no model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`bound` is "window" where only the context window bounds it; `exception` "" where the bound has to hold."""

    exchange: str
    provider: str
    family: str
    reported: int
    estimate: int
    bound: str
    exception: str


def measure(exchange: Exchange) -> Measured:
    tokens = token_class(exchange.kind, exchange.model)
    reader = TiktokenTokens().reader(exchange.messages)
    found = reader.estimate(exchange.params, tokens, context_tokens=CONTEXT_TOKENS)
    return Measured(
        exchange=exchange.id,
        provider=exchange.provider,
        family=tokens.family or "unmeasured",
        reported=exchange.input_tokens,
        estimate=found.tokens,
        bound="window" if found.bound == CONTEXT_TOKENS else str(found.bound),
        exception="; ".join(found.unbounded) or _outside(exchange),
    )


def _outside(exchange: Exchange) -> str:
    """Why a recording says nothing about any bound, although nothing in its request is to blame."""
    if not exchange.model:
        return NO_MODEL
    abridged = any(message.get("content") == "very very long system prompt" for message in exchange.messages)
    return ABRIDGED if abridged and exchange.input_tokens > 10_000 else ""


def measured(folder: Path) -> list[Measured]:
    return sorted(map(measure, exchanges(folder)), key=lambda row: row.exchange)


def read() -> list[Measured]:
    """The committed rows."""
    with TABLE.open(encoding="utf-8", newline="") as table:
        rows = csv.DictReader(table, delimiter="\t")
        return [
            Measured(**{**row, "reported": int(row["reported"]), "estimate": int(row["estimate"])})
            for row in rows
        ]


def write(rows: Iterable[Measured]) -> None:
    with TABLE.open("w", encoding="utf-8", newline="") as table:
        out = csv.writer(table, delimiter="\t", lineterminator="\n")
        out.writerow([field.name for field in fields(Measured)])
        out.writerows(map(astuple, rows))


# --- what the page shows ------------------------------------------------------------------------------------------

HEAD = (
    "| {} | exchanges | estimate/actual: median (least to most) | bound/actual: median (least to most) "
    "| from 200 tokens: median | spare tokens, median | by window | exceptions |\n|---|--:|---|---|--:|--:|--:|--:|"
)


def summary(title: str, rows: Sequence[Measured], key: Callable[[Measured], str]) -> str:
    """One line per group, and one for all."""
    groups: dict[str, list[Measured]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    lines = [_line(name, group) for name, group in sorted(groups.items())]
    return "\n".join([HEAD.format(title), *lines, _line("**all**", rows)])


def _line(name: str, rows: Sequence[Measured]) -> str:
    regular = [row for row in rows if not row.exception]
    held = [row for row in regular if row.bound != "window"]
    large = [int(row.bound) / row.reported for row in held if row.reported >= 200]
    cells = (
        name,
        len(rows),
        _spread([row.estimate / row.reported for row in held]),
        _spread([int(row.bound) / row.reported for row in held]),
        f"{median(large):.2f}" if large else "",
        f"{median(int(row.bound) - row.reported for row in held):.0f}" if held else "",
        len(regular) - len(held) or "",
        len(rows) - len(regular) or "",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _spread(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""


def exceptions(rows: Iterable[Measured]) -> str:
    counts: dict[str, list[Measured]] = defaultdict(list)
    for row in rows:
        if row.exception:
            counts[row.exception].append(row)
    lines = ["| exception | exchanges | reported at most | bound without it |", "|---|--:|--:|--:|"]
    for name, group in sorted(counts.items()):
        most = max(group, key=lambda row: row.reported)
        lines.append(f"| {name} | {len(group)} | {most.reported} | {most.bound} |")
    return "\n".join(lines)


def constants() -> str:
    """The numbers of every family, as they are in the code."""
    lines = [
        "| family | encoding | margin | once | per message | tools | schema | reasoning | file | image | sound |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_constants(name, family) for name, family in {**FAMILIES, "unmeasured": UNMEASURED}.items()]
    return "\n".join(lines)


def _constants(name: str, family: Family) -> str:
    margin = "exact" if family.margin_percent is None else f"{family.margin_percent} %"
    cells = (
        name,
        family.encoding.removesuffix("_base"),
        margin,
        family.overhead_tokens,
        family.per_message_tokens,
        family.tools_tokens,
        family.schema_tokens,
        family.thinking_tokens,
        family.file_tokens,
        family.image.most,
        f"{family.audio_tokens_per_s}/s",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def sections(rows: Sequence[Measured]) -> Mapping[str, str]:
    """Name of a section of the page -> what stands between its marks."""
    return {
        "families": constants(),
        "by family": summary("family", rows, lambda row: row.family.removesuffix("+search")),
        "by provider": summary("provider", rows, lambda row: row.provider),
        "exceptions": exceptions(rows),
    }


def drawn(page: str, rows: Sequence[Measured]) -> str:
    """The page with every section drawn anew."""
    for name, body in sections(rows).items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        assert mark, f"docs/tokens.md has no section `{name}`"
        assert end, f"the section `{name}` of docs/tokens.md has no end"
        page = before + mark + body + "\n" + end + after
    return page


def _main() -> Iterator[str]:
    folder = recordings_folder()
    if folder is not None:
        write(measured(folder))
        yield f"{TABLE}: measured"
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8"), read()), encoding="utf-8")
    yield f"{PAGE}: drawn"


if __name__ == "__main__":
    for line in _main():
        print(line)  # noqa: T201  what this command is for
