"""Scripts of calls."""

import json
from pathlib import Path

import pytest

from router.tools.script import ScriptError, read_script


def script(tmp_path, text, name="calls.yaml"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def faults(tmp_path, text, name="calls.yaml"):
    with pytest.raises(ScriptError) as caught:
        read_script(script(tmp_path, text, name))
    return [(each.place.line, each.message) for each in caught.value.problems]


CALLS = [
    {
        "policy": "fast",
        "prompt": "Hello \N{GRINNING FACE}",
        "tenant": "acme",
        "tags": ["a"],
        "timeout": "1.5s",
    },
    {"policy": "fast", "messages": [{"role": "user", "content": None}], "params": {"n": 1}, "fails": True},
]


def test_yaml(tmp_path):
    text = "- {policy: fast, system: Be brief, prompt: Hello, timeout: 8s}\n- prompt: Boo\n  fails: true\n"
    first, second = read_script(script(tmp_path, text))
    assert first.messages == ({"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hello"})
    assert first.arguments == {"policy": "fast", "timeout": 8.0}
    assert (first.fails, second.fails) == (False, True)
    assert second.place.line == 2


def test_json_lines_are_json_and_not_yaml(tmp_path):
    first, second = read_script(script(tmp_path, "\n\n".join(map(json.dumps, CALLS)), "calls.jsonl"))
    assert first.messages == ({"role": "user", "content": "Hello \N{GRINNING FACE}"},)
    assert first.arguments == {"policy": "fast", "tenant": "acme", "tags": ["a"], "timeout": 1.5}
    assert second.messages == ({"role": "user", "content": None},)
    assert (second.params, second.fails, second.place.line) == ({"n": 1}, True, 3)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("{policy: fast}", 1, "no calls here"),
        ("[]", 1, "no calls here"),
        ("- Hello", 1, "a call is a map"),
        ("- {prompt: a}\n- {promt: b, messages: []}", 2, "unknown key `promt` (did you mean `prompt`?)"),
        ("- {prompt: 5}", 1, "`prompt` must be text"),
        ("- {prompt: a, tags: b}", 1, "`tags` must be a list"),
        ("- {prompt: a, timeout: soon}", 1, "`timeout` must be a duration like `8s`, not `soon`"),
        ("- {policy: fast}", 1, "a call has either a `prompt` or `messages`"),
        ("- {prompt: a, messages: []}", 1, "a call has either a `prompt` or `messages`"),
        ("- {prompt: a, system: b, fails: maybe}", 1, "`fails` must be true or false"),
    ],
)
def test_every_fault_has_its_line(tmp_path, text, line, message):
    assert (line, message) in faults(tmp_path, text)


def test_all_faults_at_once_and_where_the_line_is_no_json(tmp_path):
    found = faults(tmp_path, '{"prompt": 5}\n{nope\n{"promt": "a"}\n', "calls.jsonl")
    assert [line for line, _ in found] == [1, 2, 3, 3]
    assert found[1][1].startswith("no JSON: ")


def test_yaml_traps_are_those_of_policies(tmp_path):
    assert "anchor" in str(faults(tmp_path, "- &a {prompt: a}\n- *a\n"))


def test_a_script_that_is_no_text_or_never_ends_is_refused(tmp_path):
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    for path, message in (
        (tmp_path / "bytes.yaml", "not UTF-8 text (byte 0)"),
        (Path("/dev/zero"), "not a regular file"),
    ):
        with pytest.raises(ScriptError) as caught:
            read_script(path)
        assert [each.message for each in caught.value.problems] == [message]


def test_an_argument_among_the_parameters_is_told_where_it_belongs(tmp_path):
    path = tmp_path / "calls.yaml"
    path.write_text("- {prompt: Hi, policy: fast, params: {policy: slow}}\n")
    with pytest.raises(ScriptError) as caught:
        read_script(path)
    (found,) = caught.value.problems
    assert "write it beside `params`" in found.message
