"""What was answered to an item: one JSON object a line, in the order of answering. Scorers read nothing else."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ...core.conditions import Node


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
