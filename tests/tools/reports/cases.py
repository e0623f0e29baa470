"""Problems that are hard to write down in any format."""

from router.errors import Problem
from router.plan import Plan, Settings
from router.tools.reports import Report
from router.values import Place

TYPO = Problem(
    code="unknown-key",
    message="unknown key `retyr` in a policy",
    place=Place(file="policies/b.yaml", line=6, column=5),
    help="did you mean `retry`?",
)
CLASH = Problem(
    code="duplicate-name",
    message="policy `fast` is declared twice",
    place=Place(file="policies/b.yaml", line=9, column=3),
    also=Place(file="policies/a.yaml", line=4, column=3),
    help="keep one, or write `{env: NAME}` or `{0}`",
)
AWKWARD = Problem(
    code="wrong-form",
    message='`<&"]]>\t\x00\x1b\ufffe` is 80%, not 8s: no',
    place=Place(file='policies/ü % 1,2:3 "x"\x07.yaml', line=1, column=2),
)
WHOLE_FILE = Problem(
    code="encoding", message="not UTF-8 text (byte 3)", place=Place(file="policies/c.yaml", line=0, column=0)
)
WARNING = Problem(
    code="sampled-cache",
    message="this cache keeps nothing",
    place=Place(file="policies/a.yaml", line=7, column=5),
    severity="warning",
)
NOTE = Problem(
    code="starved-target",
    message="only all retries starve it",
    place=Place(file="policies/a.yaml", line=8, column=5),
    severity="note",
)
EVERY = (WARNING, NOTE, TYPO, CLASH, WHOLE_FILE, AWKWARD)

PLAN = Plan(
    digest="d" * 64,
    prices_digest="p" * 64,
    providers={},
    targets={},
    policies={},
    tenants={},
    settings=Settings(),
    folder="policies",
)


def report(*problems: Problem, strict: bool = False, **about: str) -> Report:
    """`policies/a.yaml` and `policies/b.yaml` were read."""
    broken = any(problem.severity == "error" for problem in problems)
    return Report(
        problems=problems,
        files=("policies/a.yaml", "policies/b.yaml"),
        plan=None if broken else PLAN,
        strict=strict,
        **{"cwd": "/repo", "root": "/repo", **about},  # type: ignore[arg-type]
    )
