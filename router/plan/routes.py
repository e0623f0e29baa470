"""What one request comes to: its flat list of candidates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from router.plan.amounts import Budget, Limit
from router.plan.policies import STREAM_S, CacheRule, Lexical
from router.plan.providers import BreakerRule, Target
from router.values import Message

Method = Literal["schema", "tool", "prompt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One element of the flat list of a request: a target with the settings and ceilings of its path.

    `output_tokens` is the bound of one choice; None only where neither a ceiling nor the model states one.
    `per_request` holds what each scope on the path allows for the whole request, in money or tokens. `limits` are those
    taken for each attempt at it: of the nested policies on its path, of its provider and its model. `path` names the
    policies on the way to it, the called one first, `policy` last.
    """

    target: Target
    policy: str
    lexical: Lexical
    total_s: float
    stream_s: float = STREAM_S
    input_ceiling: int | None
    output_tokens: int | None
    attempts_ceiling: int | None
    added_cost_nusd: int | None
    budgets: tuple[Budget, ...]
    per_request: tuple[Budget, ...]
    limits: tuple[Limit, ...] = ()
    params: Mapping[str, Any]
    left_out: tuple[str, ...] = ()  # parameters that its target does not take, and is called without
    untaken: tuple[str, ...] = ()  # those that it can't be called without, as they are told
    method: Method | None = None  # how it is asked for an answer of a given form
    added: tuple[Message, ...] = ()  # what that adds to the messages
    path: tuple[str, ...] = ()

    @property
    def breaker(self) -> BreakerRule | None:
        """What may refuse it; None: nothing, or its policy has it tried all the same."""
        return self.target.breaker if self.lexical.heeds_breakers else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The flat, finite list for one request. `rule` names the rule that chose it, None: the targets. `jumped` names the
    policy whose list it is where a spent budget handed the request over.

    A target occurs twice only until its input is counted, and only where the second path lets more through. `limits`
    are the caller's and the called policy's: requests and concurrency are taken once for the request.
    """

    policy: str
    rule: str | None
    candidates: tuple[Candidate, ...]
    limits: tuple[Limit, ...]
    cache: CacheRule | None
    total_s: float
    stream_s: float = STREAM_S
    streams: bool = False  # whether the caller reads the answer as it comes
    reject: str | None = None
    jumped: str | None = None
