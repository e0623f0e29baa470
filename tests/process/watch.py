"""What every program of these tests does: it may not hang, nor may a process that it forks, and it tells in lines."""

import faulthandler
import os
import signal
import sys

HANG_S = 60


def watch() -> None:
    """The alarm is the kernel's: it rings whatever hangs, and says where before it ends the process."""
    faulthandler.register(signal.SIGALRM, chain=True)
    signal.alarm(HANG_S)
    if hasattr(os, "register_at_fork"):  # a forked child has no alarm set
        os.register_at_fork(after_in_child=lambda: signal.alarm(HANG_S))


def say(*words: object) -> None:
    """One line of standard output, at once and whole, whichever process it comes from."""
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())
