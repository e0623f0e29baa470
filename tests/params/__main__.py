"""`python -m tests.params` asks litellm of every model of the price file, which takes some minutes."""

import json
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from typing import Any

import router.adapters.litellm_env  # noqa: F401 - litellm, made quiet
from router.adapters.param_book import TABLE
from router.adapters.price_file import PriceFile
from router.policy.kinds import KINDS
from tests.params.ask import refused

UNKNOWN = "a-model-that-nobody-knows"


def of_kind(kind: str) -> Mapping[str, Any]:
    """`any`: what no model of the kind takes, and so none that is not known; `some`: what other models don't take."""
    book = PriceFile.load()
    found = {model: refused(kind, model) for model in (UNKNOWN, *book.models(kind))}
    of_any = frozenset.intersection(*found.values())
    groups: dict[frozenset[str], list[str]] = defaultdict(list)
    for model, words in found.items():
        if words != of_any and model != UNKNOWN:
            groups[words].append(model)
    some = [{"refuses": sorted(words), "models": models} for words, models in groups.items()]
    return {"any": sorted(of_any), "some": some}


def main() -> None:
    with ProcessPoolExecutor(max_workers=2) as pool:
        kinds = dict(zip(sorted(KINDS), pool.map(of_kind, sorted(KINDS)), strict=True))
    table = {"litellm": version("litellm"), "kinds": kinds}
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
