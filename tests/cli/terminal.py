"""A command in a process of its own that believes itself before a person."""

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def on_a_terminal(*arguments: str) -> tuple[int, str]:
    """Exit status, and what a terminal was sent."""
    parent, child = os.openpty()
    ran = subprocess.run(
        [sys.executable, "-m", "router", *arguments],
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(CHECKOUT)},
        timeout=60,
        check=False,
    )
    os.close(child)
    told = os.read(parent, 100_000).decode()
    os.close(parent)
    return ran.returncode, told
