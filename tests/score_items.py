"""Items and predictions of the conditional benchmarks from a few numbers, for tests and benchmarks of the scorers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from surveyor.agent.parser import parse
from surveyor.core.masks import Mask
from surveyor.evals.bench.items import Image, Item, Made, Task, Truth
from surveyor.evals.bench.predictions import Predicted, Prediction

REQUEST = parse("planes longer than 40 m")
Box = Sequence[float]


def square(corner: float, side: float = 10.0) -> tuple[float, float, float, float]:
    """An upright box with its first corner on the diagonal."""
    return (corner, corner, corner + side, corner + side)


def filled(*boxes: Box, size_wh: tuple[int, int] = (100, 100)) -> dict[str, Any]:
    """Run-length encoding of whole-pixel boxes."""
    pixels = np.zeros(size_wh[::-1], dtype=bool)
    for x0, y0, x1, y1 in boxes:
        pixels[int(y0) : int(y1), int(x0) : int(x1)] = True
    return Mask.from_array(pixels).to_rle()


def make_item(
    id: str,
    right: Sequence[Box] = (),
    *,
    task: Task = "CREC",
    others: Sequence[Box] = (),
    ignored: Sequence[Box] = (),
    family: str | None = None,
    twin: str | None = None,
    size_wh: tuple[int, int] = (100, 100),
    **fields: Any,
) -> Item:
    """An item whose objects are these boxes; for CRES their pixels too."""
    groups = {"a": right, "o": others, "i": ignored}
    objects = tuple(
        Truth(id=f"{name}{i}", label="plane", hbb=box, rle=filled(box, size_wh=size_wh) if task == "CRES" else None)
        for name, boxes in groups.items()
        for i, box in enumerate(boxes)
    )
    image = Image(path="x.png", size_wh=size_wh, family=family or id)
    names = {kind: tuple(each.id for each in objects if each.id[0] in kind) for kind in ("a", "ao", "i")}
    return Item(
        id=id, task=task, image=image, expression="planes longer than 40 m", request=REQUEST, objects=objects,
        answer_ids=names["a"], universe_ids=names["ao"], ignored_ids=names["i"], twin=twin,
        made=Made(version=1, seed=0), **fields,
    )  # fmt: skip


def answer(id: str, boxes: Sequence[Box] = (), **fields: Any) -> Prediction:
    """An answer of upright boxes."""
    return Prediction(id=id, regions=tuple(Predicted(hbb=box) for box in boxes), **fields)


def painted(id: str, *boxes: Box, size_wh: tuple[int, int] = (100, 100), **fields: Any) -> Prediction:
    """An answer of one region a box, with its pixels."""
    regions = tuple(Predicted(hbb=box, rle=filled(box, size_wh=size_wh)) for box in boxes)
    return Prediction(id=id, regions=regions, **fields)


def no_answer(id: str, status: Any = "unreadable") -> Prediction:
    """A reply that does not count."""
    return Prediction(id=id, status=status)
