"""Documents to a Plan, through named pure passes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import reduce

from router.errors import PolicyError, Problem
from router.plan import Plan
from router.policy import (
    breakers,
    checks,
    demands,
    names,
    price_checks,
    rename_checks,
    rolling_checks,
    spent_checks,
    warn_checks,
)
from router.policy.catalog import Catalog
from router.policy.digest import seal
from router.policy.document import Document
from router.policy.draft import Draft
from router.policy.extends import weave_policies
from router.policy.merge import merge_files
from router.policy.policies import resolve_policies
from router.policy.providers import resolve_providers
from router.policy.settings import resolve_settings
from router.policy.sound import sound_part
from router.policy.targets import resolve_targets
from router.policy.tenants import resolve_tenants

Pass = Callable[[Draft], Draft]


def check_names(draft: Draft) -> Draft:
    """Pass: what the blocks point at."""
    return draft.blaming([found for check in NAME_CHECKS for found in check(draft)])


def check_meaning(draft: Draft) -> Draft:
    """Pass: what the blocks add up to, as far as nothing is wrong with them so far."""
    sound = sound_part(draft)
    whole = (each.check for each in checks.FOLDER_CHECKS if each.over <= sound.whole)
    found = [each for check in (*checks.CHECKS, *whole) for each in check(sound.draft)]
    dead = {each.place for each in found if each.code == "rule-never-reached"}
    return draft.blaming([each for each in found if each.code != "rules-overlap" or each.place not in dead])


def forget_echoes(draft: Draft) -> Draft:
    """Pass: where the form of a value is wrong, nothing else is said of that value."""
    wrong = {found.place for found in draft.of_form}
    heard = [
        found
        for found in draft.problems[len(draft.of_form) :]
        if found.place not in wrong or found.code == "duplicate-name"
    ]
    return replace(draft, problems=(*draft.of_form, *heard))


NAME_CHECKS = (
    names.dangling_policies,
    names.default_policy,
    names.cycles,
    names.multiplied,
    names.repeated_targets,
    names.condition_names,
    names.parameters,
    names.windowless_blocks,
    rolling_checks.fixed_windows,
    names.pools,
    rename_checks.renames,
    spent_checks.useless_jumps,
    price_checks.empty_validity,
    price_checks.pointless_discounts,
    price_checks.repeated_tiers,
    breakers.pointless_breakers,
    warn_checks.warnings,
    demands.unmatched_patterns,
    demands.unknown_labels,
    names.time_zone,
)

PASSES: tuple[Pass, ...] = (
    merge_files,
    weave_policies,
    resolve_settings,
    resolve_providers,
    resolve_targets,
    resolve_policies,
    resolve_tenants,
    check_names,
    forget_echoes,
    check_meaning,
    seal,
)


def compile_draft(
    documents: Sequence[Document],
    catalog: Catalog,
    *,
    folder: str = "",
    problems: Sequence[Problem] = (),
    today: date | None = None,
    unread_files: bool = False,
) -> Draft:
    """`problems` are those of reading and form. `unread_files`: there are files that no document could be made of, and
    names may be declared there."""
    first = Draft(
        documents=tuple(documents),
        catalog=catalog,
        folder=folder,
        today=today,
        unread_files=unread_files,
        of_form=tuple(problems),
        problems=tuple(problems),
    )
    return reduce(lambda draft, step: step(draft), PASSES, first)


def compile_plan(documents: Sequence[Document], catalog: Catalog, *, folder: str = "") -> Plan:
    """Raises PolicyError with every error where the documents make no plan."""
    draft = compile_draft(documents, catalog, folder=folder)
    errors = [found for found in draft.problems if found.severity == "error"]
    if errors:
        raise PolicyError(errors)
    return draft.plan
