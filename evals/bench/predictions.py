"""What was answered to an item: one JSON object a line, in the order of answering. Scorers read nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from ...core.conditions import Node

_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\d+(\.\d+)?")
_LONGEST = 240


class Predicted(Node):
    """One answered object, px of the item's crop.

    Attributes:
        hbb: x0, y0, x1, y1.
        obb: four corners; None where the model gives upright boxes.
        rle: COCO run-length encoding; None without masks.
        score: as the model gave it; None where it gave none.
        label: as found.
    """

    hbb: tuple[float, float, float, float]
    obb: tuple[tuple[float, float], ...] | None = None
    rle: dict[str, Any] | None = None
    score: float | None = None
    label: str = ""


class Prediction(Node):
    """The answer to one item.

    Attributes:
        id: of the item.
        status: "answered"; "unreadable" (the model's text), "failed" (a tool or model), "refused" (the request was not
            understood), "timeout". All but the first count as wrong.
        regions: what was answered, in the order of the answer; empty and "answered" is an explicit none.
        mask_rle: RCD: the changed pixels answered.
        request: the tree that was understood, as JSON; None where the truth's was used or nothing was understood.
        said: the reply or the error's words.
        seconds: wall-clock time.
    """

    id: str = Field(min_length=1)
    status: Literal["answered", "unreadable", "failed", "refused", "timeout"] = "answered"
    regions: tuple[Predicted, ...] = ()
    mask_rle: dict[str, Any] | None = None
    request: dict[str, Any] | None = None
    said: str = ""
    seconds: float = Field(default=0.0, ge=0)


def reasons(predictions: Iterable[Prediction]) -> list[dict[str, Any]]:
    """Why items have no answer, most frequent first: "status", "reason", "items" (how many), "first" (an id).

    Reasons that differ only in numbers and in what stands in quotes are one; the words are those of the first item.

    Example:
        >>> said = ("no image 'a.png'", "no image 'b.png'")
        >>> reasons(Prediction(id=str(n), status="failed", said=each) for n, each in enumerate(said))
        [{'status': 'failed', 'reason': "no image 'a.png'", 'items': 2, 'first': '0'}]
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for given in predictions:
        if given.status == "answered":
            continue
        line = next((" ".join(line.split()) for line in given.said.splitlines() if line.strip()), "no reason was kept")
        short = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
        told = {"status": given.status, "reason": short, "items": 0, "first": given.id}
        found.setdefault((given.status, _VARYING.sub("…", line)), told)["items"] += 1
    return sorted(found.values(), key=lambda each: -each["items"])
