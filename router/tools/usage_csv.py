"""A table of spend for other programs."""

import csv
import io
from dataclasses import asdict, fields

from router.books.spends import Spend, Table


def table_csv(table: Table) -> str:
    """A heading, and a line for each group: its values, then every figure of its spend."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*table.by, *(each.name for each in fields(Spend))))
    writer.writerows((*group.values, *asdict(group.spend).values()) for group in table.groups)
    return text.getvalue()
