"""Writing the policies of an import, and what `router check` says of them."""

from dataclasses import dataclass
from pathlib import Path

from router.errors import Problem, RouterError
from router.plan import Plan
from router.policy.load import load, policy_files
from router.tools.litellm_import.models import Book
from router.tools.litellm_import.run import Imported
from router.values import SecretRef


class FolderHoldsPolicies(RouterError):
    """There are policies already; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """`plan` is None where the folder does not pass its check; `variables` are those that the policies read."""

    files: tuple[Path, ...]
    plan: Plan | None
    problems: tuple[Problem, ...]
    variables: tuple[str, ...]


def write_policies(imported: Imported, folder: Path, book: Book, *, force: bool = False) -> Written:
    """Write the files into `folder` and check it. Raises FolderHoldsPolicies where it has policies, unless `force`,
    which replaces files of the same names and no others."""
    if not force and folder.is_dir() and any(True for _ in policy_files(folder)):
        raise FolderHoldsPolicies(
            f"`{folder}` holds policies already; nothing was written",
            help="`--output OTHER_FOLDER` writes elsewhere; `--force` replaces files of the same names",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in imported.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    loaded = load(folder, book.prices)
    return Written(
        files=tuple(folder / name for name in imported.files),
        plan=loaded.plan,
        problems=loaded.problems,
        variables=_variables(loaded.plan) if loaded.plan else (),
    )


def _variables(plan: Plan) -> tuple[str, ...]:
    """Every environment variable that a key or an address is read from, sorted."""
    references = [key.secret for provider in plan.providers.values() for key in provider.keys]
    addresses = [
        provider.base_url for provider in plan.providers.values() if isinstance(provider.base_url, SecretRef)
    ]
    found = (each for each in (*references, *addresses) if each is not None and each.source == "env")
    return tuple(sorted({each.name for each in found}))
