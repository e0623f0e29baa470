"""Who gets which step, and in what order."""

import pytest

from router.testing import Answer, FakeProvider, RateLimited, ServerError
from tests.testing.raw_http import Client, ask, body_for, text_of


def _statuses(provider, *, count, **options):
    return [ask(provider.url, **options).status for _ in range(count)]


def test_steps_come_in_order_and_the_last_repeats(fake_provider):
    fake_provider.script("gpt-5-nano", [RateLimited(retry_after=2), ServerError(), Answer("hi")])
    assert _statuses(fake_provider, count=4) == [429, 500, 200, 200]
    assert text_of("openai", ask(fake_provider.url).json()) == "hi"


def test_after_the_steps_something_else_may_go_on(fake_provider):
    fake_provider.script("*", [ServerError()], then=Answer())
    assert _statuses(fake_provider, count=3) == [500, 200, 200]


def test_a_script_written_again_starts_anew(fake_provider):
    fake_provider.script("*", [ServerError(), Answer("late")])
    assert _statuses(fake_provider, count=1) == [500]
    fake_provider.script("*", Answer("now"))
    assert _statuses(fake_provider, count=1) == [200]


def test_the_most_particular_name_wins(fake_provider):
    fake_provider.script("*", ServerError(status=504))
    fake_provider.script("groq/*", ServerError(status=503))
    fake_provider.script("gpt-5-nano", ServerError(status=502))
    fake_provider.script("groq/gpt-5-nano", ServerError(status=501))
    fake_provider.script("sk-one", ServerError(status=500))
    asked = [
        ("/groq/v1", "gpt-5-nano", "sk-one"),
        ("/groq/v1", "gpt-5-nano", "sk-two"),
        ("/openai/v1", "gpt-5-nano", "sk-two"),
        ("/groq/v1", "other", "sk-two"),
        ("/openai/v1", "other", "sk-two"),
    ]
    with Client(fake_provider.url) as client:
        statuses = [
            client.call(
                f"{base}/chat/completions",
                body_for("openai") | {"model": model},
                headers={"authorization": f"Bearer {key}"},
            ).status
            for base, model, key in asked
        ]
    assert statuses == [500, 501, 502, 503, 504]


def test_two_providers_of_one_kind_are_told_apart_by_name(fake_provider):
    fake_provider.script("east/gpt-5-nano", ServerError())
    with Client(fake_provider.url) as client:
        for name, status in (("east", 500), ("west", 200)):
            path = fake_provider.base_url("azure", name).removeprefix(fake_provider.url)
            found = client.call(
                f"{path}/openai/deployments/gpt-5-nano/chat/completions?api-version=1", body_for("openai")
            )
            assert found.status == status
    assert [(request.kind, request.name) for request in fake_provider.requests] == [
        ("azure", "east"),
        ("azure", "west"),
    ]


def test_each_key_has_a_sequence_of_its_own(fake_provider):
    fake_provider.script("key-a", [RateLimited(), Answer("a")])
    fake_provider.script("key-b", [Answer("b")])
    got = [
        ask(fake_provider.url, headers={"authorization": f"Bearer {key}"}).status
        for key in ("key-a", "key-b", "key-a")
    ]
    assert got == [429, 200, 200]


def test_scripts_nobody_asked_for_are_named(fake_provider):
    fake_provider.script("gpt-5-nano", Answer("x"))
    fake_provider.script("gpt-5-nanno", Answer("x"))
    ask(fake_provider.url)
    assert fake_provider.unused_scripts == ("gpt-5-nanno",)


def test_reset_forgets_scripts_and_requests(fake_provider):
    fake_provider.script("*", ServerError())
    ask(fake_provider.url)
    fake_provider.reset()
    assert fake_provider.requests == ()
    assert fake_provider.request_count == 0
    assert _statuses(fake_provider, count=1) == [200]


def test_an_empty_script_is_refused(fake_provider):
    with pytest.raises(ValueError, match="the script for `m` is empty"):
        fake_provider.script("m", [])


def test_the_default_answer_can_be_chosen():
    with FakeProvider(default=Answer("always this")) as provider:
        assert text_of("anthropic", ask(provider.url, "anthropic").json()) == "always this"


def test_an_unknown_kind_is_refused_with_a_suggestion(fake_provider):
    with pytest.raises(ValueError, match=r"does not speak as `antropic`; did you mean `anthropic`\?"):
        fake_provider.base_url("antropic")
    with pytest.raises(ValueError, match="can't stand in a URL"):
        fake_provider.base_url("azure", "a/b")
