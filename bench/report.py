"""A run as text for people, and as JSON."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.sections import Row, Table

AIMS_US = {
    "decision, memory state": 250,
    "decision, sqlite state": 250,
    "AsyncRouter, memory cache hit": 150,
    "AsyncRouter, disk cache hit": 150,
    "Router, memory cache hit": 150,
    "Router, disk cache hit": 150,
}
"""What p50 is meant to stay under."""


def machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "litellm": version("litellm"),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def aims(tables: Sequence[Table]) -> list[Row]:
    """For each aim: the p50 that was measured, and whether it was met."""
    rows = {row["path"]: row for table in tables for row in table.rows if "path" in row}
    return [
        {"path": path, "aim_us": aim, "p50_us": rows[path]["p50_us"], "met": rows[path]["p50_us"] < aim}
        for path, aim in AIMS_US.items()
        if path in rows
    ]


def as_json(about: dict[str, Any], tables: Sequence[Table]) -> dict[str, Any]:
    return {
        **about,
        "tables": {
            table.name: {"title": table.title, "rows": list(table.rows), "notes": list(table.notes)}
            for table in tables
        },
        "aims": aims(tables),
    }


def as_text(about: dict[str, Any], tables: Sequence[Table]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in about["machine"].items())
    parts = [
        f"{facts}; took {about['took_s']:.0f} s",
        "Times vary from machine to machine and from run to run; ratios, from interleaved blocks, are the point.",
        "A ratio is `median (least to greatest)` over the rounds.",
        *(_text_of(table) for table in tables),
    ]
    reached = aims(tables)
    if reached:
        parts.append(_text_of(Table(name="aims", title="Aims, by p50", rows=reached)))
    return "\n\n".join(parts)


def _text_of(table: Table) -> str:
    columns = list(table.rows[0])
    lines = [[_heading(column) for column in columns]]
    lines += [[_cell(column, row[column]) for column in columns] for row in table.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    written = [
        "  ".join(
            cell.ljust(width) if _is_text(column) else cell.rjust(width)
            for column, cell, width in zip(columns, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join(
        [table.title, *(f"  {line}" for line in written), *(f"  ({note})" for note in table.notes)]
    )


def _is_text(column: str) -> bool:
    return column in ("path", "stage", "what", "process", "after")


def _heading(column: str) -> str:
    name, _, unit = column.rpartition("_")
    return {"us": f"{name} us", "ms": f"{name} ms", "mb": f"{name} MB", "share": name}.get(
        unit, column.replace("_", " ")
    )


def _cell(column: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return f"{value['median']:.2f} ({value['min']:.2f} to {value['max']:.2f})"
    if column.endswith("_share"):
        return f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
    return str(value)
