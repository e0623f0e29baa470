"""What `router check` found, in the formats that people and other programs read.

Each format is one pure function from a Report to text, without its last line break.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from router.tools.reports.report import Report

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "text": "router.tools.reports.text:as_text",
        "json": "router.tools.reports.document:as_json",
        "github": "router.tools.reports.github:as_github",
        "sarif": "router.tools.reports.sarif:as_sarif",
        "junit": "router.tools.reports.junit:as_junit",
    }
)
"""Name of a format -> its function, imported when it is asked for."""


def reporter(format: str) -> Callable[[Report], str]:
    """The function of a format in FORMATS."""
    module, _, name = FORMATS[format].partition(":")
    found: Callable[[Report], str] = getattr(import_module(module), name)
    return found


__all__ = ["FORMATS", "Report", "reporter"]
