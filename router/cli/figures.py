"""Numbers as people read them: the words of `router.tools.figures`, for commands."""

from router.tools.figures import about, count, money, percent, seconds, tokens

__all__ = ["about", "count", "money", "percent", "seconds", "tokens"]
