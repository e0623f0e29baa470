"""Folders, files and dicts: every problem of every file in one run, and never an exception."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.policy.load import LARGEST_FILE, load, load_text, policy_files
from tests.policy.books import Book

ONE = "version: 1\nproviders: {openai: {}}\npolicies:\n  fast: {targets: [openai/small]}\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def said(source: Any) -> list[str]:
    return [str(problem).splitlines()[0] for problem in load(source, Book()).problems]


def test_a_folder_is_every_policy_file_below_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "b.yaml": ONE,
            "a/c.yml": "version: 1\ntenants: {acme: {policies: [fast]}}\n",
            "a/x.cases.yaml": "not: [policies",
            "x.cases.yml": "not: [policies",
            ".hidden/y.yaml": "not: [policies",
            ".z.yaml": "not: [policies",
            "notes.txt": "not: [policies",
        },
    )
    assert [path.relative_to(tmp_path).as_posix() for path in policy_files(tmp_path)] == ["b.yaml", "a/c.yml"]
    plan = load(tmp_path, Book()).plan
    assert plan is not None
    assert (set(plan.policies), set(plan.tenants), plan.folder) == ({"fast"}, {"acme"}, str(tmp_path))


def test_a_link_to_a_folder_is_a_problem_and_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"here/a.yaml": ONE, "there/b.yaml": "nonsense"})
    (tmp_path / "here" / "team").symlink_to(tmp_path / "there")
    (tmp_path / "here" / ".data").symlink_to(tmp_path / "there")
    loaded = load(tmp_path / "here", Book())
    [found] = loaded.problems
    assert (found.code, found.place.file) == ("unreadable", (tmp_path / "here" / "team").as_posix())
    assert found.message == "a link to a folder"
    assert loaded.plan is None


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    write(tmp_path, {"..data/a.yaml": ONE})
    (tmp_path / "a.yaml").symlink_to(tmp_path / "..data" / "a.yaml")
    loaded = load(tmp_path, Book())
    assert loaded.problems == ()
    assert loaded.plan is not None
    assert set(loaded.plan.policies) == {"fast"}


def test_one_file_has_the_folder_it_is_in(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": ONE, "b.yaml": "nonsense"})
    plan = load(tmp_path / "a.yaml", Book()).plan
    assert plan is not None
    assert plan.folder == str(tmp_path)
    assert str(plan.policies["fast"].place) == f"{tmp_path.as_posix()}/a.yaml:4:3"


def test_files_are_named_as_the_folder_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"policies/a.yaml": ONE.replace("small", "smal")})
    monkeypatch.chdir(tmp_path)
    assert said("policies") == [
        "policies/a.yaml:4:20: error: model `smal` of provider `openai` is unknown [unknown-model]"
    ]
    assert said("policies/") == said("policies")


def test_a_dict_has_no_lines_but_a_path() -> None:
    document = {"version": 1, "providers": {"openai": {}}, "policies": {"fast": {"targets": ["openai/smal"]}}}
    loaded = load(document, Book())
    assert [str(problem.place) for problem in loaded.problems] == ["<dict>.policies.fast.targets[0]"]
    assert loaded.problems[0].place.line == 0
    document["policies"] = {"fast": {"targets": ("openai/small",)}}
    plan = load(document, Book()).plan
    assert plan is not None
    assert plan.folder == ""


def test_nothing_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert said(missing) == [f"{missing.as_posix()}: error: there is no file or folder here [no-policies]"]
    assert said(tmp_path) == [f"{tmp_path.as_posix()}: error: no policy files here [no-policies]"]


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(ONE.encode("utf-16"))
    (tmp_path / "b.yaml").write_bytes(b"#" * (LARGEST_FILE + 1))
    (tmp_path / "c.yaml").symlink_to(tmp_path / "nowhere")
    at = tmp_path.as_posix()
    assert said(tmp_path) == [
        f"{at}/a.yaml:1:1: error: not UTF-8 text (byte 0) [encoding]",
        f"{at}/b.yaml: error: a file of more than 4 MB [unreadable]",
        f"{at}/c.yaml: error: can't be read: No such file or directory [unreadable]",
    ]


def test_what_might_never_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").symlink_to("/dev/zero")
    at = tmp_path.as_posix()
    assert said(tmp_path) == [
        f"{at}/{name}.yaml: error: not a regular file [unreadable]" for name in ("a", "b")
    ]


def test_every_problem_of_every_file_sorted_by_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.yaml": ONE.replace("targets", "target"),
            "b.yaml": "version: 1\ntenants:\n  acme: {polices: all}\n  other: {policies: [fats]}\n",
            "c.yaml": "providers: {openai: {}}\nsettings: {time_zone: Mars}\n",
            "d.yaml": "version: 1\nsettings: {default_policy: fast}\npolicies: {fast: {targets: [openai/small]}}\n",
        },
    )
    loaded = load(tmp_path, Book())
    assert loaded.plan is None
    found = [(Path(each.place.file).name, each.place.line, each.code) for each in loaded.problems]
    assert found == sorted(found, key=lambda each: each[:2])
    assert found == [
        ("a.yaml", 4, "unknown-key"),
        ("b.yaml", 3, "unknown-key"),
        ("b.yaml", 4, "dangling-name"),
        ("c.yaml", 1, "version"),
        ("c.yaml", 1, "duplicate-name"),
        ("c.yaml", 2, "unknown-time-zone"),
        ("d.yaml", 2, "duplicate-name"),
        ("d.yaml", 3, "duplicate-name"),
    ]


def test_a_name_in_two_files_cites_both(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": ONE, "b.yaml": "version: 1\npolicies:\n  fast: {targets: [openai/large]}\n"})
    at = tmp_path.as_posix()
    assert said(tmp_path) == [
        f"{at}/b.yaml:3:3: error: policy `fast` is declared here and at {at}/a.yaml:4:3 [duplicate-name]"
    ]
    also = load(tmp_path, Book()).problems[0].also
    assert str(also) == f"{at}/a.yaml:4:3"


def test_names_are_not_judged_while_a_file_is_no_yaml(tmp_path: Path) -> None:
    """The missing policy may be in the broken file."""
    write(tmp_path, {"a.yaml": ONE.replace("openai/small", "{policy: slow}"), "b.yaml": "policies: [\n"})
    assert [problem.code for problem in load(tmp_path, Book()).problems] == ["yaml"]


def test_a_block_that_is_no_map_is_the_only_thing_said_of_it() -> None:
    text = "version: 1\nproviders: [openai]\npolicies:\n  fast: {targets: [openai/small]}\n"
    assert [problem.code for problem in load_text(text, Book()).problems] == ["wrong-form"]
    assert [problem.code for problem in load_text("just text\n", Book()).problems] == ["wrong-form"]


def test_warnings_leave_a_plan() -> None:
    loaded = load_text(ONE.replace("[openai/small]", "[openai/small], cache: {ttl: 1h}"), Book())
    assert loaded.plan is not None
    assert ([each.code for each in loaded.warnings], loaded.errors) == (["sampled-cache"], ())


VALID = (Path(__file__).parent / "fixtures" / "wrong-form.good.yaml").read_text(encoding="utf-8")


@settings(max_examples=150)
@given(st.text())
def test_any_text_is_loaded(text: str) -> None:
    loaded = load_text(text, Book())
    assert loaded.plan is not None or loaded.errors


@settings(max_examples=150)
@given(st.data())
def test_any_damage_to_a_good_file_is_loaded(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(VALID)))
    end = data.draw(st.integers(start, min(start + 20, len(VALID))))
    put = data.draw(st.text("ab:{}[],&*!|>'\"%@`#-? \n\t~<$1.off", max_size=6))
    loaded = load_text(VALID[:start] + put + VALID[end:], Book())
    assert loaded.plan is not None or loaded.errors


FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.yaml"))


@settings(max_examples=100)
@given(st.data())
def test_any_mixture_of_two_documents_is_loaded(data: st.DataObject) -> None:
    """Values of the wrong form wherever another was expected."""
    one, other = (data.draw(st.sampled_from(FIXTURES)).read_text(encoding="utf-8") for _ in range(2))
    start, taken = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, len(other)))
    put = other[taken : taken + data.draw(st.integers(0, 40))]
    loaded = load_text(one[:start] + put + one[start + data.draw(st.integers(0, 30)) :], Book())
    assert loaded.plan is not None or loaded.errors


def test_a_map_where_a_name_belongs_is_one_problem() -> None:
    document = {
        "version": 1,
        "providers": {"openai": {}},
        "settings": {"default_policy": {"a": 1}},
        "policies": {
            "fast": {
                "targets": ["openai/small", {"policy": {"a": 1}}, {"model": ["b"]}],
                "rules": [
                    {"name": ["c"], "when": {"tenant": [{}], "needs": [[]]}, "policy": {"d": 1}},
                    {
                        "name": "e",
                        "when": {"budget_used": {"of": {}, "window": [], "name": {}}},
                        "reject": "no",
                    },
                ],
                "retry": {"on": [{}], "backoff": []},
            }
        },
        "tenants": {"acme": {"policies": ["fast"]}, "acme/x": {"policies": [{"fast": 1}]}},
    }
    assert {found.code for found in load(document, Book()).problems} == {"wrong-form", "missing-key"}


WORDS = st.sampled_from(
    (
        *(
            "version",
            "providers",
            "policies",
            "tenants",
            "settings",
            "openai",
            "fast",
            "targets",
            "rules",
            "when",
        ),
        *(
            "name",
            "openai/small",
            "$25",
            "8s",
            "off",
            "all",
            "policy",
            "model",
            "tenant",
            "acme",
            "each",
            "user",
        ),
        *(
            "budget",
            "per_day",
            "retry",
            "on",
            "transient",
            "timeout",
            "total",
            "cache",
            "ttl",
            "params",
            "kind",
        ),
        *("keys", "env"),
    )
)
VALUES = st.recursive(
    WORDS | st.integers() | st.booleans() | st.floats() | st.none() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150)
@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_any_dict_is_loaded(document: dict[str, Any]) -> None:
    loaded = load({"version": 1, **document}, Book())
    assert loaded.plan is not None or loaded.errors


def long_file(policies: int, tenants: int) -> str:
    lines = ["version: 1", "providers: {openai: {}, gemini: {}}", "policies:"]
    for number in range(policies):
        lines += [
            f"  policy-{number}:",
            f"    description: number {number}",
            "    targets:",
            "      - openai/small",
            "      - model: openai/large",
            "        params: {temperature: 0.5}",
            "      - gemini/flash",
            "    rules:",
            "      - name: long",
            "        when: {input_tokens: {over: 60k}, tenant: [acme]}",
            "        targets: [gemini/flash]",
            "    ceiling: {input_tokens: 50k, output_tokens: 1k}",
            "    retry: {attempts: 2, backoff: exponential, base: 200ms, max: 2s}",
            "    timeout: {total: 30s, attempt: 8s}",
            "    budget: {per_request: $2, per_day: $25}",
        ]
    lines += ["tenants:", "  acme: {policies: all, budget: {per_month: $5000}}"]
    lines += [f"  acme/team-{number}: {{budget: {{per_month: $50}}}}" for number in range(tenants)]
    return "\n".join(lines) + "\n"


def test_two_thousand_lines_take_well_under_a_second() -> None:
    text = long_file(policies=127, tenants=90)
    assert len(text.splitlines()) >= 2000
    load_text(ONE, Book())  # the schema is built once a process
    started = time.perf_counter()
    loaded = load_text(text, Book())
    took = time.perf_counter() - started
    assert loaded.plan is not None
    assert loaded.problems == ()
    assert took < 1.0


def test_nested_policies_do_not_multiply_without_end() -> None:
    """Thirty levels of two ways each: the paths are a billion, and checks look at some of them."""
    names = [f"p{number}" for number in range(30)]
    policies = {
        name: {
            "targets": [{"policy": below}],
            "rules": [
                {"name": "a", "when": {"stream": True}, "targets": [{"policy": below}, "openai/small"]}
            ],
        }
        for name, below in zip(names, [*names[1:], "end"], strict=True)
    }
    document = {
        "version": 1,
        "providers": {"openai": {}},
        "policies": {**policies, "end": {"targets": ["openai/large"], "ceiling": {"output_tokens": 5}}},
    }
    started = time.perf_counter()
    assert load(document, Book()).plan is not None
    assert time.perf_counter() - started < 5.0


def test_every_way_to_a_policy_is_looked_at() -> None:
    """One way to `inner` is free of budgets; the other is not, and an unknown price would break it."""
    document: dict[str, Any] = {
        "version": 1,
        "providers": {"openai": {}},
        "policies": {
            "outer": {"targets": [{"policy": "paid"}, {"policy": "open"}], "ceiling": {"output_tokens": 5}},
            "open": {"targets": [{"policy": "inner"}]},
            "paid": {"targets": [{"policy": "inner"}], "budget": {"per_day": "$1"}},
            "inner": {"targets": ["openai/unpriced"]},
        },
        "tenants": {"acme": {"policies": ["outer"]}},
    }
    assert [found.code for found in load(document, Book()).problems] == ["unknown-price"]
    document["policies"]["outer"]["targets"].reverse()
    assert [found.code for found in load(document, Book()).problems] == ["unknown-price"]


def modules_after(code: str) -> set[str]:
    heavy = ("yaml", "jsonschema", "litellm", "pydantic", "zoneinfo")
    watch = f"import sys\nprint(*(name for name in {heavy} if name in sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\n{watch}"], capture_output=True, text=True, check=True
    )
    return set(ran.stdout.split())


def test_importing_loads_no_library() -> None:
    assert modules_after("import router.policy.load, router.policy.effective") == set()


def test_loading_needs_only_its_own_libraries() -> None:
    code = (
        "from router.policy.load import load_text, load\n"
        "from tests.policy.books import Book\n"
        f"assert load_text({ONE!r}, Book()).plan\n"
    )
    assert modules_after(code) == {"yaml"}
    assert modules_after(code.replace("assert ", "assert not ").replace("small", "")) == {
        "yaml",
        "jsonschema",
    }
