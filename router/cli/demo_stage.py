"""Where `router demo` plays: a folder with a copy of the shipped policies, a fake provider, and a real router."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from router.adapters.lean_transport import LeanTransport
from router.adapters.private_folder import STATE_FOLDER
from router.client import Router
from router.client.assembly import build_ports, load_plan
from router.events import Sink
from router.resources import resource
from router.testing import FakeProvider, fake_secrets, redirected

FOLDER = ".router-demo"
MARK = ".gitignore"
MARK_TEXT = "# made by `router demo`, which empties this folder when it is run again\n*\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`policies` is the folder that the follow-up commands name; state and cache are kept beside it."""

    policies: Path
    router: Router
    provider: FakeProvider


def fresh_folder() -> Path:
    """An empty private folder, here if possible, else among the temporary files. Raises OSError."""
    folder = Path(FOLDER)
    try:
        _make(folder)
    except OSError:  # a folder of that name that is somebody else's, or no right to write here
        folder = Path(mkdtemp(prefix="router-demo-"))
    _mark(folder)
    return folder


def copied_policies(folder: Path) -> Path:
    """The shipped policies, where they can be read and edited."""
    shutil.copytree(resource("policies"), folder / "policies", copy_function=shutil.copyfile)
    return folder / "policies"


def state_of(policies: Path) -> Path:
    """Where every command keeps state for these policies, if nothing says otherwise."""
    return policies.parent / STATE_FOLDER / "state.db"


@contextmanager
def staged(policies: Path, transport: LeanTransport, sink: Sink) -> Iterator[Stage]:
    """A running fake provider, and a router of these policies that knows no other. Everything ends with it."""
    shipped, warnings = load_plan(policies)
    with FakeProvider() as provider, _no_proxy():
        plan, state = redirected(shipped, provider), state_of(policies)
        ports = build_ports(
            plan,
            suspends=False,
            state=f"sqlite:///{state}",
            cache=state.parent / "cache",
            transport=transport,
            clock=None,
            sinks=(sink,),
            secrets=fake_secrets(plan),
        )
        with Router(plan, warnings, ports) as router:
            yield Stage(policies=policies, router=router, provider=provider)


def _make(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not _is_ours(folder)):
        raise FileExistsError(f"`{folder}` was not made by router")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)


def _is_ours(folder: Path) -> bool:
    mark = folder / MARK
    return mark.is_file() and mark.read_text(encoding="utf-8") == MARK_TEXT


def _mark(folder: Path) -> None:
    (folder / MARK).write_text(MARK_TEXT, encoding="utf-8")


@contextmanager
def _no_proxy() -> Iterator[None]:
    """The fake provider is on this machine: a proxy that is set for the outside can't reach it."""
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ.update(dict.fromkeys(before, "127.0.0.1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
