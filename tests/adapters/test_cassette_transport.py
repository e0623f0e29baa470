"""Cassettes: recorded against the fake provider, replayed without it, and never holding a secret."""

import asyncio
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.adapters import cassette_scrub as scrub
from router.adapters.cassette_tape import read_tape
from router.adapters.cassette_transport import CassetteTransport
from router.adapters.litellm_transport import AsyncLitellm
from router.errors import ProviderError, RequestError
from router.ports import WireReply
from router.testing import Answer, FakeProvider, RateLimited, ServerError
from router.values import Kind, Usage
from tests.adapters.wire_parts import KEY, answer, answer_once, call, finish, run, sync

# litellm's own models, built by pydantic when the first stream is read.
pytestmark = pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning")

FORMS = pytest.mark.parametrize("suspends", [True, False], ids=["async", "sync"])
FOREIGN = """
version: 1
interactions:
- request: {method: POST, uri: 'https://api.openai.com/v1/chat/completions', body: '{"model":"other"}', headers: {}}
  response:
    status: {code: 200, message: OK}
    headers: {Content-Type: [application/json]}
    body: {string: '{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,
      "finish_reason":"stop","message":{"role":"assistant","content":"first"}}]}'}
- request: {method: POST, uri: 'https://api.openai.com/v1/chat/completions', body: '', headers: {}}
  response:
    status: {code: 429, message: Too Many Requests}
    headers: {Retry-After: ['3']}
    body: {string: '{"error":{"code":"rate_limit_exceeded","type":"requests","message":"slow down"}}'}
"""


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    assert asyncio.run(AsyncLitellm().ready(60.0))


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


@pytest.fixture
def tape_file(tmp_path: Path) -> Path:
    return tmp_path / "tapes" / "calls.yaml"


def record(file: Path, calls: list[Any], *, suspends: bool = False, synthetic: bool = True) -> list[Any]:
    """Send and record the calls, one after another: their results, or their failures."""
    transport = CassetteTransport.record(file, suspends=suspends, synthetic=synthetic)

    async def all_of_them() -> list[Any]:
        results = [await outcome(transport, one) for one in calls]
        await transport.aclose()
        return results

    return run(suspends)(all_of_them())  # type: ignore[no-any-return]


def replay(file: Path, calls: list[Any], *, suspends: bool = False, **options: Any) -> list[Any]:
    transport = CassetteTransport.replay(file, suspends=suspends, **options)

    async def all_of_them() -> list[Any]:
        results = [await outcome(transport, one) for one in calls]
        await transport.aclose()
        return results

    return run(suspends)(all_of_them())  # type: ignore[no-any-return]


async def outcome(transport: Any, wanted: Any) -> Any:
    try:
        return await answer(transport, wanted)
    except ProviderError as error:
        return (error.kind, error.status, error.retry_after_s)


def write(folder: Path, text: str, name: str = "foreign.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


# --- record, then replay


@FORMS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
def test_what_was_recorded_is_replayed_without_provider_and_key(provider, tape_file, kind, stream, suspends):
    provider.script("*", Answer("Because of the rivers.", input_tokens=70, output_tokens=9))
    wanted = call(kind, provider=provider, stream=stream)
    recorded = record(tape_file, [wanted], suspends=suspends)
    keyless = call(kind, base_url=wanted.base_url, stream=stream, api_key=None)
    provider.stop()
    replayed = replay(tape_file, [keyless], suspends=suspends)
    assert shown(replayed) == shown(recorded)
    usage = replayed[0].usage if isinstance(replayed[0], WireReply) else replayed[0][-1].usage
    assert usage == Usage(input_tokens=70, output_tokens=9)


def shown(results: list[Any]) -> list[Any]:
    return [(one.choices, one.usage) if isinstance(one, WireReply) else one for one in results]


def test_failures_are_recorded_with_when_to_come_back(provider, tape_file):
    provider.script("*", [RateLimited(retry_after=2), ServerError(status=502), Answer("then")])
    wanted = call(provider=provider)
    recorded = record(tape_file, [wanted] * 3)
    replayed = replay(tape_file, [wanted] * 3)
    assert recorded[:2] == replayed[:2] == [
        (Kind.RATE_LIMITED, 429, 2.0), (Kind.SERVER_ERROR, 502, None),
    ]  # fmt: skip
    assert replayed[2].choices[0]["message"]["content"] == "then"


def test_any_port_of_this_machine_replays_a_recording_of_another(provider, tape_file):
    record(tape_file, [call(provider=provider)])
    with FakeProvider() as other:
        assert isinstance(replay(tape_file, [call(base_url=other.base_url("openai"))])[0], WireReply)
        assert other.request_count == 0


# --- strict, once, in order


def test_a_request_that_was_not_recorded_fails_and_names_the_closest(provider, tape_file):
    record(tape_file, [call(provider=provider)])
    transport = CassetteTransport.replay(tape_file, suspends=False)
    other = call(provider=provider, messages=({"role": "user", "content": "Something else?"},))
    with pytest.raises(ProviderError) as caught:
        sync(answer(transport, other))
    assert caught.value.kind == Kind.BAD_REQUEST
    assert not caught.value.sent
    assert "`POST localhost/openai/v1/chat/completions`" in caught.value.message
    assert "(calls.yaml, number 0)`, has another body" in caught.value.message
    with pytest.raises(ProviderError, match="the closest"):
        sync(answer(transport, call("anthropic", provider=provider)))
    assert isinstance(sync(answer(transport, call(provider=provider))), WireReply)
    with pytest.raises(ProviderError, match="was already served"):
        sync(answer(transport, call(provider=provider)))
    sync(transport.aclose())


def test_with_repeat_the_last_that_fits_is_served_again(provider, tape_file):
    provider.script("*", [Answer("one"), Answer("two")])
    wanted = call(provider=provider)
    record(tape_file, [wanted, wanted])
    texts = [reply.choices[0]["message"]["content"] for reply in replay(tape_file, [wanted] * 4, repeat=True)]
    assert texts == ["one", "two", "two", "two"]


def test_a_foreign_cassette_is_matched_by_method_host_and_path_in_order(tmp_path):
    file = write(tmp_path, FOREIGN)
    first, second, third = replay(file, [call(), call(), call()])
    assert first.choices[0]["message"]["content"] == "first"
    assert second == (Kind.RATE_LIMITED, 429, 3.0)
    assert third[0] == Kind.BAD_REQUEST


def test_a_folder_is_one_tape(tmp_path):
    write(tmp_path, FOREIGN, "a.yaml")
    write(tmp_path, FOREIGN, "b.yaml")
    assert len(read_tape(tmp_path)) == 4
    transport = CassetteTransport.replay(tmp_path, suspends=False)
    sync(answer(transport, call()))
    assert transport.tape.unplayed == 3
    sync(transport.aclose())


@FORMS
def test_many_calls_at_once_each_take_one_interaction(provider, tape_file, suspends):
    count = 30
    provider.script("*", [Answer(f"answer {n}") for n in range(count)])
    wanted = call(provider=provider)
    recording = CassetteTransport.record(tape_file, suspends=suspends, synthetic=True)
    asked = run(suspends)(texts_at_once(recording, wanted, count))
    playing = CassetteTransport.replay(tape_file, suspends=suspends)
    told = run(suspends)(texts_at_once(playing, wanted, count))
    assert set(asked) == set(told) == {f"answer {n}" for n in range(count)}
    assert playing.tape.unplayed == 0


async def texts_at_once(transport: Any, wanted: Any, count: int) -> list[str]:
    pendings = [transport.start(wanted) for _ in range(count)]
    replies = [await finish(transport, pending) for pending in pendings]
    await transport.aclose()
    return [reply.choices[0]["message"]["content"] for reply in replies]


def test_two_tapes_do_not_see_each_other(tmp_path):
    left = CassetteTransport.replay(write(tmp_path, FOREIGN, "left.yaml"), suspends=True)
    right = CassetteTransport.replay(
        write(tmp_path, FOREIGN.replace("first", "other"), "right.yaml"), suspends=True
    )

    async def both() -> list[str]:
        replies = await asyncio.gather(answer_once(left, call()), answer_once(right, call()))
        return [reply.choices[0]["message"]["content"] for reply in replies]

    assert asyncio.run(both()) == ["first", "other"]


def test_replaying_needs_no_key_and_says_where_it_answers_from(tmp_path):
    file = write(tmp_path, FOREIGN)
    playing = CassetteTransport.replay(file, suspends=True)
    recording = CassetteTransport.record(file, suspends=True)
    assert (playing.needs_keys, playing.realm) == (False, "replay")
    assert (recording.needs_keys, recording.realm) == (True, "live")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no cassette at"),
        ("", "there is no cassette at"),
        ("version: 1\ninteractions: []\n", "there is no recording in"),
        ("interactions: !!python/object/apply:os.system ['true']\n", "no cassette that can be read"),
        ("just text", "no cassette that can be read"),
    ],
)
def test_a_path_without_recordings_is_refused(tmp_path, text, says):
    file = tmp_path / "calls.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=says):
        CassetteTransport.replay(file, suspends=True)


# --- no secret


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
def test_a_recording_holds_no_key_wherever_it_stood(provider, tape_file, kind):
    said = f"my key is {KEY}, my account org-0123456789abcdefABCDEFGH"
    provider.script("*", Answer(f"You said: {said}"))
    wanted = call(kind, provider=provider, messages=({"role": "user", "content": said},))
    record(tape_file, [wanted])
    text = tape_file.read_text(encoding="utf-8")
    assert KEY not in text
    assert "org-0123456789" not in text
    assert scrub.MASK in text
    assert str(provider.url) not in text
    assert isinstance(replay(tape_file, [wanted])[0], WireReply), "the body is compared as it was scrubbed"


def test_a_recording_keeps_only_harmless_headers(provider, tape_file):
    record(tape_file, [call(provider=provider)])
    (interaction,) = yaml.safe_load(tape_file.read_text(encoding="utf-8"))["interactions"]
    assert set(interaction["request"]["headers"]) <= {"accept", "content-type"}
    assert "x-request-id" in interaction["response"]["headers"]
    assert not {"openai-organization", "set-cookie", "server"} & set(interaction["response"]["headers"])


def test_a_recording_is_its_owners_alone_and_says_that_it_is_made_up(provider, tape_file):
    record(tape_file, [call(provider=provider)], synthetic=True)
    assert stat.S_IMODE(tape_file.stat().st_mode) == 0o600
    assert [left.name for left in tape_file.parent.iterdir()] == ["calls.yaml"]
    metadata = yaml.safe_load(tape_file.read_text(encoding="utf-8"))["metadata"]
    assert metadata == {"recorded_by": "router", "synthetic": True}


def test_nothing_is_written_where_nothing_was_exchanged(tape_file):
    error = record(tape_file, [call(base_url="http://127.0.0.1:9/v1")])
    assert error[0][0] == Kind.CONNECTION
    assert not tape_file.exists()


def test_addresses_lose_credentials_keys_ports_and_projects():
    assert (
        scrub.uri("http://user:pass@127.0.0.1:8123/v1/x?key=secret&alt=sse")
        == "http://localhost/v1/x?alt=sse"
    )
    assert scrub.uri("https://h.example:8443/v1/projects/acme-prod/models/m:go?api-version=1&sig=s") == (
        f"https://h.example:8443/v1/projects/{scrub.MASK}/models/m:go?api-version=1"
    )


def test_the_secrets_of_a_request_are_its_credentials_with_and_without_their_scheme():
    headers = {"Authorization": "Bearer abcdef123456", "X-Api-Key": "topsecret", "Accept": "application/json"}
    found = scrub.secrets_in(headers, "https://h/v1?key=from-the-query&alt=sse")
    assert set(found) == {"Bearer abcdef123456", "abcdef123456", "topsecret", "from-the-query"}
    assert scrub.text("abcdef123456 and topsecret", found) == f"{scrub.MASK} and {scrub.MASK}"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-Ab1_Ab1_Ab1_Ab1_Ab1_", "sk-ant-api03-0123456789abcdef", "gsk_0123456789abcdef0123",
        "AKIA0123456789ABCDEF",
        "AIzaSyA0123456789012345678901234567890", "xai-0123456789abcdefghij", "org-AbCdEf0123456789AbCdEf01",
        "eyJhbGciOiJI.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl",
    ],
)  # fmt: skip
def test_what_looks_like_a_key_or_an_account_is_masked_in_any_text(secret):
    assert scrub.text(f'{{"said": "{secret}"}}') == f'{{"said": "{scrub.MASK}"}}'


@pytest.mark.parametrize(
    "plain", ["sk-learn and user-friendly", "key-value stores", "organization", "hf-inference"]
)
def test_plain_words_are_left_alone(plain):
    assert scrub.text(plain) == plain


def test_a_binary_body_is_kept_unless_it_holds_a_secret():
    frame = b"\x00\x00\xff\xfe payload"
    assert scrub.body(frame, ["absent"]) == frame
    assert scrub.body(frame + b"topsecret", ["topsecret"]) == b""


def test_bodies_are_compared_whatever_their_spacing_and_order(provider, tape_file):
    wanted = call(provider=provider)
    record(tape_file, [wanted])
    document = yaml.safe_load(tape_file.read_text(encoding="utf-8"))
    body = json.loads(document["interactions"][0]["request"]["body"])
    document["interactions"][0]["request"]["body"] = json.dumps(dict(reversed(body.items())), indent=3)
    tape_file.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert isinstance(replay(tape_file, [wanted])[0], WireReply)
