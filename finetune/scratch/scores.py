"""How well a checkpoint answers about drawn scenes, by the project's own scorers (`evals.scores`).

Questions are asked as inference asks them: through the engine, greedily, held to each task's grammar. Boxes are scored
as conditional referring comprehension (CREC, rotated IoU for `det`, upright for `seg`), changes as RCD, region captions
by equality with the one phrase that is right. Things too small or too much cut to be listed count neither way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from ...core.codec import Pointed
from ...core.errors import ModelOutputError
from ...core.geometry import corners_to_box, min_area_rect
from ...core.masks import Mask
from ...core.progress import report
from ...evals.scores.captions import Captioned, score_captions
from ...evals.scores.crec import Item, Predicted, Prediction, Truth, score_crec
from ...evals.scores.rcd import score_rcd
from ...synth import SynthObject
from ...tools.models.prompting import Prompt, meaning
from .scenes import Listed, Seen, corners_of
from .shown import (
    Question,
    Shown,
    asked_labels,
    change_of,
    changed_labels,
    detect_of,
    outline_of,
    prompt_of,
    region_of,
    segment_of,
)

Figures = dict[str, float | None]
"""Name of a figure -> its value; None where it is not defined (nothing to count)."""
REGIONS = 3  # a scene whose things are described


@dataclass(frozen=True, eq=False)
class Case:
    """A question with its truth.

    Attributes:
        id: unique.
        shown: images and the one question.
        seen: the drawn scene.
    """

    id: str
    shown: Shown
    seen: Seen

    @property
    def question(self) -> Question:
        """What is asked."""
        return self.shown.questions[0]

    @property
    def prompt(self) -> Prompt:
        """As an engine is asked it."""
        return prompt_of(self.shown, self.question)


def cases_of(scenes: Iterable[Seen], pairs: Iterable[Seen], listed: Listed, tasks: Sequence[str]) -> list[Case]:
    """All classes that scenes show and one that each does not show, for each task; some regions; changes of pairs."""
    found: list[Case] = []

    def add(seen: Seen, name: str, shown: Shown) -> None:
        found.append(Case(f"{shown.questions[0].task}/{seen.id}/{name}", shown, seen))

    for number, seen in enumerate(scenes):
        asked = asked_labels(seen.things[-1], listed)
        there, absent = ([label for label in asked if bool(asked[label]) is kind] for kind in (True, False))
        for label in [*there, *absent[number % max(1, len(absent)) :][:1]]:
            if "det" in tasks:
                add(seen, label, Shown(seen.images, (detect_of(label, asked[label], seen.size_wh),), seen))
            if "seg" in tasks:
                add(seen, label, Shown(seen.images, (segment_of(label, asked[label], seen.size_wh),), seen))
        things = [thing for label in there for thing in asked[label]]
        for thing in things[:REGIONS] if "region" in tasks else ():
            add(seen, thing.id, region_of(seen, thing))
    for number, seen in enumerate(pairs if "change" in tasks else ()):
        of = changed_labels(seen, listed)
        there, still = ([label for label in of if bool(of[label]) is kind] for kind in (True, False))
        for label in [*there, *still[number % max(1, len(still)) :][:1]]:
            add(seen, label, Shown(seen.images, (change_of(label, of[label], seen.size_wh),), seen))
    return found


def asked(engine: Any, cases: Sequence[Case]) -> list[tuple[Any, str]]:
    """What each reply means (None: unreadable) and its text."""
    found: list[tuple[Any, str]] = []
    step = max(1, engine.at_once)
    for start in range(0, len(cases), step):
        report("asking", start, len(cases))
        prompts = [case.prompt for case in cases[start : start + step]]
        for prompt, reply in zip(prompts, engine.ask(prompts), strict=True):
            try:
                found.append((meaning(prompt.asking, reply), reply.text))
            except ModelOutputError:
                found.append((None, reply.text))
    return found


def scores(cases: Sequence[Case], answers: Sequence[tuple[Any, str]]) -> dict[str, Figures]:
    """Task -> figure -> value."""
    by_task: dict[str, list[tuple[Case, Any, str]]] = {}
    for case, (answer, text) in zip(cases, answers, strict=True):
        by_task.setdefault(case.question.task, []).append((case, answer, text))
    found = {}
    for task, given in by_task.items():
        found[task] = {"det": _boxes, "seg": _boxes, "change": _changes, "region": _phrases}[task](given)
        found[task]["items"] = float(len(given))
        found[task]["unreadable"] = float(sum(answer is None for _, answer, _ in given))
    return found


def box_scores(items: Sequence[Item], predictions: Sequence[Prediction], oriented: bool) -> Figures:
    """CREC figures at 0.5, and F1 at 0.25 and 0.75."""
    values = score_crec(items, predictions, oriented=oriented).values()
    names = ("f1_micro@0.5", "precision_micro@0.5", "recall_micro@0.5", "f1_micro@0.25", "f1_micro@0.75", "n_acc")
    return {name.replace("_micro", ""): _rounded(values[name]) for name in names}


def item_of(case: Case, task: str = "CREC") -> Item:
    """The case as a benchmark's item; things of the class that are not asked for are ignored."""
    right = {thing.id for thing in case.question.right}
    label = case.id.rpartition("/")[2]
    things = case.seen.changed if task == "RCD" else case.seen.things[-1]
    objects = [thing for thing in things if thing.label == label]
    image = {"path": case.seen.id, "size_wh": case.seen.size_wh, "family": case.seen.id}
    target = {"phrases": [label]}
    told: dict[str, Any] = {
        "id": case.id, "task": task, "image": image, "expression": case.question.asking.text,
        "request": {"outputs": [{"verb": "detect", "target": target}]}, "made": {"version": 1, "seed": 0},
    }  # fmt: skip
    if task == "RCD":
        answer = _mask([outline_of(thing) for thing in case.question.right], case.seen).to_rle()
        return Item.model_validate({**told, "after": image, "answer_rle": answer})
    answers = [thing.id for thing in case.question.right]
    others = [thing.id for thing in objects if thing.id not in right]
    truths = tuple(_truth(thing) for thing in objects)
    return Item.model_validate({**told, "objects": truths, "answer_ids": answers, "ignored_ids": others})


def predicted(corners: np.ndarray, box: np.ndarray | None = None) -> Predicted:
    """An answered object of four corners or an upright box."""
    upright = corners_to_box(corners) if box is None else box
    return Predicted(hbb=four(upright), obb=tuple((float(x), float(y)) for x, y in corners))


def _boxes(given: Sequence[tuple[Case, Any, str]]) -> Figures:
    task = given[0][0].question.task
    items, predictions, kept, points = [], [], 0, 0
    for case, answer, text in given:
        items.append(item_of(case))
        regions = tuple(_region(each) for each in answer or ())
        predictions.append(_prediction(case, answer, text, regions=regions))
        for each in answer or ():
            for point in each.keypoints_px if each.keypoints_px is not None else ():
                shape = shapely.Point(point)
                kept += any(thing.shape.covers(shape) for thing in case.question.right)
                points += 1
    found = box_scores(items, predictions, oriented=task == "det")
    return found | ({"keypoints_inside": round(kept / points, 4)} if points else {})


def _changes(given: Sequence[tuple[Case, Any, str]]) -> Figures:
    items, predictions = [], []
    for case, answer, text in given:
        items.append(item_of(case, "RCD"))
        rle = _mask([each.points_px for each in answer or ()], case.seen).to_rle()
        predictions.append(_prediction(case, answer, text, mask_rle=rle))
    values = score_rcd(items, predictions, none_below_px=1, least_part_px=1).values()
    names = ("component_f1@0.5", "F1_1", "IoU_1", "n_acc", "t_acc")
    return {name: _rounded(values[name]) for name in names}


def _phrases(given: Sequence[tuple[Case, Any, str]]) -> Figures:
    said = [(case.question.reply, str(answer or ""), case) for case, answer, _ in given]
    values = score_captions(Captioned(case.id, case.seen.id, [right], words) for right, words, case in said).values()
    label = [words.endswith(case.question.right[0].label) for _, words, case in said]
    exact = [right == words for right, words, _ in said]
    return {"exact": round(float(np.mean(exact)), 4), "class": round(float(np.mean(label)), 4),
            "CIDEr": _rounded(values["CIDEr"])}  # fmt: skip


def _prediction(case: Case, answer: Any, text: str, **told: Any) -> Prediction:
    if answer is None:
        return Prediction(id=case.id, status="unreadable", said=text)
    return Prediction(id=case.id, said=text, **told)


def four(box: np.ndarray) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 as plain numbers."""
    x0, y0, x1, y1 = (float(side) for side in box)
    return x0, y0, x1, y1


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _region(found: Pointed) -> Predicted:
    points = np.asarray(found.points_px, dtype=np.float64)
    box = corners_to_box(points)
    if found.kind == "box":
        return Predicted(hbb=four(box))
    return predicted(min_area_rect(points), box)


def _truth(thing: SynthObject) -> Truth:
    obb = tuple((float(x), float(y)) for x, y in corners_of(thing))
    return Truth(id=thing.id, label=thing.label, hbb=four(thing.box_px), obb=obb)


def _mask(outlines: Sequence[np.ndarray], seen: Seen) -> Mask:
    shape = seen.size_wh[::-1]
    whole = Mask.from_array(np.zeros(shape, bool))
    for outline in outlines:
        whole = whole.union(Mask.from_polygon([np.asarray(outline)], shape))
    return whole
