"""Where the real recorded exchanges are. They are no part of the project, so they may be absent."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def recordings_folder() -> Path | None:
    """The folder that holds INDEX.tsv: ROUTER_RECORDINGS, else ../shared/cassettes beside the checkout; or None.

    A folder that was named but is no such folder is an error: a typing mistake must not turn tests off.
    """
    named = os.environ.get("ROUTER_RECORDINGS")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "cassettes"
    if (folder / "INDEX.tsv").is_file():
        return folder
    if named:
        raise FileNotFoundError(f"ROUTER_RECORDINGS names `{named}`, which holds no INDEX.tsv")
    return None
