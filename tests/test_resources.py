"""Shipped files are found beside the package in a checkout and inside it in a wheel, and nowhere else."""

from pathlib import Path

import pytest

from router.errors import RouterError
from router.resources import ResourceMissing, resource


def a_file(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("version: 1\n", encoding="utf-8")
    return path


def test_a_checkout_has_it_beside_the_package(tmp_path: Path) -> None:
    file = a_file(tmp_path / "policies" / "a.yaml")
    assert resource("policies/a.yaml", package=tmp_path / "router") == file
    assert resource("policies", package=tmp_path / "router") == file.parent


def test_a_wheel_has_it_inside_whatever_lies_beside(tmp_path: Path) -> None:
    a_file(tmp_path / "policies" / "a.yaml")
    a_file(tmp_path / "policies" / "theirs" / "b.yaml")
    mine = a_file(tmp_path / "router" / "_data" / "policies" / "a.yaml")
    assert resource("policies/a.yaml", package=tmp_path / "router") == mine
    with pytest.raises(ResourceMissing):
        resource("policies/theirs/b.yaml", package=tmp_path / "router")


def test_a_missing_one_names_both_places(tmp_path: Path) -> None:
    with pytest.raises(RouterError) as caught:
        resource("schemas/x.json", package=tmp_path / "router")
    assert f"`{tmp_path}/schemas/x.json`" in str(caught.value)
    assert f"`{tmp_path}/router/_data/schemas/x.json`" in str(caught.value)
    assert "install the package again" in caught.value.help


@pytest.mark.parametrize("name", ["", ".", "tests", "/policies", "policies/../tests", "../policies"])
def test_nothing_else_is_a_resource(name: str) -> None:
    with pytest.raises(ValueError, match="does not ship with the package"):
        resource(name)
