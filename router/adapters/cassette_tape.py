"""The interactions of cassette files, and which of them answers a request.

vcrpy reads and writes the files and turns a recorded response into one of httpx; the choice is made here: by method,
host and path, and where the router recorded the file itself by the body as well, each interaction once and in order.
"""

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from router.adapters import cassette_scrub as scrub
from router.adapters.litellm_exchange import WireRefusal
from router.errors import RequestError

if TYPE_CHECKING:
    import httpx

RECORDER = "router"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One recorded exchange. `digest` is that of its body where the body is to be compared, else ""."""

    file: str
    number: int  # from 0, within its file
    method: str
    host: str
    path: str
    digest: str
    request: Any  # vcrpy's
    response: Mapping[str, Any]

    @property
    def place(self) -> tuple[str, str, str]:
        return (self.method, self.host, self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.path} ({self.file}, number {self.number})"


class Tape:
    """Interactions in order. Any number of calls, from any thread, may play and record at once.

    It has the methods that vcrpy's stubs ask of a cassette: `can_play_response_for`, `play_response`, `append`.
    """

    write_protected = False

    def __init__(
        self, interactions: Sequence[Interaction] = (), *, recording: bool, repeat: bool = False
    ) -> None:
        self._interactions = list(interactions)
        self._at: dict[tuple[str, str, str], list[int]] = {}
        for number, one in enumerate(self._interactions):
            self._at.setdefault(one.place, []).append(number)
        self._played: set[int] = set()
        self._recording = recording
        self._repeat = repeat
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._interactions)

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        with self._lock:
            return tuple(self._interactions)

    def only(self, number: int) -> "Tape":
        """A tape that holds nothing but interaction `number` of this one."""
        return Tape([self._interactions[number]], recording=False, repeat=self._repeat)

    @property
    def unplayed(self) -> int:
        """How many interactions nothing has asked for yet."""
        return len(self._interactions) - len(self._played)

    # --- as vcrpy's stubs ask

    def can_play_response_for(self, request: Any) -> bool:
        return not self._recording

    def play_response(self, request: Any) -> Mapping[str, Any]:
        """The response of the first interaction that fits and was not played. Raises WireRefusal where none is."""
        place, digest = _place(request), _digest(request)
        with self._lock:
            fitting = [n for n in self._at.get(place, ()) if self._interactions[n].digest in ("", digest)]
            fresh = [n for n in fitting if n not in self._played]
            if not fresh and not (fitting and self._repeat):
                raise WireRefusal(self._miss(place, played=bool(fitting)))
            chosen = fresh[0] if fresh else fitting[-1]
            self._played.add(chosen)
        return self._interactions[chosen].response

    def append(self, request: Any, response: Mapping[str, Any]) -> None:
        """Keep a scrubbed copy of what was just exchanged."""
        kept = _scrubbed(request, response)
        with self._lock:
            self._interactions.append(
                _interaction(*kept, file="", number=len(self._interactions), exact=True)
            )

    def filter_request(self, request: Any) -> Any:
        return request

    # --- files

    def save(self, file: Path, *, synthetic: bool) -> None:
        """Write all interactions to `file`, whole or not at all, readable by its owner only."""
        from vcr.serialize import serialize
        from vcr.serializers import yamlserializer

        with self._lock:
            kept = list(self._interactions)
        document = {
            "requests": [one.request for one in kept],
            "responses": [dict(one.response) for one in kept],
            "metadata": {"recorded_by": RECORDER, "synthetic": synthetic},
        }
        _write(file, serialize(document, yamlserializer))

    def _miss(self, place: tuple[str, str, str], *, played: bool) -> str:
        asked = f"`{place[0]} {place[1]}{place[2]}`"
        if not self._interactions:
            return f"the cassette is empty: nothing answers {asked}"
        closest = max(self._interactions, key=lambda one: _nearness(one, place))
        why = "was already served" if played else "differs" if closest.place != place else "has another body"
        return f"no recording answers {asked}; the closest, `{closest}`, {why}"


def read_tape(path: str | os.PathLike[str], *, repeat: bool = False) -> Tape:
    """The interactions of a cassette file, or of all `*.yaml` under a folder in order of their names.

    Raises RequestError for a path that holds none.
    """
    root = Path(path)
    files = sorted(root.rglob("*.yaml")) if root.is_dir() else [root]
    interactions = [one for file in files for one in _read(file)]
    if not interactions:
        raise RequestError(f"there is no recording in `{root}`", help="`router record` makes one")
    return Tape(interactions, recording=False, repeat=repeat)


def _read(file: Path) -> list[Interaction]:
    from vcr.persisters.filesystem import CassetteNotFoundError, FilesystemPersister
    from vcr.serializers import yamlserializer

    try:
        requests, responses, *metadata = FilesystemPersister.load_cassette(file, yamlserializer)
    except CassetteNotFoundError:
        raise RequestError(f"there is no cassette at `{file}`", help="`router record` makes one") from None
    except Exception as error:  # noqa: BLE001 - whatever the YAML or its shape makes the reader raise
        raise RequestError(f"`{file}` is no cassette that can be read (`{type(error).__name__}`)") from None
    exact = bool(metadata) and metadata[0].get("recorded_by") == RECORDER
    pairs = enumerate(zip(requests, responses, strict=True))
    return [_interaction(q, a, file=file.name, number=n, exact=exact) for n, (q, a) in pairs]


def _interaction(
    request: Any, response: Mapping[str, Any], *, file: str, number: int, exact: bool
) -> Interaction:
    method, host, path = _place(request)
    return Interaction(
        file=file,
        number=number,
        method=method,
        host=host,
        path=path,
        digest=_digest(request) if exact else "",
        request=request,
        response=response,
    )


def _place(request: Any) -> tuple[str, str, str]:
    return (request.method, scrub.host(request.uri), scrub.path(request.uri))


def _digest(request: Any) -> str:
    """Of the scrubbed body: keys in any order, any spacing."""
    body = scrub.body(_bytes(request.body))
    with suppress(ValueError):  # what is no JSON is compared byte for byte
        body = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(body).hexdigest()


def _nearness(one: Interaction, place: tuple[str, str, str]) -> tuple[bool, float, bool]:
    method, host, path = place
    return (one.host == host, SequenceMatcher(None, one.path, path).ratio(), one.method == method)


def _scrubbed(request: Any, response: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    from vcr.filters import decode_response
    from vcr.request import Request

    headers = dict(request.headers)
    secrets = scrub.secrets_in(headers, request.uri)
    body = scrub.body(_bytes(request.body), secrets)
    asked = Request(request.method, scrub.uri(request.uri), body, scrub.request_headers(headers))
    plain = decode_response(_lower_headers(response))
    answered = {
        "status": dict(plain["status"]),
        "headers": scrub.response_headers(plain["headers"], secrets),
        "body": {"string": scrub.body(_bytes(plain["body"]["string"]), secrets)},
    }
    return asked, answered


def _lower_headers(response: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **response,
        "headers": {name.lower(): list(values) for name, values in response["headers"].items()},
    }


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else bytes(body)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, prefix=".tape-", delete=False) as draft:
        draft.write(text)  # created 0600
    Path(draft.name).replace(file)


def wire_over(tape: Tape, below: "httpx.AsyncBaseTransport | None") -> "httpx.AsyncBaseTransport":
    """A wire that plays `tape`, or records what `below` brings onto it."""
    import httpx
    from vcr.stubs.httpx_stubs import vcr_handle_async_request

    async def to_provider(_wire: object, request: httpx.Request) -> httpx.Response:
        if below is None:
            raise WireRefusal("nothing is sent while a cassette is replayed")
        return await below.handle_async_request(request)

    class TapeWire(httpx.AsyncBaseTransport):
        handle_async_request = vcr_handle_async_request(tape, to_provider, httpx)

        async def aclose(self) -> None:
            if below is not None:
                await below.aclose()

    return TapeWire()
