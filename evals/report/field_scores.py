"""Scores of a run on the field's items: each dataset's answers through the scorers of `evals.scores`.

Every item stays in the denominator, as everywhere. What a figure means is told by its scorer; what is chosen here is
what of an answer counts (the first region of REC) and which tables a task has.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...core.errors import UsageError
from ...core.geometry import box_to_corners
from ...core.masks import Mask
from ...core.progress import note
from ...core.rotated_iou import rotated_iou_matrix
from ..bench.field_predict import is_one
from ..bench.items import FIELD_TASKS, FieldItem
from ..bench.predictions import Predicted, Prediction
from ..scores.bcs import ThreeAnswers, score_bcs
from ..scores.captions import Captioned, plain_tokens, ptb_tokens, score_captions
from ..scores.gcg import Grounded, ap50, score_gcg
from ..scores.matching import TOLERANCE
from ..scores.pixels import Packed, joined, nothing, packed
from ..scores.rec import Referred, score_rec
from ..scores.res import NO_MASK, Segmented, score_res
from ..scores.scene import Classified, class_key, score_scenes
from ..scores.scored import ANSWERED, MISSING, Row, Scored, Sums, ratio, scored
from ..scores.vqa import ROTATIONS, Questioned, score_circular, score_vqa

PLAIN_CAPTIONS = "captions (plain tokens)"
"""The track of captions where there is no Java: other words are counted than in papers, and METEOR is left out."""
_EVERY_IOU = 0.5
_LETTER = re.compile(r"^\W*([A-Za-z])\s*(?:$|\n|[.):,;\]}>*]|\s[-\u2013\u2014]\s)")

Asked = tuple[FieldItem, Prediction | None, str]
"""An item, the answer that counts (None where there is none), its status."""


def score_field(items: Iterable[Any], predictions: Iterable[Prediction]) -> dict[str, Scored]:
    """The tables of a run, by track.

    Args:
        items: `FieldItem`s of one task.
        predictions: at most one an item.

    Returns:
        REC: "boxes" (expressions for one thing; `acc@t`, `acc_plus_one@t`, ...), "oriented boxes" (those whose corners
        are annotated), "every box" (where expressions name several). RES: "masks", "consistency" (of the boxes and
        the mask of one thing).
        GCG: "masks" with `AP50`, and captions. VQA: "questions" by type, "circular". CAPTION: "captions", or
        `PLAIN_CAPTIONS` without Java. SCENE: "scenes".

    Raises:
        UsageError: no items, items of several tasks or of none of the field's, doubled ids, predictions for no item.

    Example:
        >>> from surveyor.evals.bench.items import Image
        >>> image = Image(path="a.png", size_wh=(8, 8), family="demo:a")
        >>> item = FieldItem(id="q", task="VQA", image=image, text="Any ship?", answers=("yes",), type="presence")
        >>> score_field([item], [Prediction(id="q", said="Yes.")])["questions"].values()["strict presence"]
        1.0
    """
    asked = _joined(items, predictions)
    tasks = {item.task for item, _, _ in asked}
    if len(tasks) != 1 or not tasks <= set(FIELD_TASKS):
        raise UsageError(f"the items are of tasks {sorted(tasks)!r}; expected one of {', '.join(FIELD_TASKS)}")
    return _TABLES[tasks.pop()](asked)


def _joined(items: Iterable[FieldItem], predictions: Iterable[Prediction]) -> list[Asked]:
    given: dict[str, Prediction] = {}
    for prediction in predictions:
        if prediction.id in given:
            raise UsageError(f"two predictions are for item {prediction.id!r}; expected one an item")
        given[prediction.id] = prediction
    asked: dict[str, Asked] = {}
    for item in items:
        if item.id in asked:
            raise UsageError(f"two items are called {item.id!r}; expected each once")
        found = given.pop(item.id, None)
        counts = found is not None and found.status == ANSWERED
        asked[item.id] = (item, found if counts else None, MISSING if found is None else found.status)
    if given:
        raise UsageError(f"{len(given)} predictions are for no item (first {next(iter(given))!r}); were these items asked?")  # fmt: skip  # noqa: E501
    return list(asked.values())


# ---- boxes ------------------------------------------------------------------------------------------------------


def _rec(asked: Sequence[Asked]) -> dict[str, Scored]:
    one = [each for each in asked if is_one(each[0])]
    turned = [each for each in one if each[0].objects[0].obb is not None]
    tables = {}
    if one:
        tables["boxes"] = score_rec(_referred(one, oriented=False))
    if turned:
        tables["oriented boxes"] = score_rec(_referred(turned, oriented=True), oriented=True)
    if len(one) < len(asked):
        tables["every box"] = _every_box(asked)
    return tables


def _referred(asked: Iterable[Asked], *, oriented: bool) -> Iterable[Referred]:
    for item, answer, status in asked:
        truth = item.objects[0]
        first = answer.regions[0] if answer is not None and answer.regions else None
        if answer is not None and first is None:
            status = "none"  # an explicit none; the field knows no such answer and counts it as wrong
        box: Any = None
        if first is not None:
            box = _corners(first) if oriented else first.hbb
        yield Referred(
            id=item.id,
            family=item.image.family,
            truth=(truth.obb or ()) if oriented else truth.hbb,
            found=box,
            size_wh=item.image.size_wh,
            is_unique=item.is_unique,
            status=status,
        )


def _corners(region: Predicted) -> Any:
    """The oriented box; the upright one where none was given."""
    return region.obb if region.obb is not None else box_to_corners(np.array(region.hbb)).tolist()


def _every_box(asked: Iterable[Asked]) -> Scored:
    """Share of the true boxes that are found, of all expressions, by rotated IoU.

    GeoChat-Bench has no published scorer; this is what its users took to: boxes are paired, the highest IoU first, a
    pair from 0.5 on is a hit, and further boxes cost nothing. `extra_boxes` tells how many there are, an expression.
    """
    rows = []
    for item, answer, status in asked:
        true = np.array([truth.obb or box_to_corners(np.array(truth.hbb)).tolist() for truth in item.objects])
        adds = {"items": 1.0, "boxes": float(len(true)), "answered": float(answer is not None)}
        found = [_corners(region) for region in answer.regions] if answer is not None else []
        found = [corners for corners in found if np.isfinite(np.array(corners)).all()]
        if found:
            hits = _greedy_hits(rotated_iou_matrix(true.astype(np.float64), np.array(found, dtype=np.float64)))
            adds |= {"hits": float(hits), "extra": float(len(found) - hits)}
        rows.append(Row(item.id, item.image.family, status, adds))

    def metrics(sums: Sums) -> dict[str, np.ndarray]:
        return {
            "box_recall@0.5": ratio(sums["hits"], sums["boxes"]),
            "extra_boxes": ratio(sums["extra"], sums["items"]),
            "answered": ratio(sums["answered"], sums["items"]),
            "items": np.asarray(sums["items"]),
        }

    return scored(rows, ("items", "boxes", "hits", "extra", "answered"), metrics)


def _greedy_hits(iou: np.ndarray) -> int:
    left, hits = np.array(iou, dtype=np.float64), 0
    while left.size and left.max() >= _EVERY_IOU - TOLERANCE:
        row, column = np.unravel_index(left.argmax(), left.shape)
        left = np.delete(np.delete(left, row, axis=0), column, axis=1)
        hits += 1
    return hits


# ---- masks ------------------------------------------------------------------------------------------------------


def _res(asked: Sequence[Asked]) -> dict[str, Scored]:
    tables = {"masks": score_res(_segmented(each) for each in asked)}
    one = [each for each in asked if is_one(each[0])]
    return tables | ({"consistency": score_bcs(map(_three, one))} if one else {})


def _three(each: Asked) -> ThreeAnswers:
    """Upright box, oriented box and mask of the first region. GeoGround asks three times; here they are one answer."""
    item, answer, _ = each
    if answer is None or not answer.regions:
        return ThreeAnswers(item.id, item.image.family)
    first = answer.regions[0]
    return ThreeAnswers(item.id, item.image.family, first.hbb, _corners(first), first.rle)


def _segmented(each: Asked) -> Segmented:
    """Of one thing the first region counts, else all regions together; what is not annotated counts neither way."""
    item, answer, status = each
    shape = item.image.size_wh[::-1]
    found: Mapping[str, Any] | None = None
    if item.rle is None:
        raise UsageError(f"the RES item {item.id!r} has no mask; build the file again")
    truth = packed(item.rle, shape)
    if answer is not None:
        regions = answer.regions[:1] if is_one(item) else answer.regions
        masks = [region.rle for region in regions if region.rle is not None]
        if len(masks) < len(regions):
            status = NO_MASK
        else:
            found = _union(masks, shape)
            status = NO_MASK if found is None else status
    if item.ignored_rle is not None:
        left_out = packed(item.ignored_rle, shape)
        truth = _without(truth, left_out)
        found = None if found is None else _without(packed(found), left_out)
    return Segmented(item.id, item.image.family, truth, found, status)


def _union(masks: Sequence[Mapping[str, Any]], shape: tuple[int, int]) -> Packed | None:
    """All masks together; an explicit none is an empty mask. None where one cannot be read."""
    try:
        return joined([packed(mask, shape) for mask in masks], shape) if masks else nothing(shape)
    except UsageError:
        return None


def _without(mask: Packed, other: Packed) -> Packed:
    kept = Mask.from_rle(mask).to_array() & ~Mask.from_rle(other).to_array()
    return packed(Mask.from_array(kept).to_rle())


# ---- texts ------------------------------------------------------------------------------------------------------


def _vqa(asked: Sequence[Asked]) -> dict[str, Scored]:
    questions = [
        Questioned(item.id, item.image.family, item.type or "any", _first(item), _said(answer), item.text, status)
        for item, answer, status in asked
    ]
    tables = {"questions": score_vqa(questions)}
    groups = _whole_groups([item for item, _, _ in asked])
    if groups:
        rotations = [
            replace(
                each, found=None if each.found is None else _letter(each.found), truth=_letter(each.truth) or each.truth
            )
            for each in questions
            if each.id in groups
        ]
        tables["circular"] = score_circular(rotations, groups)
    return tables


def _whole_groups(items: Sequence[FieldItem]) -> dict[str, str]:
    """Id of a rotation -> its question, of the questions that were asked in all orders of their options."""
    groups = {item.id: item.group for item in items if item.group is not None}
    asked = Counter(groups.values())
    cut = {item.group for item in items if item.group is not None and asked[item.group] < _rotations(item)}
    if cut:
        note(
            f"{len(cut)} of {len(asked)} questions were not asked in all orders of their options (a limit, a shard, or "
            "n when the items were built); circular leaves them out"
        )
    return {id: group for id, group in groups.items() if group not in cut}


def _rotations(item: FieldItem) -> int:
    """How many orders of its options a question has; 1 where its item does not tell."""
    told = [tag.removeprefix(ROTATIONS) for tag in item.tags if tag.startswith(ROTATIONS)]
    return int(told[0]) if told and told[0].isdecimal() else 1


def _letter(text: str) -> str | None:
    """The option that an answer chooses: its letter; None where it does not begin with one that stands by itself.

    A word behind the letter must be set off by a mark: "A bridge" begins with an article.

    Example:
        >>> _letter("(B) parallel"), _letter("c."), _letter("Bridge"), _letter("A bridge crosses it")
        ('B', 'C', None, None)
    """
    found = _LETTER.match(text)
    return found[1].upper() if found else None


def _scene(asked: Sequence[Asked]) -> dict[str, Scored]:
    classes = sorted({name for item, _, _ in asked for name in item.options}, key=class_key)
    rows = (
        Classified(item.id, item.image.family, _first(item), _said(answer), status) for item, answer, status in asked
    )
    return {"scenes": score_scenes(rows, classes)}


def _caption(asked: Sequence[Asked]) -> dict[str, Scored]:
    rows = [
        Captioned(item.id, item.image.family, item.answers, _said(answer), status) for item, answer, status in asked
    ]
    if importlib.util.find_spec("pycocoevalcap") is not None and shutil.which("java") is not None:
        return {"captions": score_captions(rows, tokenise=ptb_tokens, meteor=True)}
    note(
        "captions are split into words without Java: BLEU, ROUGE_L and CIDEr differ a little from those of papers, and "
        "METEOR is left out; both need java on the PATH and pip install 'surveyor[captions]'"
    )
    return {PLAIN_CAPTIONS: score_captions(rows, tokenise=plain_tokens)}


def _first(item: FieldItem) -> str:
    if not item.answers:
        raise UsageError(f"the {item.task} item {item.id!r} has no answer; build the file again")
    return item.answers[0]


def _said(answer: Prediction | None) -> str | None:
    return None if answer is None else answer.said


# ---- grounded captions ------------------------------------------------------------------------------------------


def _gcg(asked: Sequence[Asked]) -> dict[str, Scored]:
    grounded = [_grounded(each) for each in asked]
    table = score_gcg(grounded)  # recalls look at masks alone: BERT's similarity of phrases is not at hand
    whole, total = ap50(grounded), len(table.ids)

    def metrics(sums: Sums) -> dict[str, np.ndarray]:
        """AP50 is no sum over images: it is told of the whole set alone, without an interval."""
        items = np.asarray(sums["items"])
        is_all = items.ndim == 0 and items == total and whole is not None
        return {"AP50": np.asarray(whole) if is_all else np.full(items.shape, np.nan)} | table.metrics(sums)

    return {"masks": replace(table, metrics=metrics)} | _caption(asked)


def _grounded(each: Asked) -> Grounded:
    item, answer, status = each
    regions = () if answer is None else answer.regions
    return Grounded(
        id=item.id,
        family=item.image.family,
        size_wh=item.image.size_wh,
        phrases=item.phrases,
        masks=item.masks,
        found_phrases=tuple(region.label for region in regions),
        found_masks=tuple(region.rle or {} for region in regions),
        status=status,
    )


_TABLES: dict[str, Callable[[Sequence[Asked]], dict[str, Scored]]] = {
    "REC": _rec,
    "RES": _res,
    "GCG": _gcg,
    "VQA": _vqa,
    "CAPTION": _caption,
    "SCENE": _scene,
}
