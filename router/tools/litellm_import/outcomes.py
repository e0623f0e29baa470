"""What became of each key of a config: one outcome for every key, and why."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import PurePath

from router.policy.document import Path
from router.policy.lenient import Written
from router.policy.traps import SECRET
from router.values import Place


class Outcome(StrEnum):
    """The classes of the report, the ones to read first in front."""

    NO_EFFECT = "no effect in litellm"
    CHANGED = "imported with changed meaning"
    NOT_SUPPORTED = "not supported"
    NEEDS_DATABASE = "needs a database in litellm"
    IMPORTED = "imported"


class Danger(StrEnum):
    """What a key was to protect, in the order in which an owner would want to know that it does not."""

    SECRET = "a secret is written out"  # noqa: S105 - a heading
    ACCESS = "access is not controlled as it reads"
    MONEY = "money is not bounded as it reads"
    RATE = "traffic is not limited as it reads"
    LOST = "what callers named is not there"
    RELIABILITY = "failures are not handled as it reads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What happened to a key and to everything below it that has no verdict of its own; `help` says what to do."""

    outcome: Outcome
    message: str
    help: str = ""
    danger: Danger | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A verdict where it holds: `keys` are the keys without further ones that it covers, with their places."""

    path: Path
    place: Place
    verdict: Verdict
    keys: tuple[tuple[Path, Place], ...]

    @property
    def outcome(self) -> Outcome:
        return self.verdict.outcome


def pattern(path: Path) -> str:
    """`model_list[].litellm_params.rpm`: a path as people speak of it, all items of a list alike."""
    return "".join("[]" if isinstance(step, int) else f".{_named(step)}" for step in path).removeprefix(".")


def _named(step: str) -> str:
    return "..." if SECRET.search(step) else step


_PROTECTS: tuple[tuple[Danger, re.Pattern[str]], ...] = (
    (Danger.MONEY, re.compile(r"budget(?!_(?:rescheduler|metrics))|spend_limit")),
    (
        Danger.RATE,
        re.compile(
            r"(^|[_.])([rt]pm|rp[dm]|tpd|rate_limits?|rate_limiting|max_\w*parallel_requests)([_.]|$)"
        ),
    ),
    (
        Danger.ACCESS,
        re.compile(
            r"master_key|no_auth|(^|[_.])auth([_.]|$)|jwt|enable_sso|password_policy|permissions|allowed_ips|allowed_routes"
            r"|custom_auth|security_settings|key_generation|enforce_user_param|access_groups"
        ),
    ),
    (Danger.RELIABILITY, re.compile(r"fallback|retr(y|ies)|cooldown|allowed_fails")),
)
_NEVER_WORKED = (Outcome.NO_EFFECT, Outcome.NEEDS_DATABASE)


def protects(path: Path, outcome: Outcome) -> Danger | None:
    """What somebody may have relied on this key for, where it does not hold."""
    name = pattern(path)
    found = next((danger for danger, words in _PROTECTS if words.search(name)), None)
    if found is Danger.RELIABILITY and outcome is not Outcome.NO_EFFECT:
        return None
    return found if outcome in (*_NEVER_WORKED, Outcome.NOT_SUPPORTED) else None


UNEXPANDED = (
    "litellm expands only `os.environ/NAME`, so it took these characters for the value, unless the file was rendered "
    "before it started"
)
_SHELL = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*[:}]")
_Key = tuple[Place, Path]


@dataclass(slots=True)
class Account:
    """Collects verdicts while a config is read. The first word on a key stands. `folder` is that of the config."""

    folder: PurePath = field(default_factory=PurePath)
    verdicts: dict[_Key, Verdict] = field(default_factory=dict)

    def cited(self, place: Place) -> str:
        """`config.yaml:12`: a place without the way to the folder of the config."""
        return f"{os.path.relpath(place.file, self.folder)}:{place.line}"

    def say(
        self, key: Written, outcome: Outcome, message: str, *, help: str = "", danger: Danger | None = None
    ) -> None:
        verdict = Verdict(outcome=outcome, message=message, help=help, danger=danger)
        self.verdicts.setdefault((key.place, key.path), verdict)

    def imported(self, key: Written, message: str) -> None:
        self.say(key, Outcome.IMPORTED, message)

    def changed(self, key: Written, message: str, *, help: str = "", danger: Danger | None = None) -> None:
        self.say(key, Outcome.CHANGED, message, help=help, danger=danger)

    def refused(self, key: Written, message: str, *, help: str = "", danger: Danger | None = None) -> None:
        self.say(key, Outcome.NOT_SUPPORTED, message, help=help, danger=danger)

    def no_effect(self, key: Written, message: str, *, help: str = "", danger: Danger | None = None) -> None:
        self.say(key, Outcome.NO_EFFECT, message, help=help, danger=danger)

    def retell(
        self, key: Written, outcome: Outcome, message: str, *, help: str = "", danger: Danger | None = None
    ) -> None:
        """A later word on a key, in place of what was said of it."""
        self.verdicts.pop((key.place, key.path), None)
        self.say(key, outcome, message, help=help, danger=danger)

    def withdraw(
        self, whole: Written, outcome: Outcome, message: str, *, help: str = "", danger: Danger | None = None
    ) -> None:
        """Nothing came of all this after all: what was imported of it was not. What is else known of it stands."""
        for key in whole.below():
            found = self.of(key)
            if found is not None and found.outcome in (Outcome.IMPORTED, Outcome.CHANGED):
                del self.verdicts[key.place, key.path]
        self.retell(whole, outcome, message, help=help, danger=danger)

    def knows(self, key: Written) -> bool:
        return (key.place, key.path) in self.verdicts

    def of(self, key: Written) -> Verdict | None:
        return self.verdicts.get((key.place, key.path))


def findings(account: Account, roots: Iterable[Written]) -> Iterator[Finding]:
    """Every verdict that covers a key, in the order of the files. Each key without further ones is in exactly one."""
    for root in roots:
        covered: dict[_Key, tuple[Written, list[Written]]] = {}
        for owner, leaf in _owned(account, root, None):
            covered.setdefault((owner.place, owner.path), (owner, []))[1].append(leaf)
        for key, (owner, leaves) in covered.items():
            yield Finding(
                path=owner.path,
                place=owner.place,
                verdict=_told(account.verdicts[key], owner, leaves),
                keys=tuple((leaf.path, leaf.place) for leaf in leaves),
            )


def _told(verdict: Verdict, owner: Written, leaves: Iterable[Written]) -> Verdict:
    """With what it protects, and with what was never expanded."""
    danger = verdict.danger or protects(owner.path, verdict.outcome)
    message = verdict.message
    if UNEXPANDED not in message and any(_SHELL.search(leaf.text) for leaf in leaves):
        message = f"{message}; `${{NAME}}`: {UNEXPANDED}"
    return replace(verdict, message=message, danger=danger)


def _owned(account: Account, key: Written, above: Written | None) -> Iterator[tuple[Written, Written]]:
    """(who has the verdict, key) for every key without further ones."""
    for lost in key.lost:
        yield from _owned(account, lost, lost)
    owner = key if account.knows(key) else above
    if key.is_leaf and owner is not None:
        yield owner, key
    for _, below in key.fields():
        yield from _owned(account, below, owner)
    for below in key.items():
        yield from _owned(account, below, owner)
