"""Cases as tests of somebody's own suite: each one an item of pytest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.errors import Problem, RouterError
from router.plan import Plan
from router.ports import Tokens
from router.testing.cases.case import Case
from router.testing.cases.report import cases_at, play_case
from router.testing.cases.telling import case_lines

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet


class CaseFileError(RouterError):
    """Case files hold what is no case. `problems` says where."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = "\n".join(str(problem) for problem in problems)
        super().__init__(f"the case files can't be played as they are\n{lines}")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayableCase:
    """One case and the plan it is about."""

    plan: Plan = field(repr=False)
    case: Case
    tokens: Tokens = field(repr=False)

    def check(self) -> None:
        """Play it. Raises AssertionError that tells each expectation which was not met, and what happened."""
        __tracebackhide__ = True  # pytest shows the line of the test instead
        result = play_case(self.plan, self.case, self.tokens)
        if not result.passed:
            raise AssertionError("\n".join(case_lines(result)))


def case_params(path: str | Path = "policies", *, policies: str | Path | None = None) -> "list[ParameterSet]":
    """Every case below `path`, for `@pytest.mark.parametrize("case", case_params("policies"))`.

    Raises PolicyError where the policies make no plan, RequestError where there is no case file, CaseFileError with
    every problem where a case file is wrong: pytest shows it when it collects the tests.
    """
    import pytest

    loaded = cases_at(path, policies=policies)
    if loaded.problems:
        raise CaseFileError(loaded.problems)
    tokens = TiktokenTokens()
    return [
        pytest.param(PlayableCase(plan=loaded.plan, case=case, tokens=tokens), id=_id(case))
        for case in loaded.cases
    ]


def _id(case: Case) -> str:
    """`cheap-fast: the second target answers`."""
    return f"{Path(case.place.file).name.partition('.')[0]}: {case.name}"
