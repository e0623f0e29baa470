"""Imported policies answer: over real HTTP from the fake provider, and from a script where it does not speak a kind.

Every policy of every config is called once, and once more while all targets of its list but the last one fail.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.adapters.litellm_transport import LitellmTransport
from router.adapters.scripted_transport import ScriptedTransport, Step, made_up
from router.client.assembly import build_ports
from router.client.routers import Router
from router.plan import Plan, PolicyEntry
from router.ports import Clock, Transport, WireCall
from router.testing import KINDS, Answer, Fails, FakeProvider, ManualClock, fake_secrets
from router.tools.litellm_import.run import import_config
from router.tools.litellm_import.written import write_policies
from router.values import Kind
from tests.tools.litellm_import.parts import book, make
from tests.tools.litellm_import.real_configs import REFUSED, THERE, configs, number

OWN = """\
model_list:
  - {model_name: chat, litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, temperature: 0.1}}
  - {model_name: chat, litellm_params: {model: azure/gpt-4o, api_base: "https://ours.openai.azure.com", order: 2}}
  - {model_name: Claude, litellm_params: {model: anthropic/claude-haiku-4-5, max_tokens: 50, timeout: 20}}
  - {model_name: local, litellm_params: {model: openai/qwen3, api_base: "http://vllm:8000/v1", api_key: none}}
  - {model_name: llama, litellm_params: {model: ollama/llama3.2, api_base: "http://ollama:11434"}}
  - {model_name: nova, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_region_name: eu-west-1}}
router_settings:
  num_retries: 1
  fallbacks: [{chat: [Claude, llama]}, {Claude: [chat]}, {local: [chat]}]
  model_group_alias: {best: chat}
litellm_settings: {cache: true, cache_params: {type: local, ttl: 60}, request_timeout: 60}
"""


@pytest.fixture(scope="module")
def wire() -> Iterator[LitellmTransport]:
    """One for all calls: litellm is loaded once."""
    import asyncio

    transport = LitellmTransport(suspends=False)
    yield transport
    asyncio.run(transport.aclose())


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(default=Answer("Over the wire.")) as running:
        yield running


CONFIGS = [None, *(each for each in configs() if number(each) not in REFUSED)] if THERE else [None]
"""None: the one above, for a clone that has no others beside it."""


@pytest.fixture(params=CONFIGS, ids=lambda path: number(path) if path else "own")
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> Plan:
    """What a config becomes."""
    if request.param is None:
        return make(OWN, tmp_path).plan
    found = write_policies(import_config(request.param, book()), tmp_path / "policies", book()).plan
    assert found is not None
    return found


UNSPOKEN = {"azure_ai", "bedrock", "cloudflare", "moonshot", "ollama", "vertex_ai"}
"""Kinds of all targets of a few configs, which the fake provider does not speak."""


def opened(plan: Plan, transport: Transport, clock: Clock | None = None) -> Router:
    ports = build_ports(
        plan,
        suspends=False,
        state="memory",
        cache="memory",
        transport=transport,
        clock=clock,
        secrets=fake_secrets(plan),
    )
    return Router(plan, (), ports)


def flat(plan: Plan, policy: str) -> list[str]:
    """The targets of a policy in order, each once: read from its entries, not by the engine."""
    found: dict[str, None] = {}
    for entry in plan.policies[policy].entries:
        names = flat(plan, entry.policy) if isinstance(entry, PolicyEntry) else [entry.target]
        found.update(dict.fromkeys(names))
    return list(found)


def test_every_policy_answers_by_its_first_target(plan: Plan) -> None:
    clock = ManualClock()
    for name in plan.policies:
        with opened(plan, ScriptedTransport(made_up, clock=clock), clock) as router:
            reply = router.complete("hello", policy=name)
            assert reply.target == flat(plan, name)[0]
            assert reply.text == f"A made-up answer, as if from {reply.target}."


def test_every_policy_falls_back_to_its_last_target(plan: Plan) -> None:
    clock = ManualClock()
    for name in plan.policies:
        *failing, last = flat(plan, name)

        def script(call: WireCall, last: str = last) -> Step:
            return made_up(call) if call.target == last else Fails(Kind.NOT_FOUND, status=404)

        transport = ScriptedTransport(script, clock=clock)
        with opened(plan, transport, clock) as router:
            assert router.complete("hello", policy=name).target == last
        assert [call.target for call in transport.calls] == [*failing, last]


def test_a_call_over_real_http(plan: Plan, wire: LitellmTransport, provider: FakeProvider) -> None:
    """The first target of a kind that the fake provider speaks, with litellm on the wire."""
    spoken = [
        (name, target)
        for name in plan.policies
        for target in flat(plan, name)
        if plan.targets[target].kind in KINDS
    ]
    if not spoken:  # a script answers for those
        assert {each.kind for each in plan.targets.values()} <= UNSPOKEN
        return
    policy, target = spoken[0]
    provider.reset()
    with opened(pointed_at(plan, provider), Kept(wire)) as router:
        reply = router.complete("hello", policy=policy, only=[target])
    assert (reply.target, reply.text) == (target, "Over the wire.")
    (asked,) = provider.requests
    assert asked.status == 200
    assert (asked.kind, asked.name or asked.kind) == (
        plan.targets[target].kind,
        plan.targets[target].provider,
    )
    assert asked.model == plan.targets[target].wire_model


def pointed_at(plan: Plan, provider: FakeProvider) -> Plan:
    """Like `redirected`, which refuses plans with other kinds beside those that the fake provider speaks."""
    providers = {
        name: replace(each, base_url=provider.base_url(each.kind, name)) if each.kind in KINDS else each
        for name, each in plan.providers.items()
    }
    return replace(plan, providers=providers)


class Kept:
    """A transport that outlives the router that it is lent to: what closes it is the end of this module."""

    def __init__(self, wire: LitellmTransport) -> None:
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    async def aclose(self) -> None:
        return None
