"""Policies as they are, but calling the fake provider."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from router.adapters.secrets import EnvSecrets
from router.testing.fake_provider_routes import FAKE_KEY

if TYPE_CHECKING:
    from router.plan import Plan
    from router.testing.fake_provider import FakeProvider


def redirected(plan: Plan, provider: FakeProvider) -> Plan:
    """`plan` with the address of every provider replaced by that of the running fake one.

    Scripts may then say `provider/model` with the names of the policies. Raises ValueError for a kind of provider that
    the fake one does not speak as.
    """
    providers = {
        name: replace(each, base_url=provider.base_url(each.kind, name))
        for name, each in plan.providers.items()
    }
    return replace(plan, providers=providers)


def fake_secrets(plan: Plan) -> EnvSecrets:
    """A made-up key for every key that `plan` names in a variable; the real environment is not read."""
    keys = (key.secret for each in plan.providers.values() for key in each.keys)
    return EnvSecrets(
        {secret.name: FAKE_KEY for secret in keys if secret is not None and secret.source == "env"}
    )
