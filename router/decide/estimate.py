"""The arithmetic of money: exact in atto-USD, rounded up to nano-USD once per row.

For any usage of at most I input and n x O output tokens, `cost_nusd` is at most `worst_nusd` of I, O and n; with
`for_an_hour` also where some of it was written to a cache to be kept for an hour.
"""

from collections.abc import Iterable

from router.plan import AUSD_PER_NUSD, Price, PriceTable
from router.values import Usage

Part = tuple[int, int]
"""(tokens, atto-USD a token)."""


def cost_nusd(prices: PriceTable, usage: Usage) -> int:
    """What `usage` costs at the tier of its whole input, per-request fee included."""
    price = _tier(prices, usage.input_tokens)
    ausd = _input_ausd(price, usage) + _output_ausd(price, usage)
    return _ceil_nusd(ausd) + prices.per_request_nusd


def worst_nusd(
    prices: PriceTable, *, input_tokens: int, output_tokens: int, choices: int, for_an_hour: bool = False
) -> int:
    """The most that one attempt can cost with at most `input_tokens`, and `output_tokens` for each choice."""
    reachable = [tier for tier in prices.tiers if tier.above_tokens < input_tokens] or prices.tiers[:1]
    dearest_in = max(_dearest_input_ausd(tier, for_an_hour=for_an_hour) for tier in reachable)
    dearest_out = max(map(_dearest_output_ausd, reachable))
    tokens_in, tokens_out = max(input_tokens, 0), max(choices, 0) * max(output_tokens, 0)
    return _ceil_nusd(tokens_in * dearest_in) + _ceil_nusd(tokens_out * dearest_out) + prices.per_request_nusd


def _tier(prices: PriceTable, input_tokens: int) -> Price:
    """The highest tier that the input has passed; the first where it has passed none."""
    return next(
        (tier for tier in reversed(prices.tiers) if tier.above_tokens < input_tokens), prices.tiers[0]
    )


def _input_ausd(price: Price, usage: Usage) -> int:
    for_an_hour = max(0, min(usage.cache_write_1h_tokens, usage.cache_write_tokens))
    parts = (
        (usage.cached_input_tokens, price.cached_input_ausd),
        (usage.cache_write_tokens - for_an_hour, price.cache_write_ausd),
        (for_an_hour, price.cache_write_ausd if (hour := price.cache_write_1h_ausd) is None else hour),
        (usage.audio_input_tokens, price.audio_input_ausd),
        (usage.image_input_tokens, price.image_input_ausd),
    )
    return _sum_of_parts_ausd(usage.input_tokens, parts, rest_ausd=price.input_ausd)


def _output_ausd(price: Price, usage: Usage) -> int:
    parts = (
        (usage.reasoning_tokens, price.reasoning_ausd),
        (usage.audio_output_tokens, price.audio_output_ausd),
    )
    return _sum_of_parts_ausd(usage.output_tokens, parts, rest_ausd=price.output_ausd)


def _sum_of_parts_ausd(whole: int, parts: Iterable[Part], *, rest_ausd: int) -> int:
    """Price each part at its own rate and the rest at the base rate.

    Providers report parts that overlap (cached audio) or exceed the whole: no token is then billed twice, and the
    dearest parts come first, so that what is recorded errs upwards.
    """
    total, left = 0, max(whole, 0)
    for tokens, rate in sorted(parts, key=lambda part: part[1], reverse=True):
        taken = min(max(tokens, 0), left)
        total, left = total + taken * rate, left - taken
    return total + left * rest_ausd


def _dearest_input_ausd(price: Price, *, for_an_hour: bool) -> int:
    return max(
        price.cache_write_1h_ausd or 0 if for_an_hour else 0,
        price.input_ausd,
        price.cached_input_ausd,
        price.cache_write_ausd,
        price.audio_input_ausd,
        price.image_input_ausd,
    )


def _dearest_output_ausd(price: Price) -> int:
    return max(price.output_ausd, price.reasoning_ausd, price.audio_output_ausd)


def _ceil_nusd(ausd: int) -> int:
    return -(-ausd // AUSD_PER_NUSD)
