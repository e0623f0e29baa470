"""Secrets and addresses by reference, as written."""

from router.policy.document import Spot
from router.values import SecretRef


def reference_of(spot: Spot) -> SecretRef | None:
    """`{env: NAME}` or `{file: PATH}`; None for anything else."""
    for source in ("env", "file"):
        named = spot.get(source)
        if named is not None and named.text is not None:
            return SecretRef(source=source, name=named.text, place=named.place)
    return None
