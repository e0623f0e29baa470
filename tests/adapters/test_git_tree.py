"""Policies of a git revision, read by real git out of a real repository."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from router.adapters import git_tree
from router.adapters.git_tree import read_revision, revision
from router.errors import RequestError

IDENTITY = {
    "GIT_AUTHOR_NAME": "ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(folder: Path, *arguments: str) -> None:
    if shutil.which("git") is None:
        pytest.skip("there is no git here")
    subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**os.environ, **IDENTITY},
        check=True,
        capture_output=True,
        timeout=60,
    )


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def commit(folder: Path) -> None:
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "a state", "--allow-empty")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits, and a change in the working tree that is in neither."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    write(folder, {"policies/a.yaml": "one: 1\n", "policies/deep/b.yml": "two: 2\n", "other.yaml": "no: 0\n"})
    commit(folder)
    write(folder, {"policies/a.yaml": "one: 11\n"})
    commit(folder)
    write(folder, {"policies/a.yaml": "one: 111\n"})
    return folder


def read(folder: Path, name: str, path: str) -> dict[str, object]:
    reads = read_revision(revision(folder, name), path)
    found = {each.document.file: each.document.value for each in reads if each.document is not None}
    return found | {each.problems[0].place.file: each.problems[0].message for each in reads if each.problems}


def test_each_revision_has_its_own_files(repository: Path) -> None:
    assert read(repository, "HEAD~1", "policies") == {
        "HEAD~1:policies/a.yaml": {"one": 1},
        "HEAD~1:policies/deep/b.yml": {"two": 2},
    }
    assert read(repository, "main", "policies")["main:policies/a.yaml"] == {"one": 11}
    assert (repository / "policies" / "a.yaml").read_text() == "one: 111\n"


def test_one_file_and_the_whole_tree(repository: Path) -> None:
    assert read(repository, "main", "policies/a.yaml") == {"main:policies/a.yaml": {"one": 11}}
    assert set(read(repository, "main", "")) == {
        "main:other.yaml",
        "main:policies/a.yaml",
        "main:policies/deep/b.yml",
    }


def test_the_top_is_found_from_below(repository: Path) -> None:
    below = revision(repository / "policies" / "deep", "HEAD")
    assert below.top.resolve() == repository.resolve()
    assert below.commit == revision(repository, "main").commit


def test_hidden_files_case_files_and_others_are_no_policies(repository: Path) -> None:
    write(
        repository,
        {
            "policies/.hidden.yaml": "x: 1\n",
            "policies/.git-like/c.yaml": "x: 1\n",
            "policies/a.cases.yaml": "x: 1\n",
            "policies/notes.txt": "x\n",
        },
    )
    commit(repository)
    assert set(read(repository, "HEAD", "policies")) == {"HEAD:policies/a.yaml", "HEAD:policies/deep/b.yml"}


def test_names_of_any_kind_are_read(repository: Path) -> None:
    write(repository, {"policies/*?[x]/größe: 1.yaml": "x: 1\n", "policies/ .yaml": "y: 2\n"})
    commit(repository)
    assert read(repository, "HEAD", "policies/*?[x]") == {"HEAD:policies/*?[x]/größe: 1.yaml": {"x": 1}}
    assert read(repository, "HEAD", "policies")["HEAD:policies/ .yaml"] == {"y": 2}


def test_bytes_are_taken_as_they_were_committed(repository: Path) -> None:
    (repository / "policies" / "a.yaml").write_bytes(b"one: \xff\n")
    (repository / "policies" / "empty.yaml").write_bytes(b"")
    commit(repository)
    found = read(repository, "HEAD", "policies")
    assert found["HEAD:policies/a.yaml"] == "not UTF-8 text (byte 5)"
    assert found["HEAD:policies/deep/b.yml"] == {"two": 2}


def test_a_large_file_is_not_read(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_tree, "LARGEST_FILE", 7)
    found = read(repository, "HEAD", "policies")
    assert found["HEAD:policies/a.yaml"] == "a file of more than 4 MB"
    assert found["HEAD:policies/deep/b.yml"] == {"two": 2}


def test_a_link_is_a_problem_and_not_followed(repository: Path) -> None:
    (repository / "policies" / "link.yaml").symlink_to("a.yaml")
    commit(repository)
    told = read(repository, "HEAD", "policies")["HEAD:policies/link.yaml"]
    assert told == "a link, which is not followed in a revision"


def test_a_submodule_is_a_problem_and_not_passed_over(repository: Path, tmp_path: Path) -> None:
    inner = repository / "policies" / "shared"
    inner.mkdir()
    git(inner, "init", "--quiet")
    commit(inner)
    commit(repository)
    told = read(repository, "HEAD", "policies")["HEAD:policies/shared"]
    assert told == "a submodule, which is not followed in a revision"


@pytest.mark.parametrize("name", ["", "-h", "--all", "--output=x", "HEAD:policies", "a\nb", "a\0b"], ids=repr)
def test_what_is_no_revision_never_reaches_git(
    name: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_tree, "_git", None)
    with pytest.raises(RequestError, match="is no revision"):
        revision(repository, name)


@pytest.mark.parametrize(
    "name", ["nope", "HEAD~9", "^main", "main..HEAD", "HEAD --all", "main^{tree}", "$(id)"]
)
def test_an_absent_revision_is_refused(name: str, repository: Path) -> None:
    with pytest.raises(RequestError) as refused:
        revision(repository, name)
    assert f"there is no revision `{name}` in the repository at" in refused.value.message
    assert "git log" in refused.value.help


def test_a_shallow_clone_says_what_to_fetch(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "shallow")
    with pytest.raises(RequestError) as refused:
        revision(tmp_path / "shallow", "HEAD~1")
    assert "fetch-depth: 0" in refused.value.help


def test_nothing_is_fetched_for_a_partial_clone(repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "uploadpack.allowFilter", "true")
    git(
        tmp_path, "clone", "--quiet", "--no-checkout", "--filter=blob:none", f"file://{repository}", "partial"
    )
    clone, ran = tmp_path / "partial", tmp_path / "ran"
    command = f"touch {ran}; git-upload-pack"
    git(clone, "config", "remote.origin.uploadpack", command)
    with pytest.raises(RequestError, match="git could not read"):
        read(clone, "HEAD", "policies")
    assert not ran.exists()


def test_an_absent_path_is_refused(repository: Path) -> None:
    with pytest.raises(RequestError, match="there is nothing at `nowhere` in revision `HEAD`"):
        read(repository, "HEAD", "nowhere")


def test_outside_a_repository(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refused:
        revision(tmp_path, "HEAD")
    assert "no git repository at" in refused.value.message
    assert "fatal" not in refused.value.message


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RequestError, match="there is no `git` here"):
        revision(repository, "HEAD")
