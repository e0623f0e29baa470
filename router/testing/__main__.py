"""`python -m router.testing`: the fake provider as a process of its own, until it is ended."""

from __future__ import annotations

import argparse
import json
import sys
import threading

from router.testing.fake_provider import FakeProvider
from router.testing.fake_provider_routes import KINDS
from router.testing.fake_provider_script import Answer


def main() -> None:
    """Prints one line of JSON, the base URL of each kind, when it is ready."""
    parser = argparse.ArgumentParser(prog="python -m router.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--text", help="answer every request with this text")
    parser.add_argument(
        "--instant", action="store_true", help="render once for each model and replay the bytes"
    )
    parser.add_argument("--delay-s", type=float, default=0.0, help="seconds before each answer")
    chosen = parser.parse_args()
    default = Answer(chosen.text, instant=chosen.instant, delay_s=chosen.delay_s)
    with FakeProvider(port=chosen.port, default=default, keep_requests=100) as provider:
        sys.stdout.write(json.dumps({kind: provider.base_url(kind) for kind in KINDS}) + "\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
