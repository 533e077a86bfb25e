"""The requests of the parser benchmark, each with its hand-written meaning: `evals/requests/dev.jsonl`, `test.jsonl`.

One JSON object a line:

- `gold`: the condition tree, null where the request must be refused; `also`: other right readings of the words;
- `refuse`: the words (as they stand in the query) of which a refusal must name at least one. With a `gold` beside it,
  either is right: the words can be taken in several ways, or are misspelt, and asking back is fair;
- `needs`: what the tree would have to be able to say before the request could be answered; until then it is refused;
- `kinds`: what sort of request it is, the row of the report first; `scene`: the kind of drawn scene it is asked of.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..core.conditions import Request
from ..core.errors import UsageError
from ..core.plan import describe_faults

FOLDER = Path(__file__).parent / "requests"
Split = Literal["dev", "test"]
SPLITS: tuple[Split, ...] = ("dev", "test")


class Item(BaseModel):
    """One request of the benchmark. Fields: see the module."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z]+-\d+$")
    query: str = Field(min_length=1)
    kinds: tuple[str, ...] = Field(min_length=1)
    scene: str
    gold: Request | None
    also: tuple[Request, ...] = ()
    refuse: tuple[str, ...] = ()
    needs: str | None = None

    @model_validator(mode="after")
    def _has_a_meaning(self) -> Self:
        if self.gold is None and (self.also or not self.refuse):
            raise ValueError("a request has a gold tree, or words to be named when it is refused")
        strange = [words for words in self.refuse if words not in self.query]
        if strange:
            raise ValueError(f"the words to be refused are not in the query: {strange}")
        return self

    @property
    def golds(self) -> tuple[Request, ...]:
        """Every right tree; empty when only a refusal is right."""
        return () if self.gold is None else (self.gold, *self.also)


def read_requests(split: Split, folder: Path = FOLDER) -> tuple[Item, ...]:
    """The requests of a split, in file order.

    Raises:
        UsageError: the file is missing, or some lines are faulty; all of them are listed.

    Example:
        >>> read_requests("dev")[0].query
        'planes'
    """
    path = folder / f"{split}.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"cannot read the requests {str(path)!r}: {error.strerror or error}") from None
    items, faults = [], []
    for number, line in enumerate(lines, start=1):
        try:
            items.append(Item.model_validate(json.loads(line)))
        except ValidationError as error:
            faults.append(f"line {number}: {describe_faults(error)}")
        except json.JSONDecodeError as error:
            faults.append(f"line {number}: {error}")
    if faults:
        raise UsageError(f"{path.name} has faults: " + "; ".join(faults))
    return tuple(items)
