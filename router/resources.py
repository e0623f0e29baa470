"""Where the files that ship with the package are: `policies/`, `schemas/` and `cassettes/`.

In a checkout and an editable install they are the folders beside the package; in a wheel they travel inside it.
"""

from pathlib import Path, PurePosixPath

from router.errors import RouterError

FOLDERS = ("cassettes", "policies", "schemas")
_PACKAGE = Path(__file__).resolve().parent


class ResourceMissing(RouterError, LookupError):
    """A file that ships with the package is in neither of its two places: the install is broken."""


def resource(name: str, *, package: Path = _PACKAGE) -> Path:
    """The file or folder that ships as `name`, such as `policies` or `schemas/router.schema.json`.

    Raises ResourceMissing naming both places where it could be, ValueError for a name outside the shipped folders.
    """
    _refuse_outside(name)
    beside, inside = package.parent, package / "_data"
    # What is beside an installed package (`site-packages/policies`) is somebody else's.
    found = (inside if inside.is_dir() else beside) / name
    if found.exists():
        return found
    raise ResourceMissing(
        f"`{name}` is neither at `{beside / name}` (a checkout) nor at `{inside / name}` (an installed wheel)",
        help="install the package again, or restore the file in the checkout",
    )


def _refuse_outside(name: str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or parts[0] not in FOLDERS or ".." in parts:
        raise ValueError(
            f"`{name}` does not ship with the package: start it with one of {', '.join(FOLDERS)}"
        )
