"""What a target does, from a case file to a step of the scripted wire."""

from dataclasses import replace

from router.adapters.scripted_transport import Fails, NeverAnswers, Says
from router.adapters.scripted_transport import Step as Does
from router.policy import scalars
from router.policy.document import Spot, text_of
from router.testing.cases.words import ANSWERS
from router.values import Kind, Usage

STATUSES = {
    Kind.RATE_LIMITED: 429,
    Kind.OVERLOADED: 503,
    Kind.SERVER_ERROR: 500,
    Kind.AUTH: 401,
    Kind.QUOTA: 402,
    Kind.NOT_FOUND: 404,
    Kind.BAD_REQUEST: 400,
    Kind.CONTEXT_WINDOW: 400,
}
"""The usual status of a failure; timeouts, connections and answers that do not fit have none."""

FINISHED = {"truncated": "length", "content_filter": "content_filter"}
"""Kinds that come as an answer which says so; a content filter may also refuse, with a status."""

BROKEN = {
    "connection_refused": Fails(Kind.CONNECTION, sent=False, message="the connection was refused"),
    "connection_cut": Fails(Kind.CONNECTION, message="the connection was cut half way"),
    "malformed": Fails(Kind.SERVER_ERROR, status=200, message="the answer can't be read"),
}
"""What breaks on the way; only of a refused connection it is certain that nothing left."""


def does(spot: Spot) -> Does:
    """`rate_limited`, or a map of what belongs to it."""
    return doing(
        word_of(spot),
        after_s=seconds(spot.get("after")) or 0.0,
        retry_after_s=seconds(spot.get("retry_after")),
        status=_status(spot),
        usage=_usage(spot.get("usage")),
        text=text_of(spot.get("text")) or "A made-up answer.",
    )


def doing(
    word: str,
    *,
    after_s: float = 0.0,
    retry_after_s: float | None = None,
    status: int | None = None,
    usage: Usage | None = None,
    text: str = "",
) -> Does:
    """A word of `does` as a step of the scripted wire."""
    if word == "never_answers":
        return NeverAnswers()
    if word == ANSWERS or (word in FINISHED and status is None):
        return Says(text, usage=usage, after_s=after_s, finish_reason=FINISHED.get(word))
    if word in BROKEN:
        return replace(BROKEN[word], after_s=after_s, usage=usage)
    kind = Kind(word)
    return Fails(
        kind,
        status=status or STATUSES.get(kind),
        retry_after_s=retry_after_s,
        after_s=after_s,
        usage=usage,
        message="it fails because its case says so",
    )


def misfit(spot: Spot) -> str | None:
    """A key that says nothing of what this target does; None where all do."""
    belonging = _belonging(word_of(spot), _status(spot))
    return next((key for key, _ in spot.fields() if key not in belonging), None)


def word_of(spot: Spot) -> str:
    """The one word of what it does."""
    return spot.text or text_of(spot.get("does")) or ANSWERS


def _belonging(word: str, status: int | None) -> tuple[str, ...]:
    if word == "never_answers":
        return ("does",)
    if word == "connection_refused":
        return ("does", "after")
    if word in ("connection_cut", "malformed"):
        return ("does", "after", "usage")
    if word in (ANSWERS, "truncated") or (word == "content_filter" and status is None):
        return ("does", "after", "usage", "text")
    return ("does", "after", "usage", "retry_after", "status")


def seconds(spot: Spot | None) -> float | None:
    milliseconds = scalars.duration_ms(spot.value) if spot else None
    return None if milliseconds is None else milliseconds / 1_000


def _status(spot: Spot) -> int | None:
    status = spot.get("status")
    return int(status.value) if status else None


def _usage(spot: Spot | None) -> Usage | None:
    return None if spot is None else Usage(**spot.value)
