"""Whatever happens: what is true of a call is met, and anything else is not."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.testing.cases import expect as ex
from router.testing.cases.outcomes import doing
from router.testing.cases.play import play
from router.testing.cases.seen import Seen
from router.testing.cases.words import SENT_KINDS, SPECIAL
from router.values import Place
from tests.testing.cases.parts import case, the_plan

TARGETS = ("openai/small", "anthropic/haiku", "gemini/flash")
PLACE = Place(file="a", line=1, column=1)
TOKENS = TiktokenTokens()
CASE = case("expect: {rule: none}")

DOES = st.builds(
    lambda word, after_s, retry_after_s: doing(
        word, after_s=after_s, retry_after_s=retry_after_s, text="yes"
    ),
    st.sampled_from([*SENT_KINDS, *SPECIAL]),
    st.sampled_from([0.0, 0.5, 7.5, 9.0]),
    st.none() | st.sampled_from([0.25, 3.0, 60.0]),
)
FAULTS = st.dictionaries(st.sampled_from(TARGETS), st.lists(DOES, min_size=1, max_size=3).map(tuple))


def seen_with(faults: dict[str, tuple[object, ...]]) -> Seen:
    (call,) = CASE.calls
    (played,) = play(the_plan(), replace(CASE, calls=(replace(call, faults=faults),)), TOKENS)
    return played.seen


def exactly(amount: int) -> ex.Bounds:
    return ex.Bounds(at_least=amount, at_most=amount)


def same(name: str, wanted: str | None) -> ex.Same | None:
    return None if wanted is None else ex.Same(name=name, place=PLACE, wanted=wanted)


def true_of(seen: Seen) -> list[ex.Expectation]:
    waits = tuple(exactly(ex.milliseconds(wait_s)) for wait_s in seen.waits_s)
    found = [
        *(same(name, got(seen)) for name, got in ex.TEXTS.items()),
        ex.Cost(place=PLACE, bounds=exactly(seen.cost_nusd or 0)),
        ex.Took(place=PLACE, bounds=exactly(ex.milliseconds(seen.took_s))),
        ex.Waits(place=PLACE, bounds=waits),
        ex.Attempts(place=PLACE, attempts=seen.attempts),
        ex.InOrder(place=PLACE, names=seen.names),
        ex.InOrder(place=PLACE, names=seen.names[::2]),
        ex.Without(place=PLACE, names=("CacheHit",)),
        *(ex.Dropped(place=PLACE, target=target, reason=reason) for target, reason in seen.dropped),
        *([ex.Message(place=PLACE, part=seen.error.message[3:9])] if seen.error else []),
    ]
    return [each for each in found if each is not None]


def false_of(seen: Seen) -> list[ex.Expectation]:
    """Each a little beside the truth."""
    cost, took = seen.cost_nusd or 0, ex.milliseconds(seen.took_s)
    waits = tuple(exactly(ex.milliseconds(wait_s)) for wait_s in seen.waits_s)
    found = [
        *(same(name, f"{got(seen)}x") for name, got in ex.TEXTS.items()),
        ex.Cost(place=PLACE, bounds=exactly(cost + 1)),
        ex.Cost(place=PLACE, bounds=ex.Bounds(at_least=cost + 1, at_most=None)),
        ex.Took(place=PLACE, bounds=ex.Bounds(at_least=None, at_most=took - 1)),
        ex.Waits(place=PLACE, bounds=(*waits, exactly(1))),
        ex.Waits(
            place=PLACE, bounds=tuple(exactly((each.at_most or 0) + 1) for each in waits) or (exactly(0),)
        ),
        ex.Attempts(place=PLACE, attempts=seen.attempts[:-1]),
        ex.Attempts(place=PLACE, attempts=(*seen.attempts, ("openai/small", "answered"))),
        ex.InOrder(place=PLACE, names=(*seen.names, "RequestStarted")),
        ex.Without(place=PLACE, names=("CacheHit", seen.names[-1])),
        ex.Dropped(place=PLACE, target="openai/small", reason="capability"),
        ex.Message(place=PLACE, part="no error says this"),
    ]
    return [each for each in found if each is not None]


@given(FAULTS)
def test_what_is_true_is_met_and_nothing_else(faults: dict[str, tuple[object, ...]]) -> None:
    seen = seen_with(faults)
    assert [(each.name, each.wanted, each.missed(seen)) for each in true_of(seen) if each.missed(seen)] == []
    assert [(each.name, each.wanted) for each in false_of(seen) if each.missed(seen) is None] == []
