"""The names an application imports: all there, each loaded when it is first used, and nothing before."""

import subprocess
import sys
from pathlib import Path

import pytest

import router

ROOT = Path(__file__).resolve().parent.parent


def test_every_public_name_is_there() -> None:
    assert [name for name in router.__all__ if getattr(router, name).__name__ != name] == []
    assert set(router.__all__) <= set(dir(router))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module `router` has no attribute `Routr`"):
        _ = router.Routr


def test_a_submodule_is_no_public_name_but_can_be_imported() -> None:
    script = "import router; assert not hasattr(router, 'events'); from router import events; events.Event"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_importing_the_package_loads_none_of_its_modules() -> None:
    script = "import sys, router; print(*[name for name in sys.modules if name.startswith('router.')])"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert run.stdout.split() == []


def test_the_public_names_load_none_of_the_heavy_libraries() -> None:
    heavy = "asyncio diskcache jsonschema litellm pydantic sqlite3 tiktoken yaml"
    script = f"import sys; from router import *; print(*(set('{heavy}'.split()) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert run.stdout.split() == []


def test_a_star_import_brings_the_public_names() -> None:
    script = "from router import *; print(*(name for name in dir() if not name.startswith('_')))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert run.stdout.split() == sorted(router.__all__)
