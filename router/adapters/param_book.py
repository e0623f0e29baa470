"""Which call parameters a model does not take, as litellm says: a table made of its answers, so that nothing has to
import it to know. `python -m tests.params` makes the table anew after an upgrade of litellm."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("param_table.json")

NOTHING: frozenset[str] = frozenset()


class ParamBook:
    """Words of refusals by (kind, model); see `router.decide.params.words_of`. Frozen after `load`."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._of_any = {kind: frozenset(of["any"]) for kind, of in table.items()}
        self._of_model = {
            kind: {model: frozenset(group["refuses"]) for group in of["some"] for model in group["models"]}
            for kind, of in table.items()
        }

    @classmethod
    def load(cls, path: Path = TABLE) -> "ParamBook":
        return cls(json.loads(path.read_bytes())["kinds"])

    def refuses(self, kind: str, names: Iterable[str]) -> frozenset[str]:
        """Of the first of `names` that the table knows. Of a model that it does not know: what no model of the kind
        takes."""
        known = self._of_model.get(kind, {})
        found = next((known[name] for name in names if name in known), None)
        return self._of_any.get(kind, NOTHING) if found is None else found
