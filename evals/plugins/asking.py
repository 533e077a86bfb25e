"""An item as a question to any model that sees images, and the reply to it as a prediction.

A harness hands over the reply's text and nothing else. So the question says how boxes are to be written and what the
numbers mean, the reply is read in that dialect alone (`core.codec`), and what cannot be read is "unreadable", which
counts as wrong. Words may stand round the boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

import numpy as np

from ...core.codec import Pointed, dialect
from ...core.errors import ModelOutputError, UsageError
from ...core.masks import Mask
from ...tools.models.pointing import region_of
from ...tools.models.views import View
from ..bench.items import Item, Truth
from ..bench.predict import predicted
from ..bench.predictions import Prediction

DIALECT = "native"
TASKS = ("CREC", "CRES", "RCD")

_QUESTION = Template("$shown $asked\n$form\n$grid $none")
_ONE_IMAGE = "This is an aerial or satellite image, seen from above."
_TWO_IMAGES = "Both images show the same place from above, the second at a later time."
_ASKED = Template('Find every object that this request asks for, and no other: "$expression".')
_CHANGE = Template(
    'Find all that changed between them and that this request asks for, and nothing else: "$expression".'
)
_GRID = (
    "Coordinates are whole numbers from 0 to 1000, whatever the size of the image: x from its left edge (0) to its "
    "right edge (1000), y from its top edge (0) to its bottom edge (1000)."
)
_NONE = Template("If there is none, answer $none.")
_BOXES = {
    "native": "Answer with one line for each and no other words: its upper left and its lower right corner, written "
    "[(x1,y1),(x2,y2)].",
    "qwen2-vl": "Answer with one line for each and no other words: its upper left and its lower right corner, written "
    "<|object_ref_start|>name<|object_ref_end|><|box_start|>(x1,y1),(x2,y2)<|box_end|>.",
    "qwen3-vl": 'Answer with one JSON list and no other words: an object {"bbox_2d": [x1, y1, x2, y2], "label": '
    '"name"} for each, with its upper left and its lower right corner.',
}
_OUTLINES = {
    "native": "Answer with one line for each and no other words: its outline as a closed polygon, written "
    "[(x1,y1),(x2,y2),(x3,y3),...,(x1,y1)], the last point the same as the first.",
}
_NO_OBJECT = {"native": "none", "qwen2-vl": "none", "qwen3-vl": "[]"}


def check_dialect(name: str) -> None:
    """Raises UsageError for a dialect in which nothing can be asked here."""
    spoken = dialect(name)
    if name in _BOXES:
        return
    known = ", ".join(_BOXES)
    if spoken.coordinates == "pixels of the resized image":
        raise UsageError(
            f"the dialect {name!r} counts in pixels of the image as the model has resized it, and no harness tells "
            f"that size; expected one of: {known}. Such models are asked by bench run."
        )
    raise UsageError(f"there is no question for the dialect {name!r}, expected one of: {known}")


def question(item: Item, name: str = DIALECT) -> str:
    """What a model is asked, to be put behind the item's image or images.

    Masks are asked for as outlines in the native dialect, as boxes in the others: those have no words for outlines.

    Args:
        item: of CREC, CRES or RCD.
        name: dialect of the reply.

    Raises:
        UsageError: a dialect that has no question, see `check_dialect`.
    """
    check_dialect(name)
    forms = _OUTLINES if item.task != "CREC" and name in _OUTLINES else _BOXES
    about = _CHANGE if item.task == "RCD" else _ASKED
    return _QUESTION.substitute(
        shown=_TWO_IMAGES if item.task == "RCD" else _ONE_IMAGE,
        asked=about.substitute(expression=" ".join(item.expression.split())),
        form=forms[name],
        grid=_GRID,
        none=_NONE.substitute(none=_NO_OBJECT[name]),
    )


def read_reply(reply: str, item: Item, name: str = DIALECT) -> Prediction:
    """The prediction that a reply is. For masks an outline is filled in, and a box where only that was given.

    Args:
        reply: the model's text, without its reasoning.
        item: that was asked.
        name: dialect that was asked for.

    Returns:
        Status "answered", with no regions for an explicit none, or "unreadable" with the text in `said`.

    Example:
        >>> from surveyor.evals.construction.synth_source import synth_records
        >>> from surveyor.evals.construction.builder import build
        >>> _, items = build(synth_records(1, seed=0, size_wh=(512, 256)), task="CREC", n=1, seed=0)
        >>> read_reply("Two: [(0,0),(500,1000)], [(500,0),(1000,500)].", items[0]).regions[1].hbb
        (256.0, 0.0, 512.0, 128.0)
        >>> read_reply("I see some planes.", items[0]).status
        'unreadable'
    """
    size_wh = item.image.size_wh
    wants_pixels = item.task != "CREC"
    try:
        found = dialect(name).decode(reply, size_wh, kind="polygon" if wants_pixels else None, strict=False)
    except ModelOutputError as error:
        return Prediction(id=item.id, status="unreadable", said=f"{error}\n{error.raw}")
    view = View((0, 0, *size_wh), size_wh, size_wh)
    regions = [predicted(region_of(each, view, each.label or "", None, "reply")) for each in found]
    if wants_pixels:
        masks = [Mask.from_polygon(_outline(each), size_wh[::-1]).to_rle() for each in found]
        regions = [region.model_copy(update={"rle": rle}) for region, rle in zip(regions, masks, strict=True)]
    return Prediction(id=item.id, regions=tuple(regions), said=reply)


def right_reply(item: Item, name: str = DIALECT) -> str:
    """The truth as a reply: what the dialect can say of it (outlines without holes, a box for an oriented box)."""
    spoken = dialect(name)
    outlines = item.task != "CREC" and "polygon" in spoken.kinds
    objects = [shown for truth in item.answers for shown in _shown(truth, item, outlines)]
    if item.answer_rle is not None:
        objects = _parts(item.answer_rle, "change", outlines)
    return spoken.encode(objects, item.image.size_wh)


def truth_of(item: Item) -> dict[str, object]:
    """What is right, in short, for people who look at a log: boxes in px of the image."""
    boxes = [{"label": each.label, "box_px": list(each.hbb)} for each in item.answers]
    changed = None if item.answer_rle is None else Mask.from_rle(item.answer_rle)
    told: dict[str, object] = {"expression": item.expression, "answers": boxes}
    return told if item.task != "RCD" else told | {"changed_px": 0 if changed is None else changed.area_px}


def _shown(truth: Truth, item: Item, outlines: bool) -> Sequence[Pointed]:
    if outlines and truth.rle is not None:
        return _parts(truth.rle, truth.label, outlines)
    return [Pointed("box", np.array(truth.hbb).reshape(2, 2), None, truth.label)]


def _parts(rle: dict[str, object], label: str, outlines: bool) -> list[Pointed]:
    found = []
    for polygon in Mask.from_rle(rle).to_polygons():
        ring = np.asarray(polygon.exterior.coords, dtype=np.float64)[:-1]
        corners = np.stack([ring.min(axis=0), ring.max(axis=0)])
        found.append(Pointed("polygon", ring, None, label) if outlines else Pointed("box", corners, None, label))
    return found


def _outline(item: Pointed) -> np.ndarray:
    """(N, 2) the ring to fill in."""
    points = np.asarray(item.points_px, dtype=np.float64)
    if item.kind != "box":
        return points
    (x0, y0), (x1, y1) = points
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
