"""The collector of cycles rests while a plan is made, and goes on after it whatever happened."""

import gc
from collections.abc import Iterator

import pytest

from router.policy.collecting import no_collecting
from router.policy.load import load_text
from tests.policy.books import Book


@pytest.fixture(autouse=True)
def _collector_at_work() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_it_goes_on_afterwards_even_where_something_was_raised() -> None:
    with no_collecting(), no_collecting():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), no_collecting():
        raise KeyError
    assert gc.isenabled()


def test_whoever_switched_it_off_keeps_it_off() -> None:
    gc.disable()
    with no_collecting():
        pass
    assert not gc.isenabled()


def test_it_rests_while_a_plan_is_made() -> None:
    class Watching(Book):
        """Notes whether the collector is at work when the price book is asked."""

        at_work: bool | None = None

        def facts(self, kind: str, model: str):  # type: ignore[no-untyped-def]
            self.at_work = gc.isenabled()
            return super().facts(kind, model)

    book = Watching()
    load_text("version: 1\nproviders: {openai: {}}\npolicies: {fast: {targets: [openai/small]}}\n", book)
    assert book.at_work is False
    assert gc.isenabled()
