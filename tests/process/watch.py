"""What every program of these tests does: it may not hang, nor may a process that it forks, and it tells in lines."""

import faulthandler
import os
import sys

HANG_S = 60


def watch() -> None:
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    if hasattr(os, "register_at_fork"):  # a forked child has no copy of the watching thread
        os.register_at_fork(after_in_child=lambda: faulthandler.dump_traceback_later(HANG_S, exit=True))


def say(*words: object) -> None:
    """One line of standard output, at once and whole, whichever process it comes from."""
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())
