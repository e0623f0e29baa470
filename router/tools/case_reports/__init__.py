"""What `router test` found, in the formats that people and other programs read.

Each format is one pure function from a CaseReport to text, without its last line break.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from router.testing.cases.report import CaseReport
from router.tools.case_reports.document import as_json
from router.tools.case_reports.junit import as_junit
from router.tools.case_reports.text import as_text

FORMATS: Mapping[str, Callable[[CaseReport], str]] = MappingProxyType(
    {"text": as_text, "json": as_json, "junit": as_junit}
)

__all__ = ["FORMATS", "CaseReport"]
