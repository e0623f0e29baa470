"""The same burst against the same budget: litellm's and ours. Every call is real HTTP to a provider of this process."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.burst_caller import LATER, OUTPUT_TOKENS
from bench.ledger import server
from bench.processes import answer_of
from bench.sections import Row, Run, Table
from bench.timing import spread

CALLS, FITS = 400, 17
ANSWER_AFTER_S = 0.2
"""How long the provider takes: nothing can be known of what a call cost before that."""


def burst(run: Run) -> Table:
    """Each caller in a fresh process, in turn, round after round."""
    from router.testing import Answer, FakeProvider

    calls = CALLS if run.calls >= 50 else 2 * FITS
    found: dict[str, list[tuple[int, int, int]]] = {}
    with ExitStack() as closing, TemporaryDirectory(prefix="bench-burst-") as name:
        folder = Path(name)
        valkey = closing.enter_context(server(folder / "server"))
        worst = answer_of(["-m", "bench.burst_caller", "worst", "", "http://x", "0", "0"], run.environment)
        answer = Answer(
            input_tokens=worst["input_tokens"], output_tokens=OUTPUT_TOKENS, delay_s=ANSWER_AFTER_S
        )
        provider = closing.enter_context(FakeProvider(default=answer, keep_requests=1))
        url = provider.base_url("openai")
        budget_nusd = FITS * worst["nusd"]
        for round_ in range(min(run.repeats, 3)):
            states = {"memory": "memory", "sqlite": f"sqlite:///{folder / f'{round_}.db'}"}
            states["valkey"] = f"{valkey}?db={round_}"
            callers = {"litellm.Router, provider_budget_config": ("litellm", "")}
            callers |= {f"AsyncRouter, {state} state": ("router", place) for state, place in states.items()}
            for title, (who, state) in callers.items():
                before = provider.request_count
                arguments = [who, state, url, str(budget_nusd), str(calls)]
                said = answer_of(["-m", "bench.burst_caller", *arguments], run.environment)
                sent = provider.request_count - before - said["answered_later"]
                found.setdefault(title, []).append((said["answered"], sent, said["answered_later"]))
    rows: list[Row] = [
        {
            "path": title,
            "at_once": calls,
            "answered": spread([answered for answered, _, _ in times]),
            "ratio": spread([sent / FITS for _, sent, _ in times]),
            "later": spread([later for _, _, later in times]),
        }
        for title, times in found.items()
    ]
    return Table(
        name="burst",
        title=f"{calls} calls at once against a budget worth {FITS}, of {worst['nusd']} nano-USD each",
        rows=rows,
        notes=(
            "ratio: of what the provider billed for the burst to the budget",
            f"later: how many of {LATER} more, one after another, were answered afterwards",
        ),
    )
