"""Checks of meaning, over a draft without errors."""

from collections.abc import Callable, Iterator

from router.errors import Problem
from router.policy.draft import Draft

Check = Callable[[Draft], Iterator[Problem]]

CHECKS: tuple[Check, ...] = ()
