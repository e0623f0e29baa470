"""Secrets are read from where they are named, and nothing but the value comes out."""

import os
from pathlib import Path

import pytest

from router.adapters.secrets import MAX_BYTES, EnvSecrets
from router.values import Place, SecretRef

HERE = Place(file="policies/a.yaml", line=3, column=5)


def env(name: str) -> SecretRef:
    return SecretRef(source="env", name=name, place=HERE)


def file(path: Path | str) -> SecretRef:
    return SecretRef(source="file", name=str(path), place=HERE)


def written(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("raw", ["sk-1", " sk-1\n", "\r\nsk-1\r\n", "\tsk-1"])
def test_a_variable_is_stripped(raw: str):
    assert EnvSecrets({"KEY": raw}).get(env("KEY")) == "sk-1"


def test_the_real_environment_is_the_default_and_read_each_time(monkeypatch: pytest.MonkeyPatch):
    secrets = EnvSecrets()
    monkeypatch.setenv("SOME_KEY", "one")
    assert secrets.get(env("SOME_KEY")) == "one"
    monkeypatch.setenv("SOME_KEY", "two")
    assert secrets.get(env("SOME_KEY")) == "two"
    monkeypatch.delenv("SOME_KEY")
    assert secrets.get(env("SOME_KEY")) is None


@pytest.mark.parametrize("raw", ["", " ", "\n\t "])
def test_a_blank_variable_is_absent(raw: str):
    secrets = EnvSecrets({"KEY": raw})
    assert secrets.get(env("KEY")) is None
    assert secrets.fault(env("KEY")) == "the variable `KEY` is empty"


def test_a_missing_variable_is_named():
    assert EnvSecrets({}).get(env("KEY")) is None
    assert EnvSecrets({}).fault(env("KEY")) == "the variable `KEY` is not set"


def test_a_source_of_another_kind_gives_nothing():
    secrets = EnvSecrets({"KEY": "sk-1"})
    odd = SecretRef(source="vault", name="KEY", place=HERE)
    assert secrets.get(odd) is None
    assert secrets.fault(odd) == "`vault` is no source of secrets"


def test_a_relative_file_starts_at_the_folder_of_the_policies_and_an_absolute_one_anywhere(tmp_path: Path):
    (tmp_path / "policies").mkdir()
    path = written(tmp_path / "policies" / "key", b"\xef\xbb\xbf sk-file \r\n")
    secrets = EnvSecrets({}, folder=str(tmp_path / "policies"))
    assert secrets.get(file("key")) == "sk-file"
    assert EnvSecrets({}).get(file(path)) == "sk-file"
    assert secrets.fault(file("key")) is None


def test_a_rotated_file_is_met_at_once(tmp_path: Path):
    path = written(tmp_path / "key", b"old")
    secrets = EnvSecrets({})
    assert secrets.get(file(path)) == "old"
    written(path, b"new")
    assert secrets.get(file(path)) == "new"


def test_a_file_through_a_link_is_read(tmp_path: Path):
    written(tmp_path / "data", b"sk-1")  # as mounted secrets are laid out
    (tmp_path / "key").symlink_to("data")
    assert EnvSecrets({}).get(file(tmp_path / "key")) == "sk-1"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"x" * (MAX_BYTES + 1), "is larger than 64 KiB"),
    ],
)
def test_a_file_that_holds_no_secret(tmp_path: Path, content: bytes, fault: str):
    path = written(tmp_path / "key", content)
    assert EnvSecrets({}).get(file(path)) is None
    assert EnvSecrets({}).fault(file(path)) == f"the file `{path}` {fault}"


def test_a_file_of_the_largest_size_is_read_whole(tmp_path: Path):
    path = written(tmp_path / "key", b"x" * MAX_BYTES)
    assert EnvSecrets({}).get(file(path)) == "x" * MAX_BYTES


def test_what_is_no_file_is_neither_read_nor_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    secrets = EnvSecrets({})
    assert secrets.get(file(tmp_path)) is None
    assert secrets.get(file(tmp_path / "pipe")) is None
    assert secrets.get(file("/dev/zero")) is None
    assert secrets.fault(file("/dev/zero")) == "the file `/dev/zero` is not a regular file"
    assert secrets.fault(file(tmp_path / "none")) == f"the file `{tmp_path / 'none'}` does not exist"
    assert secrets.fault(file("a\0b")) == "the file `a\0b` can't be read: not a path"


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o622])
def test_a_file_that_others_can_write_is_refused(tmp_path: Path, mode: int):
    path = written(tmp_path / "key", b"sk-1", mode)
    assert EnvSecrets({}).get(file(path)) is None
    assert "can be written by others: run `chmod go-w`" in str(EnvSecrets({}).fault(file(path)))


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o644, 0o664])
def test_a_file_that_others_can_only_read_or_ones_own_group_write_is_used(tmp_path: Path, mode: int):
    assert EnvSecrets({}).get(file(written(tmp_path / "key", b"sk-1", mode))) == "sk-1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another group")
def test_a_file_that_another_group_can_write_is_refused(tmp_path: Path):
    path = written(tmp_path / "key", b"sk-1", 0o660)
    os.chown(path, -1, 65534)
    assert EnvSecrets({}).get(file(path)) is None


def test_no_secret_is_in_a_repr_or_a_fault(tmp_path: Path):
    path = written(tmp_path / "key", b"sk-very-secret\xff")
    secrets = EnvSecrets({"KEY": "sk-very-secret"}, folder=str(tmp_path))
    said = f"{secrets!r} {secrets} {secrets.fault(file(path))} {secrets.fault(env('NONE'))}"
    assert "very" not in said
