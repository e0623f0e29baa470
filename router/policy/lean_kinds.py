"""The kinds that `wire: auto` sends lean. Printed by `python -m tests.wires`; not to be edited."""

LEAN_KINDS: frozenset[str] = frozenset()
