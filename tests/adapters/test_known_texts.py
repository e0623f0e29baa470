"""What is known of texts: found out once, told apart, bounded, and without the texts."""

import gc
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from router.adapters.known_texts import KnownTexts

O200K = "o200k_base"


def figures(known: KnownTexts, text: str) -> tuple[int, tuple[int, int]]:
    found = known.of(text)
    return found.tokens(text, O200K), found.spread(text)


def test_an_equal_text_is_known_again() -> None:
    known = KnownTexts()
    assert known.of("You are brief. " * 9) is known.of("".join(["You are brief. "] * 9))


@given(st.lists(st.text(max_size=40), max_size=12))
def test_what_was_met_before_changes_no_figure(texts: list[str]) -> None:
    known = KnownTexts(most=4)
    for text in texts:
        figures(known, text)
    assert [figures(known, text) for text in texts] == [figures(KnownTexts(), text) for text in texts]


def test_it_keeps_no_text() -> None:
    known, text = KnownTexts(), "a secret of an application, " * 3
    figures(known, text)
    reached, met = [known], set()
    while reached:
        each = reached.pop()
        if id(each) not in met and not isinstance(each, type):
            met.add(id(each))
            assert not (isinstance(each, (str, bytes)) and each in (text, text.encode()))
            reached += gc.get_referents(each)
    assert len(met) > 5


def test_it_is_bounded() -> None:
    known = KnownTexts(most=10)
    for number in range(100):
        known.of(f"question {number}")
        assert len(known._by_digest) <= 10


def test_threads_find_the_same() -> None:
    known = KnownTexts(most=3)
    texts = [f"text {number % 7} " * 30 for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: figures(known, text), texts))
    assert found == [figures(KnownTexts(), text) for text in texts]
