"""JUnit's XML, read back by an XML parser."""

from xml.etree import ElementTree as ET

import pytest

from router.tools.reports.junit import as_junit
from router.tools.xml_text import xml_attribute, xml_text
from tests.tools.reports.cases import EVERY, NOTE, TYPO, WARNING, report


def cases(*arguments, **about):
    suite = ET.fromstring(as_junit(report(*arguments, **about))).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    return suite, {case.get("name"): case for case in suite}


def test_each_file_is_a_case_and_each_problem_a_failure():
    suite, by_file = cases(*EVERY)
    assert set(by_file) >= {"policies/a.yaml", "policies/b.yaml", "policies/c.yaml"}
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "3", "0")
    typo, clash = by_file["policies/b.yaml"].findall("failure")
    assert typo.attrib == {"type": "unknown-key", "message": "unknown key `retyr` in a policy"}
    assert typo.text == str(TYPO)
    assert "(also policies/a.yaml:4:3)" in clash.get("message", "")


def test_what_does_not_fail_is_output():
    _, by_file = cases(WARNING, NOTE)
    case = by_file["policies/a.yaml"]
    assert case.findall("failure") == []
    assert case.findtext("system-out") == f"{WARNING}\n{NOTE}"
    assert list(by_file["policies/b.yaml"]) == []


def test_a_strict_check_fails_on_warnings_alone():
    suite, by_file = cases(WARNING, NOTE, strict=True)
    assert suite.get("failures") == "1"
    assert [each.get("type") for each in by_file["policies/a.yaml"].findall("failure")] == ["sampled-cache"]
    assert by_file["policies/a.yaml"].findtext("system-out") == str(NOTE)


@pytest.mark.parametrize(
    "code", [*range(0x20), 0x7F, 0x85, 0x2028, 0xD800, 0xDCFF, 0xDFFF, 0xFFFE, 0xFFFF, 0x1F600]
)
def test_no_character_breaks_the_document(code):
    text = f"<a & \"b'> {chr(code)} ]]>"
    read = ET.fromstring(f'<x y="{xml_attribute(text)}">{xml_text(text)}</x>')  # noqa: S314 - our own
    shown = (
        text
        if code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF
        else None
    )
    expected = shown or text.replace(chr(code), f"\\u{code:04x}")
    assert (read.get("y"), read.text) == (expected, expected)
