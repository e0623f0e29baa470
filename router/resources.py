"""Where the files that ship with the package are: `policies/`, `schemas/` and `cassettes/`.

In a checkout and an editable install they are the folders beside the package; in a wheel they travel inside it.
"""

from pathlib import Path, PurePosixPath

from router.errors import RouterError

_PACKAGE = Path(__file__).resolve().parent
_BESIDE = _PACKAGE.parent
_INSIDE = _PACKAGE / "_data"
_FOLDERS = frozenset({"policies", "schemas", "cassettes"})


class ResourceMissing(RouterError, LookupError):
    """A file that ships with the package is in neither of its two places: a broken install."""


def resource(name: str) -> Path:
    """The file or folder that ships as `name`, such as `policies` or `schemas/router.schema.json`.

    Raises ResourceMissing naming both places that were looked at.
    """
    _refuse_outside(name)
    for root in _roots():
        if (found := root / name).exists():
            return found
    raise ResourceMissing(
        f"`{name}` is neither at `{_BESIDE / name}` nor at `{_INSIDE / name}`",
        help="install the package again: its wheel carries policies, schemas and cassettes",
    )


def _roots() -> tuple[Path, ...]:
    """The checkout first, but only when it is one: a `policies` folder in site-packages is somebody else's."""
    return (_BESIDE, _INSIDE) if (_BESIDE / "pyproject.toml").is_file() else (_INSIDE,)


def _refuse_outside(name: str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or parts[0] not in _FOLDERS or ".." in parts:
        known = ", ".join(sorted(_FOLDERS))
        raise ValueError(f"`{name}` is no resource: it must be one of {known}, or a path inside one")
