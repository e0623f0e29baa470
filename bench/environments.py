"""An environment of its own for each peer that is no dependency of the project: pinned lists, installed once."""

import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path

from bench.processes import ROOT, clean

PINNED = Path(__file__).resolve().parent / "pinned"
KEPT = ROOT / ".bench"


def python_of(peer: str) -> str:
    """The interpreter of the environment with what `pinned/PEER.txt` lists, made on the first call.

    Raises RuntimeError with the installer's words where that fails.
    """
    listed = PINNED / f"{peer}.txt"
    folder = KEPT / f"{peer}-{sha256(listed.read_bytes()).hexdigest()[:12]}"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    done = folder / "installed"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        _install(str(python), listed)
        done.touch()
    return str(python)


def _install(python: str, listed: Path) -> None:
    command = [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", str(listed)]
    ran = subprocess.run(command, env=clean(), capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{ran.stderr[-2000:]}")
