"""What litellm does with the keys of a config: `facts.toml`, read into values."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Topic(NamedTuple):
    """Why keys in which `keys` is found are not imported, and what to do instead."""

    keys: re.Pattern[str]
    message: str
    help: str


class OpenAILike(NamedTuple):
    """A provider that is no kind here and speaks OpenAI's format."""

    base_url: str
    key: str


_FACTS: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("facts.toml").read_text(encoding="utf-8"))
_PROVIDERS, _VALUES = _FACTS["providers"], _FACTS["values"]

SECTIONS: Mapping[str, str] = _FACTS["sections"]
NO_SECTION: Mapping[str, str] = _FACTS["no_section"]
NO_EFFECT: Mapping[str, str] = _FACTS["no_effect"]
READS: Mapping[str, frozenset[str]] = {name: frozenset(keys) for name, keys in _FACTS["reads"].items()}
DATABASE: frozenset[str] = frozenset(_FACTS["database"]["keys"])
DATABASE_MESSAGE: str = _FACTS["database"]["message"]
STORAGE: re.Pattern[str] = re.compile(_FACTS["database"]["storage"])
STORAGE_MESSAGE: str = _FACTS["database"]["storage_message"]
DATABASE_HELP: str = _FACTS["database"]["help"]
RETRY_POLICY: Mapping[str, str] = _FACTS["retry_policy"]
SUPPORTS: Mapping[str, str] = _FACTS["supports"]

PROVIDERS: frozenset[str] = frozenset(_PROVIDERS["known"])
OTHER_NAMES: Mapping[str, str] = _PROVIDERS["other_names"]
MEANT: Mapping[str, str] = _PROVIDERS["meant"]
OPENAI_LIKE: Mapping[str, OpenAILike] = {
    name: OpenAILike(**fields) for name, fields in _PROVIDERS["openai_like"].items()
}
ENDPOINTS: Mapping[str, str] = _PROVIDERS["endpoints"]
ADDRESSES: Mapping[str, str] = _PROVIDERS["addresses"]

AMBIENT: frozenset[str] = frozenset(_VALUES["ambient"])
PLACEHOLDERS: frozenset[str] = frozenset(_VALUES["placeholders"])
STRATEGIES: frozenset[str] = frozenset(_VALUES["strategies"])
CHAT_MODES: frozenset[str] = frozenset(_VALUES["chat_modes"])
NOT_CHAT: re.Pattern[str] = re.compile(_VALUES["not_chat"], re.IGNORECASE)

TOPICS: tuple[Topic, ...] = tuple(
    Topic(re.compile(each["keys"]), each["message"], each.get("help", "")) for each in _FACTS["topics"]
)
_OTHERWISE = Topic(re.compile(""), "nothing here does what it does in litellm", "")


def topic(key: str) -> Topic:
    """Of a key by its pattern, such as `general_settings.master_key`."""
    return next((each for each in TOPICS if each.keys.search(key)), _OTHERWISE)
