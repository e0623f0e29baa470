"""Documents to a Plan, through named pure passes."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import reduce

from router.errors import PolicyError, Problem
from router.plan import Plan
from router.policy import checks, names
from router.policy.catalog import Catalog
from router.policy.digest import seal
from router.policy.document import Document
from router.policy.draft import Draft
from router.policy.merge import merge_files
from router.policy.policies import resolve_policies
from router.policy.providers import resolve_providers
from router.policy.settings import resolve_settings
from router.policy.targets import resolve_targets
from router.policy.tenants import resolve_tenants

Pass = Callable[[Draft], Draft]


def check_names(draft: Draft) -> Draft:
    """Pass: what the blocks point at."""
    return draft.blaming([found for check in NAME_CHECKS for found in check(draft)])


def check_meaning(draft: Draft) -> Draft:
    """Pass: what the blocks add up to; only worth asking where nothing is wrong so far."""
    if any(found.severity == "error" for found in draft.problems):
        return draft
    return draft.blaming([found for check in checks.CHECKS for found in check(draft)])


NAME_CHECKS = (
    names.dangling_policies,
    names.default_policy,
    names.cycles,
    names.repeated_targets,
    names.condition_names,
    names.parameters,
    names.windowless,
    names.time_zone,
)

PASSES: tuple[Pass, ...] = (
    merge_files,
    resolve_settings,
    resolve_providers,
    resolve_targets,
    resolve_policies,
    resolve_tenants,
    check_names,
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
) -> Draft:
    """`problems` are those of form; with errors among them only names are checked."""
    first = Draft(
        documents=tuple(documents), catalog=catalog, folder=folder, today=today, problems=tuple(problems)
    )
    return reduce(lambda draft, step: step(draft), PASSES, first)


def compile_plan(documents: Sequence[Document], catalog: Catalog, *, folder: str = "") -> Plan:
    """Raises PolicyError with every error where the documents make no plan."""
    draft = compile_draft(documents, catalog, folder=folder)
    errors = [found for found in draft.problems if found.severity == "error"]
    if errors:
        raise PolicyError(errors)
    return draft.plan
