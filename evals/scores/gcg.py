"""Scores of grounded captions (GCG): phrases with masks, as GLaMM's eval/gcg/evaluate.py counts them, and mended.

`AP50` is COCO's, class-agnostic, every score 1: ties keep the order of the answer, so the order moves the figure; no
answer at all gives 0. `miou` is the mean over images of the mean IoU of greedily paired masks: what is left over on
either side costs nothing. `recall_glamm` accepts the pair with the highest IoU as long as IoU and text similarity both
reach 0.5, and stops at the first that does not: one wrong phrase loses all later pairs. `recall` pairs as many
admissible phrases as possible. Both need a similarity of phrases; GLaMM's is the cosine of mean-pooled
BERT-base-uncased, which rates unrelated noun phrases high. The caption itself is scored by `captions.score_captions`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ...core.errors import UsageError
from .matching import best_pairs
from .pixels import Packed, area, iou_matrix, packed
from .scored import ANSWERED, Row, Scored, Sums, plain, ratio, scored

IOU = 0.5
TEXT = 0.5
Similar = Callable[[str, str], float]
"""Two phrases -> how much alike they are, 1 for the same."""


@dataclass(frozen=True)
class Grounded:
    """One image.

    Attributes:
        id: unique.
        family: leakage family.
        size_wh: px.
        phrases: right phrases.
        masks: their pixels, COCO run-length encodings.
        found_phrases: answered phrases, in order.
        found_masks: answered masks, in order; as many as phrases, if the model kept to the form.
        status: "answered", or why there is no answer.
    """

    id: str
    family: str
    size_wh: tuple[int, int]
    phrases: Sequence[str]
    masks: Sequence[Mapping[str, Any]]
    found_phrases: Sequence[str] = ()
    found_masks: Sequence[Mapping[str, Any]] = ()
    status: str = ANSWERED


def score_gcg(grounded: Iterable[Grounded], similar: Similar | None = None) -> Scored:
    """The GCG scores that are sums over images; for `AP50` see `ap50`.

    Args:
        grounded: one an image. A found mask that cannot be read, or of another size, counts as an empty one.
        similar: of phrases, for the recalls; None looks at masks alone and calls them `recall_masks_glamm` and
            `recall_masks`.

    Returns:
        `miou`, `recall_glamm`, `recall`, `answered`, `items`.

    Raises:
        UsageError: two images of one id, or true masks that cannot be read or are not as many as phrases.
    """
    compare = similar or (lambda first, second: 1.0)
    rows = []
    for each in grounded:
        wanted = _true_masks(each)
        found, phrases = (_found_masks(each), each.found_phrases) if each.status == ANSWERED else ([], ())
        iou = np.array(iou_matrix(wanted, found), dtype=np.float64).reshape(len(wanted), len(found))
        alike = np.array([[compare(a, b) for b in phrases] for a in each.phrases], dtype=np.float64)
        alike = alike.reshape(len(each.phrases), len(phrases))
        adds = {"items": 1.0, "answered": float(each.status == ANSWERED), "phrases": len(each.phrases)}
        adds |= {"iou": greedy_mean_iou(iou), "hits_glamm": hits_glamm(iou, alike), "hits": hits_fixed(iou, alike)}
        rows.append(Row(each.id, each.family, each.status, adds))
    part = "recall" if similar else "recall_masks"

    def metrics(sums: Sums) -> dict[str, np.ndarray]:
        return {
            "miou": ratio(sums["iou"], sums["items"]),
            f"{part}_glamm": ratio(sums["hits_glamm"], sums["phrases"]),
            part: ratio(sums["hits"], sums["phrases"]),
            "answered": ratio(sums["answered"], sums["items"]),
            "items": np.asarray(sums["items"]),
        }

    return scored(rows, ("items", "answered", "phrases", "iou", "hits_glamm", "hits"), metrics)


def ap50(grounded: Iterable[Grounded]) -> float | None:
    """COCO's AP at IoU 0.5 over all images, by pycocotools; None where nothing is right anywhere.

    Images are taken in the order given, masks in the order of the answer: it settles the ties of equal scores.
    """
    images = list(grounded)
    true: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for i, each in enumerate(images, start=1):
        for mask in _true_masks(each):
            true.append(_annotation(mask, i, len(true) + 1))
        for mask in _found_masks(each) if each.status == ANSWERED else ():
            found.append({"image_id": i, "category_id": 1, "segmentation": mask, "score": 1.0})
    if not true:
        return None
    if not found:
        return 0.0
    truth = COCO()
    truth.dataset = {
        "images": [{"id": i, "width": e.size_wh[0], "height": e.size_wh[1]} for i, e in enumerate(images, start=1)],
        "annotations": true,
        "categories": [{"id": 1, "name": "object"}],
        "info": {},
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(found), "segm")
        judge.params.iouThrs = np.array([IOU])
        judge.params.areaRng, judge.params.areaRngLbl = [judge.params.areaRng[0]], ["all"]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][0, :, 0, 0, judge.params.maxDets.index(100)]
    return plain(precision[precision > -1].mean())


def greedy_mean_iou(iou: np.ndarray) -> float:
    """Mean of the pairs that are taken, the highest IoU first, until none overlaps; 0 without a pair.

    Two empty masks (NaN) end the pairing, as in GLaMM's script.

    Example:
        >>> greedy_mean_iou(np.array([[0.8, 0.7], [0.6, 0.0]]))  # 0.8 is taken; 0.0 is left: no pair
        0.8
    """
    left, taken = np.array(iou, dtype=np.float64), []
    while left.size and left.max() > 0:
        row, column = np.unravel_index(left.argmax(), left.shape)
        taken.append(left[row, column])
        left = np.delete(np.delete(left, row, axis=0), column, axis=1)
    return float(np.mean(taken)) if taken else 0.0


def hits_glamm(iou: np.ndarray, alike: np.ndarray) -> int:
    """Pairs by GLaMM's loop, its breaks included.

    Args:
        iou: (true masks, found masks); NaN for two empty masks.
        alike: (true phrases, found phrases). Where the best pair has no phrases (not as many as masks), the image has
            no hit at all, as in the script, whose error for that is caught.
    """
    overlaps, texts, hits = np.array(iou, dtype=np.float64), np.array(alike, dtype=np.float64), 0
    while overlaps.size:
        row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
        if overlaps[row, column] < IOU:
            break
        if row >= texts.shape[0] or column >= texts.shape[1]:
            return 0
        if texts[row, column] < TEXT:
            break
        hits += 1
        overlaps[row], overlaps[:, column], texts[row], texts[:, column] = 0, 0, 0, 0
    return hits


def hits_fixed(iou: np.ndarray, alike: np.ndarray) -> int:
    """The largest number of one-to-one pairs with IoU and similarity of at least 0.5."""
    rows, columns = min(iou.shape[0], alike.shape[0]), min(iou.shape[1], alike.shape[1])
    part = np.nan_to_num(iou[:rows, :columns])
    admissible = (part >= IOU) & (alike[:rows, :columns] >= TEXT)
    return len(best_pairs(admissible.astype(np.float64))[0])


def word_overlap(first: str, second: str) -> float:
    """A similarity that needs no model: shared words / all words of two phrases.

    Example:
        >>> word_overlap("a red car", "red car")
        0.6666666666666666
    """
    one, two = set(first.lower().split()), set(second.lower().split())
    return len(one & two) / len(one | two) if one | two else 1.0


def _true_masks(each: Grounded) -> list[Packed]:
    if len(each.masks) != len(each.phrases):
        raise UsageError(f"image {each.id!r} has {len(each.phrases)} phrases and {len(each.masks)} masks; expected as many")  # fmt: skip  # noqa: E501
    return [packed(rle, each.size_wh[::-1]) for rle in each.masks]


def _found_masks(each: Grounded) -> list[Packed]:
    shape = each.size_wh[::-1]
    found = []
    for rle in each.found_masks:
        try:
            found.append(packed(rle, shape))
        except UsageError:
            found.append(packed({"size": shape, "counts": [shape[0] * shape[1]]}, shape))
    return found


def _annotation(mask: Packed, image: int, id: int) -> dict[str, Any]:
    size = area(mask)
    return {"id": id, "image_id": image, "category_id": 1, "segmentation": mask, "area": size, "iscrowd": 0}
