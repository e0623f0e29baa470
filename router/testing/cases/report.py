"""All cases of a folder, played: which met what they expect, and how the others differ."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.client.assembly import load_plan
from router.errors import PolicyError, Problem, RequestError
from router.plan import Plan
from router.policy.load import CASES
from router.ports import Tokens
from router.testing.cases.case import Case, WrittenFault
from router.testing.cases.coverage import Coverage, Key, coverage, exercised
from router.testing.cases.expect import Asked, Expectation
from router.testing.cases.files import case_files, read_cases
from router.testing.cases.play import Played, play

NOWHERE = "every step has one of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """An expectation that was not met, and the call that did not meet it."""

    expectation: Expectation
    got: str
    played: Played


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    case: Case
    misses: tuple[Miss, ...]
    calls: int

    @property
    def passed(self) -> bool:
        return not self.misses


def play_case(
    plan: Plan, case: Case, tokens: Tokens, *, watch: Callable[[Played], None] | None = None
) -> Result:
    """Play `case` to its end. `watch` sees every call. Of a step that is repeated only the first miss is kept."""
    misses: dict[tuple[int, int], Miss] = {}
    calls, idle = 0, list(case.faults)
    last: dict[int, Played] = {}
    for played in play(plan, case, tokens):
        calls += 1
        last[played.step] = played
        if watch is not None:
            watch(played)
        for miss in _misses(played):
            misses.setdefault((played.step, id(miss.expectation)), miss)
        idle = [fault for fault in idle if not _happened(fault, played)]
    never = [_never(fault, last) for fault in idle]
    return Result(case=case, misses=(*misses.values(), *never), calls=calls)


def _happened(fault: WrittenFault, played: Played) -> bool:
    return played.step in fault.steps and fault.target in played.seen.asked


def _never(fault: WrittenFault, last: Mapping[int, Played]) -> Miss:
    """Told by the last call that it is for; by the last of all where every step has faults of its own."""
    step = max(fault.steps, default=max(last))
    asked = Asked(place=fault.place, target=fault.target)
    return Miss(expectation=asked, got=asked.missed(last[step].seen) or NOWHERE, played=last[step])


def _misses(played: Played) -> Iterator[Miss]:
    for expectation in played.call.expect:
        got = expectation.missed(played.seen)
        if got is not None:
            yield Miss(expectation=expectation, got=got, played=played)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReport:
    """`results` in the order of the files; empty where `problems` say what is wrong with them. `coverage` None: nobody
    asked; it must reach `fail_under` percent. `warnings` are those of the policies."""

    files: tuple[str, ...]
    problems: tuple[Problem, ...]
    results: tuple[Result, ...]
    warnings: tuple[Problem, ...] = ()
    coverage: Coverage | None = None
    fail_under: float = 0.0

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if not result.passed)

    @property
    def is_covered(self) -> bool:
        return self.coverage is None or not self.coverage.is_under(self.fail_under)

    @property
    def passed(self) -> bool:
        return not self.problems and not self.failed and self.is_covered


def run_cases(
    path: str | Path,
    *,
    policies: str | Path | None = None,
    wanted: Callable[[str], bool] = lambda _: True,
    cover: bool = False,
    fail_under: float = 0.0,
) -> CaseReport:
    """Play the cases of a folder, or of one file, whose names are `wanted`, against the policies of the same folder or
    of `policies`. `fail_under` is in percent, and asks for coverage too.

    Raises PolicyError where the policies make no plan, RequestError where there is no case file.
    """
    loaded = cases_at(path, policies=policies)
    tokens, keys = TiktokenTokens(), set[Key]()
    measured = cover or fail_under > 0

    def watch(played: Played) -> None:
        keys.update(exercised(loaded.plan, played.seen))

    return CaseReport(
        files=loaded.files,
        problems=loaded.problems,
        results=tuple(
            play_case(loaded.plan, case, tokens, watch=watch if measured else None)
            for case in loaded.cases
            if wanted(case.name)
        ),
        warnings=loaded.warnings,
        coverage=coverage(loaded.plan, keys) if measured else None,
        fail_under=fail_under,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """`cases` is empty where any file has problems. `warnings` are those of the policies."""

    plan: Plan
    warnings: tuple[Problem, ...]
    files: tuple[str, ...]
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]


def cases_at(path: str | Path, *, policies: str | Path | None = None) -> Loaded:
    """The cases of a folder or file, and the plan they are about. Raises as `run_cases`."""
    path = Path(path)
    plan, warnings = _plan_of(path, policies)
    paths = case_files(path)
    if not paths:
        raise RequestError(
            f"`{path}` holds no case files",
            help="cases stand beside the policies, in files named `*.cases.yaml`",
        )
    read = read_cases(paths, plan)
    problems = tuple(problem for file in read for problem in file.problems)
    return Loaded(
        plan=plan,
        warnings=warnings,
        files=tuple(file.file for file in read),
        cases=() if problems else tuple(case for file in read for case in file.cases),
        problems=problems,
    )


def _plan_of(path: Path, policies: str | Path | None) -> tuple[Plan, tuple[Problem, ...]]:
    """The policies named, else those beside the cases."""
    alone = policies is None and path.name.endswith(CASES)
    try:
        return load_plan(policies or (path.parent if alone else path))
    except PolicyError as error:
        if alone and path.exists() and [each.code for each in error.problems] == ["no-policies"]:
            raise RequestError(
                f"there are no policies beside `{path}`",
                help="name the policies it is about: `--policies FOLDER`",
            ) from error
        raise
