"""F1@0.5 of grounders on annotated photos, beside each other, by one rule.

    python -m surveyor.finetune.scratch.beside --data ../shared/data/nwpu_vhr10 --split val --out photos.json
        grounder=nano grounder=compact

Each model is asked for every class of the annotation on every image, those that the image does not show too, and a
class that it says it does not know counts as not found. Counts are pooled: `evals.scores.crec`, upright and rotated
IoU. The compact detector's own measurement (`evals.detection`) matches by score; here boxes are matched so that the sum
of IoU is largest.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import ModelOutputError, SurveyorError, ToolFailed, UnknownPhrase, UsageError
from ...core.progress import listening, report
from ...core.scene import Scene
from ...evals.scores.crec import Item, Prediction, Truth, score_crec
from ...tools.models.oracle import read_annotations
from ...tools.models.spec import load_models
from .scores import four, predicted


def items_of(annotations: Path) -> list[Item]:
    """A question for each image of a COCO instances file and each of its classes."""
    found = read_annotations(annotations)
    classes = sorted({item.region.label for items in found.images.values() for item in items})
    return [item for name, things in found.images.items() for label in classes for item in _items(name, label, things)]


def _items(name: str, label: str, things: Sequence[Any]) -> Iterator[Item]:
    regions = [thing.region for thing in things if thing.region.label == label]
    truths = []
    for number, each in enumerate(regions):
        obb = tuple((float(x), float(y)) for x, y in each.corners_px)
        truths.append(Truth(id=str(number), label=label, hbb=four(each.box_px), obb=obb))
    told: dict[str, Any] = {
        "id": f"{name}/{label}", "task": "CREC", "image": {"path": name, "size_wh": (1, 1), "family": name},
        "expression": label.replace("_", " "), "made": {"version": 1, "seed": 0}, "objects": truths,
        "request": {"outputs": [{"verb": "detect", "target": {"phrases": [label]}}]},
        "answer_ids": [truth.id for truth in truths],
    }  # fmt: skip
    yield Item.model_validate(told)


def answers(grounder: Any, items: Sequence[Item], images: Path) -> list[Prediction]:
    """What a grounder finds, an answer an item; each image is opened once."""
    found: list[Prediction] = []
    scene, shown = None, ""
    for number, item in enumerate(items):
        report("asking", number, len(items))
        if item.image.path != shown:
            scene, shown = Scene.open(images / item.image.path), item.image.path
        try:
            regions = grounder.ground(scene, item.expression)
            found.append(Prediction(id=item.id, regions=tuple(predicted(each.corners_px, each.box_px) for each in regions)))  # fmt: skip  # noqa: E501
        except UnknownPhrase:
            found.append(Prediction(id=item.id))
        except (ModelOutputError, ToolFailed) as error:
            found.append(Prediction(id=item.id, status="unreadable", said=str(error)))
    return found


def figures(items: Sequence[Item], predictions: Sequence[Prediction]) -> dict[str, float | None]:
    """F1, precision and recall at IoU 0.5 of pooled counts."""
    upright, oriented = (score_crec(items, predictions, oriented=each).values() for each in (False, True))
    return {
        "f1@0.5": upright["f1_micro@0.5"], "precision@0.5": upright["precision_micro@0.5"],
        "recall@0.5": upright["recall_micro@0.5"], "oriented f1@0.5": oriented["f1_micro@0.5"],
        "unreadable": float(sum(each.status != "answered" for each in predictions)),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m surveyor.finetune.scratch.beside", description=(__doc__ or "").splitlines()[0])  # fmt: skip  # noqa: E501
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and SPLIT.json (COCO instances)")
    parser.add_argument("--split", default="val")
    parser.add_argument("--most", type=int, help="images at most")
    parser.add_argument("--out", type=Path, help="also write the figures here, for the card")
    parser.add_argument("specs", nargs="+", metavar="grounder=MODEL")
    told = parser.parse_args(arguments)
    try:
        items = items_of(told.data / f"{told.split}.json")
        names = list(dict.fromkeys(item.image.path for item in items))[: told.most]
        items = [item for item in items if item.image.path in set(names)]
        wrong = [spec for spec in told.specs if not spec.startswith("grounder=")]
        if wrong:
            raise UsageError(f"{wrong[0]!r} names no grounder; write grounder=MODEL")
        command = " ".join(["python -m surveyor.finetune.scratch.beside --data", told.data.name, *told.specs])
        found: dict[str, Any] = {
            "data": f"{told.data.name} {told.split}", "images": len(names), "command": command,
            "objects": sum(len(item.answer_ids) for item in items), "models": {},
        }  # fmt: skip
        for spec in told.specs:
            with listening(_told):
                given = answers(load_models(spec).grounder, items, told.data / "images")
            found["models"][spec] = figures(items, given)
            print(spec, json.dumps(found["models"][spec]), flush=True)
    except SurveyorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if told.out:
        told.out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return 0


def _told(what: str, done: int, total: int) -> None:
    if what == "asking" and done % 50 == 0:
        print(f"\r{what} {done}/{total} ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
