"""From the values of a case file to cases: each name is one of the plan, and each call one that can be made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from router.client.calls import build_request
from router.errors import Problem, RequestError
from router.plan import Plan
from router.policy import scalars
from router.policy.document import Document, Spot
from router.policy.phrases import suggestion
from router.policy.traps import Fault, shown
from router.testing.cases import outcomes
from router.testing.cases.case import Call, Case, Faults, Spent, WrittenFault
from router.testing.cases.expect import Expectation
from router.testing.cases.instants import USUAL, instant_s
from router.testing.cases.play import concurrency
from router.testing.cases.prompts import LARGEST, prompt_of
from router.testing.cases.reading_expect import expectations
from router.testing.cases.spends import spent
from router.values import Place, Request, SecretRef

ASKED = ("prompt", "messages", "input_tokens")
"""Ways to say what is asked; the innermost block that says one says it."""

SHORT = "Hello."
"""What is asked where a case does not say."""

Parts = Mapping[str, Spot]
"""The keys of a request, each from the innermost block that has it."""


@dataclass(slots=True)
class Reading:
    """One pass over one document of the right form. `problems` grows, and what several calls share is blamed by each;
    what is built from a wrong value is not used."""

    plan: Plan
    problems: list[Problem] = field(default_factory=list)

    def file(self, document: Document) -> tuple[Case, ...]:
        """The cases of a document that knows where its form is wrong: those are passed over, and so is every case
        where the defaults are."""
        damaged = {path[: 2 if path[:1] == ("cases",) else 1] for path in document.damaged}
        if ("defaults",) in damaged:
            return ()
        defaults = document.root.get("defaults")
        spots = [spot for spot in _items(document.root.get("cases")) if spot.path not in damaged]
        found = [case for spot in spots if (case := self._case(spot, defaults)) is not None]
        self._once(found)
        return tuple(found)

    def blame(self, place: Place, fault: Fault, *, also: Place | None = None) -> None:
        self.problems.append(
            Problem(code=fault.code, message=fault.message, help=fault.help, place=place, also=also)
        )

    def target(self, name: str, place: Place) -> None:
        """A name that no policy writes would make a case that tests nothing."""
        if name not in self.plan.targets:
            advice = suggestion(name, self.plan.targets, what="targets here:")
            self.blame(place, Fault("dangling-name", f"no policy has the target {shown(name)}", advice))

    # --- Cases --------------------------------------------------------------------------------------------------------

    def _once(self, cases: list[Case]) -> None:
        first: dict[str, Case] = {}
        for case in cases:
            other = first.setdefault(case.name, case)
            if other is not case:
                message = f"the case {shown(case.name)} stands here and at {other.place}"
                self.blame(
                    case.place, Fault("duplicate-name", message, "rename one of them"), also=other.place
                )

    def _case(self, spot: Spot, defaults: Spot | None) -> Case | None:
        steps, expect = spot.get("steps"), spot.get("expect")
        name = spot.get("name")
        if (steps is None) == (expect is None) or name is None:
            both = steps is not None
            message = "a case has `expect` or `steps`" + (", not both" if both else "")
            advice = "each step has its own `expect`" if both else "say what must be so"
            self.blame(spot.place, Fault("wrong-form" if both else "missing-key", message, advice))
            return None
        blocks = [each.get("request") for each in (defaults, spot) if each is not None]
        calls = [self._call(each, spot, blocks) for each in (steps.items() if steps else (spot,))]
        return Case(
            name=str(name.value),
            place=spot.place,
            begins_s=self._begins_s(spot.get("clock") or (defaults.get("clock") if defaults else None)),
            calls=tuple(call for call in calls if call is not None),
            spent=tuple(self._spent(spot.get("spent"))),
            unset=frozenset(self._unset(spot.get("unset"))),
            open=tuple(self._open(spot.get("open"))),
            faults=tuple(_written_faults(spot)),
        )

    def _begins_s(self, clock: Spot | None) -> float:
        found = instant_s(str(clock.value) if clock else USUAL, ZoneInfo(self.plan.settings.time_zone))
        if isinstance(found, float):
            return found
        if clock is not None:
            advice = 'write an instant with its offset: "2026-11-30T21:15:00Z"'
            self.blame(clock.place, Fault("wrong-form", f"{shown(clock.value)} {found}", advice))
        return 0.0

    def _spent(self, block: Spot | None) -> Iterator[Spent]:
        for item in _items(block):
            found = spent(item, self.plan)
            if isinstance(found, Spent):
                yield found
            else:
                key, fault = found
                self.blame((item.get(key) or item).place, fault)

    def _unset(self, block: Spot | None) -> Iterator[str]:
        known = frozenset(_variables(self.plan)) if block else frozenset()
        for item in _items(block):
            if item.value not in known:
                advice = suggestion(str(item.value), known, what="variables here:")
                message = f"no provider asks for the variable {shown(item.value)}"
                self.blame(item.place, Fault("dangling-name", message, advice))
            yield str(item.value)

    def _open(self, block: Spot | None) -> Iterator[str]:
        for item in _items(block):
            name = str(item.value)
            self.target(name, item.place)
            target = self.plan.targets.get(name)
            if target is not None and target.breaker is None:
                advice = (
                    f"write one under `providers: {{{target.provider}: {{breaker: ...}}}}`, or take it out"
                )
                self.blame(item.place, Fault("wrong-form", f"{shown(name)} has no breaker", advice))
            elif target is not None:
                yield name

    # --- Calls --------------------------------------------------------------------------------------------------------

    def _call(self, spot: Spot, case: Spot, blocks: list[Spot | None]) -> Call | None:
        """`spot` is a step, or the case itself where it has none."""
        own = spot.get("request") if spot is not case else None
        parts = self._parts([*blocks, own])
        request = self._request(parts, spot)
        expect = spot.get("expect")
        if request is None or expect is None:
            return None
        down = spot.get("down") or case.get("down")
        times, in_flight = spot.get("times"), spot.get("in_flight") or case.get("in_flight")
        if in_flight is not None and not concurrency(self.plan, request):
            advice = "it is for callers with a limit on `concurrent_requests`"
            self.blame(in_flight.key_place, Fault("wrong-form", "`in_flight` fills no limit here", advice))
        return Call(
            place=spot.place,
            request=request,
            expect=self._expect(expect, request),
            faults={**self._faults(case.get("faults")), **self._faults(spot.get("faults"))},
            after_s=outcomes.seconds(spot.get("after")) or 0.0,
            times=int(times.value) if times else 1,
            in_flight=int(in_flight.value) if in_flight else 0,
            down=frozenset(item.value for item in _items(down)),
        )

    def _parts(self, blocks: list[Spot | None]) -> Parts:
        parts: dict[str, Spot] = {}
        for block in blocks:
            said = dict(block.fields()) if block else {}
            asked = [key for key in ASKED if key in said]
            if asked:
                parts = {key: part for key, part in parts.items() if key not in ASKED}
            for extra in asked[1:]:
                message = f"a request asks once, and this one has `{asked[0]}` and `{extra}`"
                self.blame(said[extra].key_place, Fault("wrong-form", message, "keep one of them"))
            parts |= said
        return parts

    def _request(self, parts: Parts, spot: Spot) -> Request | None:
        messages = self._messages(parts)
        for key in ("prefer", "only"):
            for item in _items(parts.get(key)):
                self.target(str(item.value), item.place)
        if messages is None or not self._policy_is_known(parts, spot):
            return None
        texts = {key: parts[key].value for key in ("policy", "tenant", "user", "session") if key in parts}
        lists = {key: parts[key].value for key in ("tags", "prefer", "only") if key in parts}
        timeout = outcomes.seconds(parts.get("timeout"))
        params = parts["params"].value if "params" in parts else {}
        try:
            return build_request(self.plan, "", messages, timeout=timeout, params=params, **texts, **lists)
        except RequestError as error:
            where = parts.get("params") or parts.get("messages") or spot
            self.blame(where.place, Fault("wrong-form", error.message, error.help))
            return None

    def _messages(self, parts: Parts) -> Any:
        if "messages" in parts:
            return parts["messages"].value
        size = parts.get("input_tokens")
        if size is None:
            return parts["prompt"].value if "prompt" in parts else SHORT
        tokens = scalars.count(size.value) or 0
        made = prompt_of(tokens) if tokens <= LARGEST else None
        if made is None:
            message = f"no prompt is counted as {tokens} tokens"
            advice = "what surrounds a message is counted too; take a larger number"
            if tokens > LARGEST:
                message = f"a prompt of {tokens} tokens is more than any model takes"
                advice = f"take a number up to {scalars.count_text(LARGEST)}"
            self.blame(size.place, Fault("wrong-form", message, advice))
        return made

    def _policy_is_known(self, parts: Parts, spot: Spot) -> bool:
        policy, usual = parts.get("policy"), self.plan.settings.default_policy
        name = policy.value if policy else usual
        if name in self.plan.policies:
            return True
        if policy is None:
            advice = "write `request: {policy: ...}` in the case, or under `defaults:`"
            self.blame(spot.place, Fault("missing-key", "this call names no policy", advice))
        else:
            advice = suggestion(str(name), self.plan.policies, what="policies here:")
            self.blame(policy.place, Fault("dangling-name", f"there is no policy {shown(name)}", advice))
        return False

    def _faults(self, block: Spot | None) -> Faults:
        found = {}
        for target, listed in block.fields() if block else ():
            self.target(target, listed.key_place)
            self._misfits(listed)
            found[target] = tuple(outcomes.does(item) for item in listed.items())
        return found

    def _misfits(self, listed: Spot) -> None:
        for item in listed.items():
            key = outcomes.misfit(item)
            part = item.get(key) if key else None
            if part is not None:
                what = shown(outcomes.word_of(item))
                message = f"`{key}` says nothing of a target that does {what}"
                self.blame(part.key_place, Fault("wrong-form", message, f"take it out, or change {what}"))

    def _expect(self, block: Spot, request: Request) -> tuple[Expectation, ...]:
        found = expectations(block, self.plan, request)
        for place, fault in found.faults:
            self.blame(place, fault)
        return found.expectations


def _variables(plan: Plan) -> Iterator[str]:
    """Every environment variable that a provider's key or address is read from."""
    for provider in plan.providers.values():
        for secret in (provider.base_url, *(key.secret for key in provider.keys)):
            if isinstance(secret, SecretRef) and secret.source == "env":
                yield secret.name


def _items(spot: Spot | None) -> Iterator[Spot]:
    if spot is not None:
        yield from spot.items()


def _written_faults(case: Spot) -> Iterator[WrittenFault]:
    """Those of the case hold in every step that has none of its own for the same target."""
    own = [step.get("faults") for step in _items(case.get("steps"))] or [None]
    whole = case.get("faults")
    for target, listed in whole.fields() if whole else ():
        steps = [number for number, block in enumerate(own, start=1) if not (block and block.get(target))]
        yield WrittenFault(place=listed.key_place, target=target, steps=frozenset(steps))
    for number, block in enumerate(own, start=1):
        for target, listed in block.fields() if block else ():
            yield WrittenFault(place=listed.key_place, target=target, steps=frozenset({number}))
