"""What a config says of a model beside its name: price, context, capabilities; and what the price file knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from router.adapters.price_file import PriceFile, other_modes
from router.plan import ModelFacts
from router.policy.catalog import known_facts
from router.policy.lenient import Written
from router.policy.scalars import MOST_TOKENS, money_nusd
from router.tools.litellm_import.config import exact, number
from router.tools.litellm_import.facts import CHAT_MODES, NOT_CHAT, SUPPORTS
from router.tools.litellm_import.outcomes import Account

BARE_KINDS = ("openai", "anthropic", "vertex_ai", "bedrock", "cohere", "ai21")
_NANO = Decimal("1e-9")
_PRICES: Mapping[str, str] = {
    "input_cost_per_token": "input_per_million",
    "output_cost_per_token": "output_per_million",
    "cache_read_input_token_cost": "cached_per_million",
    "cache_creation_input_token_cost": "cache_write_per_million",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The price file, chat models and others."""

    prices: PriceFile
    others: Mapping[str, str]

    @classmethod
    def load(cls) -> "Book":
        return cls(prices=PriceFile.load(), others=other_modes())

    def facts(self, kind: str, model: str) -> ModelFacts | None:
        return self.prices.facts(kind, model)

    def kind_of_bare(self, model: str) -> str | None:
        """Whose model a name without a provider is."""
        if model in self.others:
            return self.others[model].partition("/")[0]
        for kind in BARE_KINDS:
            facts = self.prices.facts(kind, model)
            if facts is not None and facts.name == model:
                return kind
        return None

    def mode(self, kind: str, model: str, written: Written | None) -> str | None:
        """What a model is for where that is not chat, in words; None for chat."""
        if written is not None and isinstance(written.value, str):
            return None if written.value in CHAT_MODES else written.value.replace("_", " ")
        if self.prices.facts(kind, model) is not None:
            return None
        found = self.others.get(f"{kind}/{model}") or self.others.get(model)
        if found is not None:
            return found.partition("/")[2].replace("_", " ")
        return "something else than chat, by its name" if NOT_CHAT.search(model) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFacts:
    """What is written of a model and differs from the price file; `prices` per million tokens, exact."""

    alias: str | None = None
    context: int | None = None
    max_output: int | None = None
    supports: tuple[str, ...] | None = None
    prices: tuple[tuple[str, Decimal], ...] = ()
    listed: bool = True

    @property
    def is_free(self) -> bool:
        return bool(self.prices) and all(amount == 0 for _, amount in self.prices)


def is_fact(key: Written) -> bool:
    """Whether a key says something of a model: `max_tokens` in `litellm_params` is a parameter."""
    name = str(key.path[-1])
    if name in ("max_tokens", "max_output_tokens"):
        return "model_info" in key.path
    return name in (*_PRICES, *SUPPORTS, "base_model", "max_input_tokens")


def own_facts(
    keys: Mapping[str, Written], info: Written | None, kind: str, model: str, account: Account, book: Book
) -> OwnFacts:
    """From `litellm_params` and `model_info`; the former goes before."""
    if "*" in model:
        return OwnFacts()
    fields = dict(info.fields()) if info else {}
    if mode := fields.get("mode"):
        account.imported(mode, "chat is all that is routed")
    alias = _alias(fields.get("base_model"), kind, account, book)
    known = known_facts(book.prices, kind, alias or model)
    return OwnFacts(
        alias=alias,
        context=_tokens(
            fields.get("max_input_tokens"), "context", known.context_tokens if known else None, account
        ),
        max_output=_tokens(
            fields.get("max_output_tokens") or fields.get("max_tokens"),
            "max_output",
            known.max_output_tokens if known else None,
            account,
        ),
        supports=_supports(fields, known, account),
        prices=_prices({**fields, **keys}, known, account),
        listed=known is not None,
    )


def _alias(written: Written | None, kind: str, account: Account, book: Book) -> str | None:
    if written is None or not isinstance(written.value, str):
        return None
    if known_facts(book.prices, kind, written.value) is None:
        account.refused(
            written, "the price file knows no model of this name", help="say its `price` and `context`"
        )
        return None
    account.imported(written, "`as`: the name that its price and context are looked up under")
    return written.value


def _tokens(written: Written | None, word: str, known: int | None, account: Account) -> int | None:
    count = number(written)
    if written is None:
        return None
    if count is None or count != int(count) or not 0 < count <= MOST_TOKENS:
        account.refused(written, "no count of tokens")
        return None
    account.imported(written, f"`{word}` of its model")
    return None if int(count) == known else int(count)


def _supports(
    fields: Mapping[str, Written], known: ModelFacts | None, account: Account
) -> tuple[str, ...] | None:
    """The whole list where it differs from what the price file says."""
    words = {
        word: fields[name].value
        for name, word in SUPPORTS.items()
        if name in fields and isinstance(fields[name].value, bool)
    }
    for name in SUPPORTS:
        if name in fields and isinstance(fields[name].value, bool):
            account.imported(fields[name], "`supports` of its model")
    before = (known.supports & set(SUPPORTS.values())) if known else frozenset()
    after = (before | {word for word, yes in words.items() if yes}) - {
        word for word, yes in words.items() if not yes
    }
    if not words or (known is not None and after == before):
        return None
    return tuple(word for word in SUPPORTS.values() if word in after)


def _prices(
    keys: Mapping[str, Written], known: ModelFacts | None, account: Account
) -> tuple[tuple[str, Decimal], ...]:
    found: dict[str, Decimal] = {}
    for name, word in _PRICES.items():
        amount = _per_million(keys.get(name), account)
        if amount is not None:
            found[word] = amount
            account.imported(keys[name], f"`price: {{{word}: ...}}` of its model")
    if found:
        found = {**_file_prices(known), **found}
        found.setdefault("input_per_million", Decimal(0))
        found.setdefault("output_per_million", Decimal(0))
    return tuple((word, found[word]) for word in _PRICES.values() if word in found)


def _file_prices(known: ModelFacts | None) -> dict[str, Decimal]:
    """What the price file says of the amounts that a config leaves out."""
    if known is None or known.prices is None:
        return {}
    first, scale = known.prices.tiers[0], Decimal(10) ** 12
    amounts = {"input_per_million": first.input_ausd / scale, "output_per_million": first.output_ausd / scale}
    return {word: amount.quantize(_NANO, rounding=ROUND_UP) for word, amount in amounts.items()}


def _per_million(written: Written | None, account: Account) -> Decimal | None:
    if written is None:
        return None
    amount = exact(written)
    if amount is None or money_nusd(dollars(amount * 1_000_000)) is None:
        account.refused(
            written, "no price in dollars per token with at most nine decimals for a million tokens"
        )
        return None
    return amount * 1_000_000


def dollars(amount: Decimal) -> str:
    """`$2.50`: exact, at least two decimals where there are any."""
    whole, _, rest = f"{amount.normalize():f}".partition(".")
    return f"${whole}.{rest.ljust(2, '0')}" if rest else f"${whole}"
