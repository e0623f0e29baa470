"""Fallbacks of all kinds: what comes after the targets of a group. Cycles, legal in litellm, are written out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from router.policy.lenient import Written
from router.policy.traps import shown
from router.tools.litellm_import.config import Config
from router.tools.litellm_import.groups import Group
from router.tools.litellm_import.outcomes import Account
from router.tools.litellm_import.settings import preferred

Sort = Literal["fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks"]
SORTS: tuple[Sort, ...] = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")

DEEPEST = 24
"""Policies within policies: the language allows 32, and what is deeper is written out."""

_BAD_SHAPE = (
    "no map from one group to the list of its fallbacks, as in `{gpt-4o: [gpt-4o-mini]}`: it never applies"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One fallback as it is written: after `group` fails, `target` is tried. `source` is where the group stands."""

    sort: Sort
    group: str
    target: str
    written: Written
    source: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What follows the targets of a group: another group's policy, or, `inline`, that group's own targets."""

    target: str
    inline: bool
    written: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """`steps` by group; `filtered` are the groups that fall back on filtered content as well."""

    steps: Mapping[str, tuple[Step, ...]]
    filtered: frozenset[str]


def read_wishes(config: Config, account: Account) -> tuple[Wish, ...]:
    """Every fallback that is written, those of no use told to the account. `group` is `*` for the default ones."""
    found: list[Wish] = []
    for sort in SORTS:
        key = preferred(config, account, ("router_settings", sort), ("litellm_settings", sort))
        if key is not None:
            found.extend(_wishes(sort, key, account))
    key = preferred(
        config, account, ("router_settings", "default_fallbacks"), ("litellm_settings", "default_fallbacks")
    )
    for item in key.items() if key else ():
        found.append(  # noqa: PERF401 - the loop reads as the one above
            Wish(sort="default_fallbacks", group="*", target=item.text, written=item, source=item)
        )
    return tuple(found)


def _wishes(sort: Sort, key: Written, account: Account) -> Iterator[Wish]:
    """Of each entry that maps one group to a list; where there is none, the whole key never applies."""
    if not any(map(_is_shaped, key.items())):
        account.no_effect(key, _BAD_SHAPE)
        return
    for entry in key.items():
        if not _is_shaped(entry):
            account.no_effect(entry, _BAD_SHAPE)
            continue
        group, targets = entry.fields()[0]
        for item in targets.items():
            named = item.get("model") if isinstance(item.value, Mapping) else item
            if named is None or not isinstance(named.value, str):
                account.no_effect(item, "no group's name")
            else:
                yield Wish(sort=sort, group=group, target=named.value, written=item, source=targets)


def _is_shaped(entry: Written) -> bool:
    fields = entry.fields()
    return len(fields) == 1 and isinstance(fields[0][1].value, tuple)


def mentioned(wishes: Iterable[Wish], config: Config) -> Iterator[str]:
    """Names of groups that fallbacks and aliases speak of."""
    for wish in wishes:
        yield from (name for name in (wish.group, wish.target) if name != "*")
    settings = config.section("router_settings")
    alias = settings.get("model_group_alias") if settings else None
    for _, key in alias.fields() if alias else ():
        target = key.get("model") if isinstance(key.value, Mapping) else key
        if target is not None and isinstance(target.value, str):
            yield target.value


def make_chains(
    wishes: Iterable[Wish], groups: Mapping[str, Group], lost: frozenset[str], account: Account
) -> Chains:
    """`lost` are the groups that the config has and that nothing could be made of."""
    builder = _Builder(groups=groups, lost=lost, account=account)
    everything = [*wishes]
    for wish in (each for each in everything if each.group != "*"):
        builder.add(wish)
    own = {wish.group for wish in everything if wish.sort == "fallbacks"}
    for wish in (each for each in everything if each.group == "*"):
        builder.add_default(wish, own)
    return Chains(
        steps={name: tuple(steps) for name, steps in builder.steps.items()},
        filtered=frozenset(builder.filtered),
    )


class _Builder:
    def __init__(self, *, groups: Mapping[str, Group], lost: frozenset[str], account: Account) -> None:
        self._groups, self._lost, self._account = groups, lost, account
        self.steps: dict[str, list[Step]] = {
            name: [Step(target=group.alias_of, inline=False, written=group.written)]
            for name, group in groups.items()
            if group.alias_of is not None
        }
        self.filtered: set[str] = set()
        self._led_from: dict[str, list[str]] = {}  # the other way along the steps
        self._below: dict[str, int] = {}
        self._above: dict[str, int] = {}
        for name, (step,) in self.steps.items():
            self._led_from.setdefault(step.target, []).append(name)
            self._below[name], self._above[step.target] = 1, 1

    def add(self, wish: Wish) -> None:
        if not self._holds(wish):
            return
        if wish.sort == "content_policy_fallbacks":
            self.filtered.add(wish.group)
        self._tell(wish, self._step(wish))

    def add_default(self, wish: Wish, own: set[str]) -> None:
        """After every group that has no fallbacks of its own, and is not what it falls back on."""
        if wish.target not in self._groups:
            self._missing(wish.written, wish.target, "this fallback fails")
            return
        for name, group in self._groups.items():
            if name not in own and name != wish.target and group.alias_of is None:
                self._step(
                    Wish(
                        sort=wish.sort,
                        group=name,
                        target=wish.target,
                        written=wish.written,
                        source=wish.source,
                    )
                )
        self._account.imported(
            wish.written,
            f"`{{policy: {self._groups[wish.target].name}}}` at the end of every policy without fallbacks of its own",
        )

    def _holds(self, wish: Wish) -> bool:
        if wish.group not in self._groups:
            self._missing(wish.source, wish.group, "nobody can ask for it")
            return False
        if wish.target not in self._groups:
            self._missing(wish.written, wish.target, "this fallback fails")
            return False
        if self._real(wish.target) == wish.group:
            self._account.no_effect(wish.written, "a group that falls back on itself: a retry does that")
            return False
        return True

    def _missing(self, key: Written, name: str, what: str) -> None:
        if name in self._lost:
            self._account.refused(key, f"no deployment of the group {shown(name)} is imported")
        else:
            self._account.no_effect(key, f"there is no group {shown(name)}: {what}")

    def _real(self, name: str) -> str:
        return self._groups[name].alias_of or name

    def _step(self, wish: Wish) -> Step | None:
        """The step that was added; None where what it leads to stands there already."""
        steps = self.steps.setdefault(wish.group, [])
        if any(step.target == wish.target for step in steps):
            return None
        inline = self._leads(wish.target, wish.group) or self._too_deep(wish)
        steps.append(Step(target=wish.target, inline=inline, written=wish.written))
        if not inline:
            self._led_from.setdefault(wish.target, []).append(wish.group)
            self._lengthen(wish)
        return steps[-1]

    def _leads(self, start: str, goal: str) -> bool:
        seen, waiting = {start}, [start]
        while waiting:
            name = waiting.pop()
            if name == goal:
                return True
            for step in self.steps.get(name, ()):
                if not step.inline and step.target not in seen:
                    seen.add(step.target)
                    waiting.append(step.target)
        return False

    def _too_deep(self, wish: Wish) -> bool:
        return self._above.get(wish.group, 0) + 1 + self._below.get(wish.target, 0) > DEEPEST

    def _lengthen(self, wish: Wish) -> None:
        """Longest ways down and up, after one more step; there is no way around, for circles are written out."""
        waiting = [(wish.group, self._below.get(wish.target, 0) + 1)]
        while waiting:
            name, depth = waiting.pop()
            if depth > self._below.get(name, 0):
                self._below[name] = depth
                waiting.extend((each, depth + 1) for each in self._led_from.get(name, ()))
        waiting = [(wish.target, self._above.get(wish.group, 0) + 1)]
        while waiting:
            name, depth = waiting.pop()
            if depth > self._above.get(name, 0):
                self._above[name] = depth
                steps = self.steps.get(name, ())
                waiting.extend((step.target, depth + 1) for step in steps if not step.inline)

    def _tell(self, wish: Wish, step: Step | None) -> None:
        account, written = self._account, wish.written
        policy, target = self._groups[wish.group].name, self._groups[wish.target].name
        if step is None and wish.sort == "fallbacks":
            account.no_effect(written, f"`{wish.target}` is a fallback of `{wish.group}` already")
            return
        if step is not None and step.inline:
            account.changed(
                written,
                f"the targets of policy `{target}` are written out at the end of `{policy}`, without fallbacks of "
                f"their own: `{target}` leads back to it, and policies lead nowhere twice",
            )
        elif wish.sort == "fallbacks":
            account.imported(written, f"`{{policy: {target}}}` at the end of policy `{policy}`")
        elif wish.sort == "context_window_fallbacks":
            account.changed(
                written,
                f"`{{policy: {target}}}` at the end of policy `{policy}`: tried after every failure that goes on to "
                "the next target; what is too long for a target skips it without a call",
            )
        else:
            account.changed(
                written,
                f"`{{policy: {target}}}` at the end of policy `{policy}`, and `content_filter` in its `fall_back_on`: "
                "filtered content goes on to all its targets, and other failures to this one too",
            )
