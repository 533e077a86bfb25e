"""Replies of a model in training to held-out records, by the decoding of inference, scored by the project's scorers.

Every record that is asked stays in the denominator: a reply that cannot be read counts as wrong, and is counted. Boxes
are compared in px of the picture, at IoU 0.5, as `score_crec` does; outlines as `score_rcd` does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.codec import Pointed
from ...core.errors import ModelOutputError
from ...core.geometry import box_to_corners, canonical_corners, corners_to_box
from ...core.masks import Mask
from ...core.progress import report
from ...core.protocols import Place
from ...evals.scores.captions import Captioned, score_captions
from ...evals.scores.crec import Item, Prediction, score_crec
from ...evals.scores.gcg import Grounded, score_gcg, word_overlap
from ...evals.scores.rcd import score_rcd
from ...evals.scores.scene import Classified, score_scenes
from ...evals.scores.vqa import Questioned, score_vqa
from ...tools.models.grounded import GroundedText, phrases_of, untagged
from ...tools.models.prompting import Prompt, Reply, meaning
from ...tools.models.tasks import Asking
from ..records.record import POINTING, TASKS, Instruction, asking_of
from .data import Lines
from .encode import Reader, as_seen, in_dialect, prompt_of, turns_of

NEAR_KM = 25.0
"""A place is right within this distance: "city" of Im2GPS (Hays and Efros 2008)."""
Figures = dict[str, float | None]
"""Name -> figure; None where it is not defined (0/0). The headline is called as the scorer in `_SCORERS`."""
_REQUEST = {"outputs": [{"verb": "detect", "target": {"phrases": ["it"]}}]}  # items need one; nobody reads it here


@dataclass(frozen=True, eq=False)
class Answered:
    """One record and what the model said.

    Attributes:
        record: what was asked.
        said: the reply's text.
        read: what it means; None where it cannot be read. Points are px of the picture.
        status: "answered" or "unreadable".
        forced: its tokens were used up, and the grammar ended it.
    """

    record: Instruction
    said: str
    read: Any
    status: str
    forced: bool


def ask(lines: Lines, chosen: Sequence[int], reader: Reader) -> list[Answered]:
    """The model's replies to these records, greedily. Reports progress."""
    found: list[Answered] = []
    for start in range(0, len(chosen), reader.settings.batch):
        report("answering held-out records", start, len(chosen))
        part = chosen[start : start + reader.settings.batch]
        records = [lines.read(index) for index in part]
        prompts = [_question(record, lines.folder(index), reader) for index, record in zip(part, records, strict=True)]
        replies = reader.ask(prompts)
        found += [_read(*each) for each in zip(records, prompts, replies, strict=True)]
    report("answering held-out records", len(chosen), len(chosen))
    return found


def _question(record: Instruction, folder: Path, reader: Reader) -> Prompt:
    """The prompt, read as the task's replies are, in px of the picture."""
    prompt = prompt_of(record, folder, reader)
    seen = as_seen(in_dialect(record, reader), reader)
    asking: Asking[Any] = asking_of(seen, reader.tasks.name)
    return replace(prompt, asking=replace(asking, text=prompt.asking.text))


def _read(record: Instruction, prompt: Prompt, reply: Reply) -> Answered:
    try:
        read = meaning(prompt.asking, reply)
    except ModelOutputError:
        return Answered(record, reply.text, None, "unreadable", reply.forced)
    if isinstance(read, list | GroundedText) and prompt.pictures:
        scale = np.array(record.size_wh) / np.array(prompt.pictures[-1].size_wh)
        if isinstance(read, list):
            read = _scaled(read, scale)
        else:
            read = replace(read, regions=tuple(tuple(_scaled(each, scale)) for each in read.regions))
    return Answered(record, reply.text, read, "answered", reply.forced)


def _scaled(pointed: Sequence[Pointed], scale: np.ndarray) -> list[Pointed]:
    return [replace(each, points_px=each.points_px * scale) for each in pointed]


# ---- scores


def scores(answered: Sequence[Answered]) -> dict[str, float]:
    """The figures of each task that was asked, and `score`, the mean of their headline figures.

    Headlines: `det_f1`, `rec_f1`, `res_f1`, `pal_f1`, `ggl_f1` (at IoU 0.5, pooled counts), `rcd_iou` (mean of the
    items; outlines of `pal` and `ggl` likewise, as `pal_iou`), `count_exact`, `vqa_exact`, `scene_accuracy`,
    `caption_rouge_l`, `region_rouge_l`, `geoloc_near`, `gcg_recall` (phrases whose words and place are right, each by
    half). Besides: `TASK_unreadable` and `TASK_cut` (shares), `items`.
    """
    found: dict[str, float] = {}
    heads: list[float] = []
    for task in TASKS:
        own = [each for each in answered if each.record.task == task]
        for name, part in _alike(task, own).items():
            values = {key: value for key, value in _SCORERS[name](part).items() if value is not None}
            found |= {f"{task}_{key}": value for key, value in values.items()}
            heads += [values[name]] if name in values else []
        if own:
            found[f"{task}_unreadable"] = sum(each.status != "answered" for each in own) / len(own)
            found[f"{task}_cut"] = sum(each.forced for each in own) / len(own)
    found["score"] = float(np.mean(heads)) if heads else 0.0
    found["items"] = float(len(answered))
    return found


def _alike(task: str, own: Sequence[Answered]) -> dict[str, list[Answered]]:
    """Headline's name -> the answers that it is made of."""
    if task not in POINTING:
        heads = {"count": "exact", "vqa": "exact", "scene": "accuracy", "geoloc": "near", "gcg": "recall"}
        return {heads.get(task, "rouge_l"): list(own)} if own else {}
    outlines = [each for each in own if task == "rcd" or each.record.asked == "polygon"]
    boxes = [each for each in own if task != "rcd" and each.record.asked != "polygon"]
    return {name: part for name, part in (("f1", boxes), ("iou", outlines)) if part}


def _boxes(answered: Sequence[Answered]) -> Figures:
    items, given = [], []
    for each in answered:
        right = [_as_box(marked.pointed) for marked in each.record.regions]
        oriented = any(marked.kind == "obb" and not marked.is_upright for marked in each.record.regions)
        objects = [{"id": str(place), "label": "", **box} for place, box in enumerate(right)]
        items.append(_item(each.record, "CREC", objects=objects, answer_ids=[one["id"] for one in objects]))
        said = [_as_box(pointed) for pointed in each.read or ()]
        regions = [box if oriented or not right else {**box, "obb": None} for box in said]
        given.append(Prediction.model_validate({"id": each.record.id, "status": each.status, "regions": regions}))
    values = score_crec(items, given, oriented=True).values()
    return {name: values[f"{name}_micro@0.5"] for name in ("f1", "precision", "recall")}


def _as_box(pointed: Pointed) -> dict[str, Any]:
    points = np.asarray(pointed.points_px, dtype=np.float64)
    corners = canonical_corners(points).tolist() if pointed.kind == "obb" else None
    return {"hbb": corners_to_box(points).tolist(), "obb": corners}


def _outlines(answered: Sequence[Answered]) -> Figures:
    items, given = [], []
    for each in answered:
        shape = (each.record.size_wh[1], each.record.size_wh[0])
        right = [[np.array(ring) for ring in (one.points, *one.holes)] for one in each.record.regions]
        said = [[pointed.points_px] for pointed in each.read or ()]
        items.append(_item(each.record, "RCD", answer_rle=_rle(right, shape) if right else None))
        rle = _rle(said, shape) if each.status == "answered" else None
        given.append(Prediction.model_validate({"id": each.record.id, "status": each.status, "mask_rle": rle}))
    values = score_rcd(items, given).values()
    return {"iou": values["giou"], "component_f1": values["component_f1@0.5"]}


def _rle(shapes: Sequence[Sequence[np.ndarray]], shape_hw: tuple[int, int]) -> dict[str, Any]:
    total = Mask.from_array(np.zeros((0, 0)), shape_hw=shape_hw)
    for rings in shapes:
        total = total.union(Mask.from_polygon(rings, shape_hw))
    return total.to_rle()


def _item(record: Instruction, task: str, **more: Any) -> Item:
    image = {"path": record.pictures[-1].path if record.pictures else "none", "size_wh": record.size_wh,
             "family": record.family}  # fmt: skip
    return Item.model_validate(
        {"id": record.id, "task": task, "image": image, "expression": record.phrase or "it", "request": _REQUEST,
         "made": {"version": 0, "seed": 0}, **more}
    )  # fmt: skip


def _exact(answered: Sequence[Answered]) -> Figures:
    asked = [
        Questioned(e.record.id, e.record.family, e.record.task, _last(e.record), _text(e.read), status=e.status)
        for e in answered
    ]
    return {"exact": score_vqa(asked).values()["strict OA"]}


def _text(read: Any) -> str | None:
    return None if read is None else str(read)


def _class(answered: Sequence[Answered]) -> Figures:
    asked = [Classified(e.record.id, e.record.family, _last(e.record), e.read, e.status) for e in answered]
    return {"accuracy": score_scenes(asked).values()["accuracy"]}


def _rouge(answered: Sequence[Answered]) -> Figures:
    asked = [Captioned(e.record.id, e.record.family, [_last(e.record)], e.read, e.status) for e in answered]
    values = score_captions(asked).values()
    return {"rouge_l": values["ROUGE_L"], "cider": values["CIDEr"]}


def _grounded(answered: Sequence[Answered]) -> Figures:
    """Phrases and places as `score_gcg` does, masks being what their boxes fill; the words as those of captions."""
    asked, texts = [], []
    for each in answered:
        record, said = each.record, each.read
        shape = (record.size_wh[1], record.size_wh[0])
        right = [[marked.pointed for marked in some] for some in record.regions_of_phrases]
        found = said.regions if said is not None else ()
        masks = ([_rle([_ring(one) for one in some], shape) for some in groups] for groups in (right, found))
        names = said.phrases if said is not None else ()
        asked.append(Grounded(record.id, record.family, record.size_wh, phrases_of(record.reply), next(masks), names, next(masks), each.status))  # fmt: skip  # noqa: E501
        text = said.text if said is not None else None
        texts.append(Captioned(record.id, record.family, [untagged(record.reply)], text, each.status))
    values = score_gcg(asked, word_overlap).values()
    return {"recall": values["recall"], "miou": values["miou"], "rouge_l": score_captions(texts).values()["ROUGE_L"]}


def _ring(pointed: Pointed) -> list[np.ndarray]:
    points = np.asarray(pointed.points_px, dtype=np.float64)
    return [box_to_corners(corners_to_box(points)) if pointed.kind == "box" else points]


def _near(answered: Sequence[Answered]) -> Figures:
    hits = [float(isinstance(e.read, Place) and _km(e.read, asking_of(e.record).read(_last(e.record))) <= NEAR_KM)
            for e in answered]  # fmt: skip
    return {"near": sum(hits) / len(hits)}


def _km(a: Place, b: Place) -> float:
    """Great-circle distance (haversine, sphere of 6371 km)."""
    (first, second), turn = (math.radians(each.latitude) for each in (a, b)), math.radians(b.longitude - a.longitude)
    chord = math.sin((second - first) / 2) ** 2 + math.cos(first) * math.cos(second) * math.sin(turn / 2) ** 2
    return 2 * 6371.0 * math.asin(min(1.0, math.sqrt(chord)))


def _last(record: Instruction) -> str:
    """What is right in words."""
    return record.reply or turns_of(record)[-1][1]


_SCORERS: dict[str, Callable[[Sequence[Answered]], Figures]] = {
    "f1": _boxes, "iou": _outlines, "exact": _exact, "accuracy": _class, "rouge_l": _rouge, "near": _near,
    "recall": _grounded,
}  # fmt: skip


def write_replies(path: Path, answered: Sequence[Answered]) -> None:
    """One JSON line a record: what was asked, what is right, what was said. For people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for each in sorted(answered, key=lambda one: one.record.id):
        asked, right = each.record.messages[0].content, each.record.messages[-1].content
        told = {"id": each.record.id, "task": each.record.task, "asked": asked, "right": right, "said": each.said}
        lines.append(json.dumps({**told, "status": each.status, "cut": each.forced}, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
