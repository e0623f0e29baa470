"""What `router test` found, in the formats that people and other programs read: pure functions from a Report to text,
without its last line break."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from router.testing.cases.report import Report
from router.tools.case_reports.document import as_json
from router.tools.case_reports.junit import as_junit
from router.tools.case_reports.text import as_text

FORMATS: Mapping[str, Callable[[Report], str]] = MappingProxyType(
    {"text": as_text, "json": as_json, "junit": as_junit}
)

__all__ = ["FORMATS", "Report"]
