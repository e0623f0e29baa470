"""Imports only go down the house, and heavy libraries have one door each."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "router"
DOORS = {
    "litellm": "adapters/litellm_",
    "tiktoken": "adapters/",
    "diskcache": "adapters/",
    "vcr": "adapters/",
    "redis": "adapters/redis_",
    "jsonschema": ("policy/schema.py", "adapters/objects.py"),
    "pydantic": "adapters/objects.py",
    "click": "cli/",
    "rich": "cli/",
}


def imported(source: Path) -> set[str]:
    """The top names that a module imports anywhere in it, `TYPE_CHECKING` blocks included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def importers(library: str) -> set[str]:
    return {
        source.relative_to(PACKAGE).as_posix()
        for source in PACKAGE.rglob("*.py")
        if "_data" not in source.parts and library in imported(source)
    }


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as lint; lint()",
            "--no-cache",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_imports_only_go_down() -> None:
    ran = lint(CHECKOUT)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "imports only go down KEPT" in ran.stdout


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("router/values.py", "import router.plan"),
        ("router/ports/world.py", "import router.adapters"),
        ("router/adapters/clocks_of_a_test.py", "import router.engine"),
        ("router/nowhere_in_the_house.py", ""),
    ],
    ids=["up", "port-to-adapter", "across", "unplaced-module"],
)
def test_the_contract_bites(tmp_path: Path, module: str, statement: str) -> None:
    """A small house of our own shape, broken once."""
    for name in _modules_of(tmp_path):
        name.parent.mkdir(parents=True, exist_ok=True)
        name.touch()
    (tmp_path / "pyproject.toml").write_text((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    assert lint(tmp_path).returncode == 0
    (tmp_path / module).write_text(statement + "\n", encoding="utf-8")
    ran = lint(tmp_path)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "imports only go down BROKEN" in ran.stdout or "nowhere_in_the_house" in ran.stdout + ran.stderr


def _modules_of(root: Path) -> list[Path]:
    return [root / source.relative_to(CHECKOUT) for source in PACKAGE.rglob("*.py")]


@pytest.mark.parametrize(("library", "door"), DOORS.items())
def test_a_heavy_library_has_one_door(library: str, door: str | tuple[str, ...]) -> None:
    assert {name for name in importers(library) if not name.startswith(door)} == set()


def test_the_package_imports_light() -> None:
    """What an application pays for `import router`: none of the heavy libraries."""
    program = f"import sys, router; print(*sorted({{*{sorted([*DOORS, 'yaml'])}}} & sys.modules.keys()))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.split() == []
