"""What a recording may keep of an HTTP exchange. Names are allowed, not forbidden: a header or query argument that is
not known to be harmless is dropped, and secrets and identities are masked wherever they stand."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

MASK = "REDACTED"

_REQUEST_HEADERS = frozenset({"accept", "anthropic-version", "content-type"})
_RESPONSE_HEADERS = frozenset(
    {
        "content-type",
        "date",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "x-amzn-requestid",
        "x-request-id",
    }
)
_RESPONSE_STARTS = ("anthropic-ratelimit-", "x-amzn-bedrock-", "x-ratelimit-")
_QUERY = frozenset({"alt", "api-version"})
_SECRET_HEADERS = (
    "authorization",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "cookie",
    "x-amz-security-token",
)
_SECRET_QUERY = ("key", "api_key", "api-key", "token", "access_token")

_IDENTITIES = re.compile(
    r"""
      \b(?:sk|pk|rk|gsk|xai|csk|pplx|hf|r8|nvapi|dapi|tgp_v1|fw|key)[-_](?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{16,}  # keys
    | \bAIza[A-Za-z0-9_-]{30,} | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+                                            # tokens
    | \b(?:org|proj|user|acct)[-_](?=[A-Za-z0-9]*\d)[A-Za-z0-9]{12,}\b                                    # accounts
    """,
    re.VERBOSE,
)
_PROJECT = re.compile(r"(?<=/projects/)[^/]+")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def secrets_in(headers: Mapping[str, str], uri: str) -> tuple[str, ...]:
    """The secrets that a request carries, longest first: they may be repeated in its body or its response."""
    carried = [value for name, value in headers.items() if name.lower() in _SECRET_HEADERS]
    carried += [value for name, value in parse_qsl(urlsplit(uri).query) if name.lower() in _SECRET_QUERY]
    split = [part for value in carried for part in (value, value.rpartition(" ")[2])]
    return tuple(sorted({part for part in split if len(part) >= 6}, key=len, reverse=True))


def text(value: str, secrets: Iterable[str] = ()) -> str:
    """`value` with secrets, keys and account names masked."""
    for secret in secrets:
        value = value.replace(secret, MASK)
    return _IDENTITIES.sub(MASK, value)


def body(value: bytes, secrets: Iterable[str] = ()) -> bytes:
    """The same for a body; one that is no UTF-8 text (an AWS event stream) is kept, or emptied if it holds a secret."""
    secrets = tuple(secrets)
    try:
        return text(value.decode(), secrets).encode()
    except UnicodeDecodeError:
        return b"" if any(secret.encode() in value for secret in secrets) else value


def uri(value: str) -> str:
    """The address without credentials, ports of this machine, project names and all but harmless arguments."""
    parts = urlsplit(value)
    query = urlencode([(name, what) for name, what in parse_qsl(parts.query) if name in _QUERY])
    name = host(value)
    port = f":{parts.port}" if parts.port and name != "localhost" else ""
    return urlunsplit((parts.scheme, name + port, text(_PROJECT.sub(MASK, parts.path)), query, ""))


def host(value: str) -> str:
    """The host of an address; every spelling of this machine is `localhost`."""
    name = (urlsplit(value).hostname or "").lower()
    return "localhost" if name in _LOOPBACK else name


def path(value: str) -> str:
    """The path of an address as it is compared: unquoted, project names masked."""
    return _PROJECT.sub(MASK, unquote(urlsplit(value).path))


def request_headers(headers: Mapping[str, str]) -> dict[str, list[str]]:
    return {name.lower(): [value] for name, value in headers.items() if name.lower() in _REQUEST_HEADERS}


def response_headers(headers: Mapping[str, list[str]], secrets: Iterable[str] = ()) -> dict[str, list[str]]:
    secrets = tuple(secrets)
    kept = {name.lower(): values for name, values in headers.items()}
    return {
        name: [text(value, secrets) for value in values]
        for name, values in kept.items()
        if name in _RESPONSE_HEADERS or name.startswith(_RESPONSE_STARTS)
    }
