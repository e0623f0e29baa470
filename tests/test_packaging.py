"""The built wheel, an editable install and a plain checkout: each imports alone and finds its files from anywhere.

Environments are made on the spot, offline: the dependencies are those of the environment that runs the tests, reached
through a path file; the package itself is only what was installed.
"""

import json
import os
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from router.resources import FOLDERS

CHECKOUT = Path(__file__).resolve().parent.parent
REPORT = """
import importlib.metadata as metadata, json, router
from router.resources import FOLDERS, resource
folders = {name: resource(name) for name in FOLDERS}
print(json.dumps({
    "package": router.__file__,
    "version": metadata.version("routewright"),
    "folders": {name: str(folder) for name, folder in folders.items()},
    "files": sorted(f"{name}/{file.relative_to(folder).as_posix()}"
                    for name, folder in folders.items() for file in folder.rglob("*") if file.is_file()),
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment, and a folder to stand in that holds nothing."""

    home: Path
    away: Path

    def run(self, program: str, *arguments: str, timeout_s: float = 60, **variables: str) -> str:
        """The standard output of `program` of this environment, run away from the checkout and without settings."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        ran = subprocess.run(
            [self.home / "bin" / program, *arguments],
            cwd=self.away,
            env={**kept, "HOME": str(self.away), "NO_COLOR": "1", **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def report(self, **variables: str) -> dict[str, object]:
        return json.loads(self.run("python", "-W", "error", "-c", REPORT, **variables))


def an_environment(root: Path, *to_install: str | Path) -> Environment:
    home, away = root / "venv", root / "away"
    away.mkdir()
    venv.create(home, with_pip=True, symlinks=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    # Last by name, so that an editable install of the package in the lending environment never comes first; a path
    # file is not followed inside a folder that another path file names.
    (own / "zz_lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    environment = Environment(home=home, away=away)
    environment.run(
        "python", "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation",
        "--ignore-installed", *map(str, to_install),
    )  # fmt: skip
    return environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=CHECKOUT,
        capture_output=True,
        timeout=60,
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return an_environment(tmp_path_factory.mktemp("installed"), wheel)


@pytest.fixture(scope="module")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return an_environment(tmp_path_factory.mktemp("editable"), "-e", CHECKOUT)


def shipped() -> list[str]:
    """What git holds of the folders that ship, as `folder/path`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *FOLDERS], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return sorted(name for name in listed.stdout.split("\0") if name)


def test_the_wheel_carries_the_package_and_its_files_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        scripts = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert wheel.name.startswith("routewright-")
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"router", "routewright"}
    assert {"router/py.typed", "router/__main__.py"} <= set(names)
    assert set(shipped()) <= {name.removeprefix("router/_data/") for name in names}
    assert [name for name in names if name.endswith(".pyc") or "/tests/" in name] == []
    assert "router = router.cli:main" in scripts


def test_each_shipped_folder_ships_something() -> None:
    assert {name.partition("/")[0] for name in shipped()} == set(FOLDERS)


def test_an_installed_wheel_finds_its_files_away_from_the_source(installed: Environment) -> None:
    report = installed.report()
    package = Path(str(report["package"])).parent
    assert package.is_relative_to(installed.home)
    assert report["folders"] == {name: str(package / "_data" / name) for name in FOLDERS}
    assert set(shipped()) <= set(report["files"])  # type: ignore[call-overload]


def test_an_editable_install_reads_the_checkout(editable: Environment) -> None:
    report = editable.report()
    assert Path(str(report["package"])).parent == CHECKOUT / "router"
    assert report["folders"] == {name: str(CHECKOUT / name) for name in FOLDERS}
    assert not list(editable.home.glob("lib/*/site-packages/router"))


def test_a_plain_checkout_reads_itself(installed: Environment) -> None:
    report = installed.report(PYTHONPATH=str(CHECKOUT))
    assert Path(str(report["package"])).parent == CHECKOUT / "router"
    assert report["folders"] == {name: str(CHECKOUT / name) for name in FOLDERS}


def test_the_demo_runs_from_the_wheel(installed: Environment) -> None:
    """The README's first promise: no key, no network, no checkout; a story within 20 s, and where to look further."""
    started_s = time.monotonic()
    story = installed.run("router", "demo", timeout_s=120)
    assert time.monotonic() - started_s < 20
    assert "router explain" in story
    assert "router usage" in story


def test_the_module_is_the_command(installed: Environment) -> None:
    assert (
        installed.run("python", "-m", "router", "--help").splitlines()[1:]
        == (installed.run("router", "--help").splitlines()[1:])
    )
