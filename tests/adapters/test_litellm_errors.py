"""The table of foreign errors, and when a provider wants to be asked again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.adapters.litellm_errors import kind_of, retry_after_s
from router.decide.classify import FAILURES
from router.values import Kind

NOW_S = 1_767_225_600.0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.BAD_REQUEST),
        (401, Kind.AUTH),
        (402, Kind.QUOTA),
        (403, Kind.AUTH),
        (404, Kind.NOT_FOUND),
        (408, Kind.TIMEOUT),
        (409, Kind.BAD_REQUEST),
        (413, Kind.CONTEXT_WINDOW),
        (422, Kind.BAD_REQUEST),
        (429, Kind.RATE_LIMITED),
        (500, Kind.SERVER_ERROR),
        (502, Kind.SERVER_ERROR),
        (503, Kind.OVERLOADED),
        (504, Kind.TIMEOUT),
        (520, Kind.SERVER_ERROR),
        (529, Kind.OVERLOADED),
    ],
)
def test_a_status_that_says_nothing_more_has_its_kind(status, kind):
    assert kind_of(status, "") == kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, '{"error":{"code":"context_length_exceeded"}}', Kind.CONTEXT_WINDOW),
        (400, '{"error":{"code":"content_filter"}}', Kind.CONTENT_FILTER),
        (429, '{"error":{"code":"insufficient_quota"}}', Kind.QUOTA),
        (429, '{"error":{"message":"You exceeded your current quota"}}', Kind.RATE_LIMITED),
        (400, "Your credit balance is too low to access the Anthropic API", Kind.QUOTA),
        (400, "API key not valid. Please pass a valid API key.", Kind.AUTH),
        (400, '{"error":{"code":"model_decommissioned"}}', Kind.NOT_FOUND),
        (400, '{"error":{"code":"tool_use_failed"}}', Kind.INVALID_OUTPUT),
        (500, '{"error":{"type":"overloaded_error"}}', Kind.OVERLOADED),
        (400, "ThrottlingException: slow down", Kind.RATE_LIMITED),
        # Words that mean something else under another status.
        (500, "invalid api key in upstream configuration", Kind.SERVER_ERROR),
        (404, "the context length of this model is unknown", Kind.NOT_FOUND),
        (401, "rate_limit tier not found", Kind.AUTH),
    ],
)
def test_a_body_that_says_more_decides(status, body, kind):
    assert kind_of(status, body) == kind


def test_an_error_inside_a_success_has_the_kind_it_names():
    assert kind_of(0, "", embedded=429) == Kind.RATE_LIMITED
    assert kind_of(0, "overloaded_error", embedded=500) == Kind.OVERLOADED
    assert kind_of(0, "") == Kind.SERVER_ERROR


@given(st.integers(min_value=400, max_value=599), st.text(max_size=200))
def test_whatever_comes_has_a_kind_of_the_failure_table(status, body):
    assert kind_of(status, body) in FAILURES


# --- Retry-After


def date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW_S, UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after": date(90)}, 90.0),
        ({"retry-after": date(-90)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_when_to_come_back(headers, seconds):
    assert retry_after_s(headers, now_s=NOW_S) == seconds


def test_a_date_is_measured_by_the_clock_of_the_provider():
    assert retry_after_s({"retry-after": date(90), "date": date(60)}) == 30.0


def test_google_says_it_in_the_body():
    body = '{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"23.5s"}]}}'
    assert retry_after_s({}, body) == 23.5


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=80))
def test_whatever_is_said_is_no_time_or_a_finite_one_that_is_not_negative(after, milliseconds, body):
    seconds = retry_after_s({"retry-after": after, "retry-after-ms": milliseconds}, body, now_s=NOW_S)
    assert seconds is None or 0.0 <= seconds < float("inf")
