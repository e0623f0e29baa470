"""Which wire the calls of a provider go out by."""

from typing import Literal

from router.policy.lean_kinds import LEAN_KINDS
from router.values import Wire


def wire_of(kind: str, by: Wire) -> Literal["lean", "litellm"]:
    """`auto` is the lean wire for the kinds that were found equal on it."""
    return "lean" if by == "lean" or (by == "auto" and kind in LEAN_KINDS) else "litellm"
