"""A folder of drawn pictures with instruction records of every kind, and settings of runs that take seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from surveyor.finetune.records.files import Provenance, write_records
from surveyor.finetune.records.record import Instruction, Marked, Picture, with_messages

SIZE = (168, 112)
QUAD = ((40.0, 20.0), (80.0, 40.0), (70.0, 60.0), (30.0, 40.0))
RING = ((10.0, 10.0), (60.0, 12.0), (55.0, 70.0))


def drawn(folder: Path, name: str, size_wh: tuple[int, int] = SIZE) -> Picture:
    """A picture of a few grey squares, different for each name."""
    rng = np.random.default_rng(list(name.encode()))
    pixels = np.full((size_wh[1], size_wh[0], 3), rng.integers(40, 90), dtype=np.uint8)
    for x, y in rng.integers(0, min(size_wh) - 30, (4, 2)):
        pixels[y : y + 25, x : x + 25] = rng.integers(120, 255, 3)
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), pixels)
    return Picture(path=name, size_wh=size_wh)


def records(folder: Path, names: Sequence[str], split: str = "train") -> list[Instruction]:
    """For each name a picture (or two), and one record of each task over it."""
    found = []
    obb, box = Marked(kind="obb", points=QUAD), Marked(kind="box", points=((30, 20), (80, 60)), keypoints=((50, 40),))
    hull = Marked(kind="box", points=((30, 20), (80, 60)))
    for number, name in enumerate(names):
        one, two = drawn(folder, f"{name}.png"), drawn(folder, f"{name}-later.png")
        base: dict[str, Any] = {"family": name, "source": "squares", "licence": "CC0-1.0", "split": split}
        kinds: dict[str, dict[str, Any]] = {
            "det": {"phrase": "square", "regions": (obb,)},
            "rec": {"phrase": "boat", "regions": ()},
            "res": {"phrase": "pool", "regions": (box,)},
            "rcd": {"phrase": "building", "pictures": (one, two), "regions": (Marked(kind="polygon", points=RING),)},
            "region": {"regions": (obb,), "reply": "a grey square"},
            "caption": {"reply": f"A picture with {number} squares."},
            "vqa": {"phrase": "Is it day?", "reply": "yes"},
            "count": {"phrase": "square", "reply": str(number)},
            "scene": {"choices": ("port", "field"), "reply": "port" if number % 2 else "field"},
            "geoloc": {"reply": "[Bern, (46.95, 7.45)]"},
            "ggl": {"pictures": (), "grid_wh": (100, 100), "given": (obb,), "regions": (hull,), "asked": "box"},
        }
        for task, more in kinds.items():
            record = {"id": f"{name}-{task}", "task": task, "pictures": (one,), **base, **more}
            found.append(with_messages(Instruction.model_validate(record)))
    return found


def written(path: Path, given: Sequence[Instruction]) -> Path:
    """The records in a file."""
    write_records(path, given, Provenance("by hand"))
    return path


def settings(folder: Path, base: Path, **more: Any) -> Path:
    """A file of settings for a run over `records` in that folder, made where they are missing."""
    data = folder / "data"
    if not (data / "train.jsonl").exists():
        written(data / "train.jsonl", records(data, ["a", "b", "c"]))
        written(data / "val.jsonl", records(data, ["x", "y"], "val"))
    given = {
        "base": str(base), "out": str(folder / "run"), "train": str(data / "train.jsonl"),
        "val": str(data / "val.jsonl"), "steps": 4, "global_batch": 4, "batch": 2, "rank": 4, "alpha": 8,
        "precision": "fp32", "device": "cpu", "threads": 1, "save_every": 2, "eval_records": 4, "lr": 0.01,
        "eval_max_tokens": 24,
    } | more  # fmt: skip
    path = folder / f"{Path(str(given['out'])).name}.yaml"
    path.write_text(json.dumps(given), encoding="utf-8")
    return path
