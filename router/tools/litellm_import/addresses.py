"""Where and as whom a deployment is called: what makes two of them two providers. No secret gets past this module."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from router.policy.kinds import KINDS
from router.policy.lenient import Written
from router.policy.phrases import literal_secret
from router.policy.traps import SECRET, shown
from router.policy.words import ADDRESS, ENV
from router.tools.litellm_import.facts import ADDRESSES, AMBIENT, PLACEHOLDERS
from router.tools.litellm_import.origins import Origin
from router.tools.litellm_import.outcomes import UNEXPANDED, Account, Danger

_SHELL = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-[^}]*)?\}|\$([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Env:
    """The value of an environment variable."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a provider block says. `key` None: the kind's own variable, or none where the kind needs none."""

    kind: str
    base_url: str | Env | None = None
    key: Env | None = None
    api_version: str | None = None
    region: str | None = None
    project: str | None = None


@dataclass(slots=True)
class Secrets:
    """Names of variables for what a config writes out. `taken` are the variables that it names itself."""

    taken: set[str]
    given: dict[tuple[str, str], str] = field(default_factory=dict)

    def name(self, stem: str, ending: str, value: str) -> str:
        """The same name for the same value, another one for another."""
        known = self.given.get((ending, value))
        if known is not None:
            return known
        plain = f"{re.sub(r'[^A-Z0-9]+', '_', stem.upper()).strip('_') or 'PROVIDER'}_{ending}"
        plain = plain if re.match(r"[A-Z_]", plain) else f"P_{plain}"
        name, number = plain, 2
        while name in self.taken:
            name, number = f"{plain}_{number}", number + 1
        self.taken.add(name)
        self.given[ending, value] = name
        return name


def variable(text: str) -> str | None:
    """`os.environ/NAME` -> NAME."""
    name = text.removeprefix("os.environ/")
    return name if name != text and re.fullmatch(ENV, name) else None


def unexpanded(text: str) -> str | None:
    """`${NAME}` or `$NAME`, and nothing else -> NAME."""
    found = _SHELL.fullmatch(text)
    return (found[1] or found[2]) if found else None


def filled(text: str, given: Mapping[str, str]) -> str:
    """The text with the values of variables that were given: `os.environ/NAME`, `${NAME}`, `${NAME:-default}`."""
    name = variable(text)
    if name is not None:
        return given.get(name, text)
    return _SHELL.sub(lambda found: given.get(found[1] or found[2], found[0]), text)


def address_of(
    origin: Origin,
    keys: Mapping[str, Written],
    account: Account,
    secrets: Secrets,
    given: Mapping[str, str],
) -> Address:
    """Reads `api_base`, `api_key`, `api_version`, region and project, and tells what became of them."""
    reader = _Reader(origin=origin, keys=keys, account=account, secrets=secrets, given=given)
    base_url = reader.base_url()
    kind, key = reader.key(base_url)
    known = KINDS[kind]
    if base_url is None and known.base_url_needed:
        base_url = Env(name=ADDRESSES.get(kind, f"{kind.upper()}_API_BASE"))
    setting = reader.settings(kind)
    return Address(
        kind=kind,
        base_url=base_url,
        key=key,
        api_version=setting.get("api_version"),
        region=setting.get("region"),
        project=setting.get("project"),
    )


_WORDS: Mapping[str, tuple[str, ...]] = {
    "api_version": ("api_version",),
    "region": ("aws_region_name", "vertex_location", "vertex_ai_location"),
    "project": ("vertex_project", "vertex_ai_project", "project_id"),
}
"""Our word -> the keys of litellm_params that say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    origin: Origin
    keys: Mapping[str, Written]
    account: Account
    secrets: Secrets
    given: Mapping[str, str]

    def base_url(self) -> str | Env | None:
        key = self.keys.get("api_base") or self.keys.get("base_url")
        if key is None or not isinstance(key.value, str) or not key.value.strip():
            return self.origin.base_url
        text = key.text.strip()
        named = self._named(key, text, "`base_url` of its provider")
        if named is not None:
            return named
        if re.fullmatch(ADDRESS, text) and literal_secret(text, ("base_url",)) is None and "$" not in text:
            self.account.imported(key, "`base_url` of its provider")
            return text
        name = self.secrets.name(self.origin.kind, "API_BASE", text)
        what = (
            "no plain address"
            if _SHELL.search(text) or "://" not in text
            else "an address that holds a secret"
        )
        self.account.changed(
            key,
            f"{what}: `base_url: {{env: {name}}}`",
            help=f"set {name} to the whole address, with http:// or https://",
            danger=Danger.SECRET if "secret" in what else None,
        )
        return Env(name=name)

    def key(self, base_url: str | Env | None) -> tuple[str, Env | None]:
        """(kind, key): a server that was given a placeholder is called as a kind that needs no key."""
        kind, key = self.origin.kind, self.keys.get("api_key")
        standard = KINDS[kind].key
        if key is None or key.value in (None, ""):
            other = self.origin.key
            return kind, Env(name=other) if other and other != standard else None
        text = key.text.strip()
        named = self._named(key, text, "a key of its provider")
        if named is not None:
            return kind, None if named.name == standard and not KINDS[kind].key_optional else named
        if text.lower() in PLACEHOLDERS and (base_url is not None or standard is None):
            return self._without_key(key, kind, standard), None
        name = self._name_of_key(text, base_url, standard)
        self.account.changed(
            key,
            f"the key is written out: named here, not copied: `{{env: {name}}}`",
            help=f"set {name}; and replace the key, a secret in a file is no secret",
            danger=Danger.SECRET,
        )
        return kind, None if name == standard and not KINDS[kind].key_optional else Env(name=name)

    def _without_key(self, key: Written, kind: str, standard: str | None) -> str:
        if standard is None:
            self.account.imported(key, "a placeholder: this kind of provider takes no key")
            return kind
        if kind != "openai":
            self.account.changed(
                key, "a placeholder, which is not copied", help=f"set {standard} to any text"
            )
            return kind
        self.account.changed(
            key, "a placeholder for a server that wants no key: its `kind` is hosted_vllm, which needs none"
        )
        return "hosted_vllm"

    def _name_of_key(self, text: str, base_url: str | Env | None, standard: str | None) -> str:
        if base_url is None and standard is not None:
            known = self.secrets.given.get(("API_KEY", text))
            if known is None and standard not in self.secrets.taken:
                self.secrets.taken.add(standard)
                self.secrets.given["API_KEY", text] = standard
        return self.secrets.name(stem_of(self.origin.kind, base_url), "API_KEY", text)

    def _named(self, key: Written, text: str, what: str) -> Env | None:
        """A reference to a variable, in litellm's form or in a shell's."""
        name = variable(text)
        if name is not None:
            self.account.imported(key, what)
            return Env(name=name)
        name = unexpanded(text)
        if name is not None:
            self.account.changed(key, f"{what}, read from that variable; {UNEXPANDED}")
            return Env(name=name)
        return None

    def settings(self, kind: str) -> dict[str, str]:
        """Our words with their values; those that this kind does not take are told."""
        found: dict[str, str] = {}
        for word, names in _WORDS.items():
            for key in (self.keys[name] for name in names if name in self.keys):
                value = self._setting(word, key, kind)
                if value is not None:
                    found.setdefault(word, value)
        for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "vertex_credentials"):
            if name in self.keys:
                self._ambient(self.keys[name])
        return found

    def _setting(self, word: str, key: Written, kind: str) -> str | None:
        if key.value in (None, ""):
            return None
        if not key.text.strip() or isinstance(key.value, bool) or SECRET.search(key.text):
            self.account.refused(key, "no text")
            return None
        if word not in KINDS[kind].wire:
            self.account.no_effect(key, f"a call of `{kind}` does not take it")
            return None
        text = filled(key.text, self.given)
        name = variable(text) or unexpanded(text)
        if text != key.text:
            self.account.changed(key, f"`{word}: {text}`: the variable's value as it was given to the import")
            return text
        if name in AMBIENT:
            self.account.imported(key, "the provider's own tools read this variable by themselves")
            return None
        if name is not None or "$" in key.text:
            self.account.refused(
                key,
                f"a variable ({shown(name or key.text)}): policies say the value",
                help=f"write `{word}: ...` at the provider",
            )
            return None
        self.account.imported(key, f"`{word}` of its provider")
        return key.text

    def _ambient(self, key: Written) -> None:
        name = variable(key.text) or unexpanded(key.text)
        if name in AMBIENT:
            self.account.imported(key, "the provider's own tools read this variable by themselves")
        elif name is None and isinstance(key.value, str) and "secret" in str(key.path[-1]):
            self.account.refused(
                key,
                "the key is written out, and it is not copied",
                help="set AWS_SECRET_ACCESS_KEY; and replace the key, a secret in a file is no secret",
                danger=Danger.SECRET,
            )


_DULL = re.compile(
    r"api|www|com|net|org|io|ai|dev|app|cloud|run|co|inference|models|v1|gateway|svc|local|internal"
)
"""Parts of a host that say nothing of whose it is."""


def stem_of(kind: str, base_url: str | Env | None, key: Env | None = None) -> str:
    """The word that tells a provider of this kind apart: from its key's or address's variable, else from its host."""
    if key is not None and (word := _stem(kind, key.name)):
        return word
    if isinstance(base_url, Env):
        return _stem(kind, base_url.name) or kind
    return _host_word(base_url) if base_url else kind


def _stem(kind: str, name: str) -> str:
    """`AZURE_WEU_API_BASE` of azure -> `weu`; empty where only the kind's name is left."""
    plain = name.lower()
    for noise in ("api_key", "api_base", "base_url", "api_url", "openai_endpoint", "endpoint", "api_token"):
        plain = plain.replace(noise, "")
    words = [word for word in re.split(r"[^a-z0-9]+", plain) if word]
    own = set(kind.split("_")) | {"key", "url", "base", "host", "token", "api", "secret"}
    return "-".join(word for word in words if word not in own)


def _host_word(address: str) -> str:
    from urllib.parse import urlsplit

    host = urlsplit(address).hostname or ""
    if re.fullmatch(r"[0-9.]+|localhost|.*:.*", host):
        port = urlsplit(address).port
        return f"local-{port}" if port else "local"
    words = [word for word in host.split(".") if not _DULL.fullmatch(word)]
    return words[-1] if words else host.split(".")[0]
